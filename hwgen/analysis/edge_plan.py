"""Edges while the analysis builds them: expressions that share parts, written out as host steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgen.analysis.coded import Coded
from hwgen.analysis.known import pair_of
from hwgen.analysis.layout import Rearrangement
from hwgen.host.edges import EdgeStep, real
from hwgen.numerics.quantiser import Quantiser, Thresholds


@dataclass(frozen=True, eq=False)
class Edge:
    """One host step and what it takes; without a step, the array that enters the edge.

    Parameters
    ----------
    step : dict or None
        A step of `hwgen.host.edges` without its ``args``.
    args : tuple of Edge
    """

    step: EdgeStep | None = None
    args: tuple["Edge", ...] = ()

    def then(self, op: str, *others: "Edge", **fields: Any) -> "Edge":
        """The edge with one more step."""
        return Edge({"op": op, **fields}, (self, *others))

    def reshape(self, shape: tuple[int, ...]) -> "Edge":
        if self.step is not None and self.step["op"] == "reshape":
            return self.args[0].then("reshape", shape=list(shape))
        return self.then("reshape", shape=list(shape))

    def take(self, index: np.ndarray) -> "Edge":
        """Elements of the flattened sample in the order and shape of `index`."""
        flat = index.reshape(-1)
        if np.array_equal(flat, np.arange(flat.size)):
            return self.reshape(index.shape)
        return self.then("take", index=flat.tolist(), shape=list(index.shape))

    def rearrange(self, change: Rearrangement) -> "Edge":
        edge = self if change.perm is None else self.then("transpose", perm=list(change.perm))
        return edge if change.shape is None else edge.reshape(change.shape)

    def after(self, first: "Edge") -> "Edge":
        """This edge on the result of `first`."""
        made: dict[int, Edge] = {}

        def visit(edge: "Edge") -> "Edge":
            if edge.step is None and not edge.args:
                return first
            if id(edge) not in made:
                made[id(edge)] = Edge(edge.step, tuple(visit(arg) for arg in edge.args))
            return made[id(edge)]

        return visit(self)

    def steps(self) -> list[EdgeStep]:
        """The steps in the order of evaluation, shared ones once."""
        steps: list[EdgeStep] = []
        number: dict[int, int] = {}

        def visit(edge: "Edge") -> int:
            if edge.step is None:
                return -1
            if id(edge) not in number:
                args = [visit(arg) for arg in edge.args]
                number[id(edge)] = len(steps)
                steps.append({"op": edge.step["op"], "args": args, **_rest(edge.step)})
            return number[id(edge)]

        visit(self)
        return steps


def constant(values: Coded) -> Edge:
    """A constant of exact numbers as an edge of its own."""
    return Edge({"op": "constant", "value": numbers(values)})


def numbers(values: Coded) -> dict[str, Any]:
    """Exact numbers in the form that host steps hold."""
    pair = pair_of(values)
    return real(pair.hi, pair.lo)


def quantise_fields(q: Quantiser) -> dict[str, Any]:
    """Parameters of a ``quantise`` step."""
    return {
        "scale": real(q.scale),
        "zero_point": real(q.zero_point),
        "lo": q.lo,
        "hi": q.hi,
        "rounding": q.rounding,
        "round_first": q.round_first,
    }


def count_fields(q: Thresholds) -> dict[str, Any]:
    """Parameters of a ``step`` that counts thresholds."""
    starts = np.sort(np.asarray(q.thresholds, dtype=np.float64), axis=1)
    values = [list(range(starts.shape[1] + 1))] * len(starts)
    return {"starts": starts.tolist(), "values": values, "axis": q.axis}


def _rest(step: EdgeStep) -> EdgeStep:
    return {key: field for key, field in step.items() if key != "op"}

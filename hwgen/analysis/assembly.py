"""The integer graph while the analysis builds it: nodes, ranges, problems and fates."""

from dataclasses import dataclass, field, replace

import numpy as np

from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.layout import Layout
from hwgen.analysis.scaled import Inner, RefusedError, Scaled, Tail
from hwgen.analysis.steps import as_line, level_table, quantised_table
from hwgen.integer import IntOp, IntReshape, IntTensor
from hwgen.ir import Graph, Node, Value
from hwgen.numerics.exact import Real
from hwgen.problem import Problem
from hwgen.result_type import result_type

MAX_WIDTH = 32
"""Bits of the widest integer that flows between nodes."""


@dataclass(eq=False)
class Assembly:
    """What the walk over a tensor graph has found so far; grows, and never takes back.

    Attributes
    ----------
    inputs : dict of input name to IntTensor
    nodes : list of Node
    types : dict of Value to IntTensor
    problems : list of Problem
    warnings : list of str
    fates : dict of tensor node name to str
    """

    inputs: dict[str, IntTensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    types: dict[Value, IntTensor] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    _realised: dict[tuple[Value, int], tuple[Value, int, np.ndarray]] = field(default_factory=dict)
    _kept: list[Inner] = field(default_factory=list)  # so that no identity in `_realised` is reused

    def add_input(self, name: str, kind: IntTensor) -> Value:
        value = Value(name, "")
        self.inputs[name] = self.types[value] = kind
        return value

    def add(self, name: str, op: IntOp, *inputs: Value) -> Value:
        """A node; the name gets a number where it is taken."""
        taken = {*self.inputs, *(node.name for node in self.nodes)}
        title, count = name, 1
        while title in taken:
            count += 1
            title = f"{name}_{count}"
        kind = result_type(op, *(self.types[x] for x in inputs))
        if kind.dtype.width > MAX_WIDTH:
            raise RefusedError(
                Problem(
                    name,
                    f"integers must fit {MAX_WIDTH} bits",
                    f"{kind.dtype.width} bits ({kind.dtype})",
                    "put a quantiser in front",
                )
            )
        node = Node(title, op, inputs)
        self.nodes.append(node)
        self.types[node.out] = kind
        return node.out

    def reshape(self, name: str, x: Scaled, natural: tuple[int, ...]) -> Scaled:
        """The stream with the same order of elements in another shape.

        Raises
        ------
        RefusedError
            Its integers mean different numbers inside one of the new channels.
        """
        if natural == x.layout.natural:
            return x
        scale, bias = (
            _regrouped(name, part, x.layout.natural, natural) for part in (x.scale, x.bias)
        )
        root = self.add(f"{name}_shape", IntReshape(natural), x.root)
        return replace(x, root=root, layout=Layout(x.layout.index, natural), scale=scale, bias=bias)

    def fold(self, names: tuple[str, ...], fate: str) -> None:
        """The same fate for several nodes of the model."""
        self.fates.update(dict.fromkeys(names, fate))

    def realise(self, x: Scaled) -> Scaled:
        """The same value with its integer in the integer graph."""
        if x.inner is None:
            return x
        key = (x.root, id(x.inner.tree))
        if key not in self._realised:
            self._realised[key] = self._step(x)
            self._kept.append(x.inner)
        root, slope, shift = self._realised[key]
        scale, bias = x.scale, x.bias
        if root == x.root:
            # The step is slope * n + shift[c]: no hardware, another scale and bias.
            moves = Coded.of_array(shift, Real.of)
            bias = combine(lambda b, s, k: b + s * k, bias, scale, moves)
            scale = scale.map(lambda s: s * slope)
        return replace(x, root=root, scale=scale, bias=bias, inner=None, inner_trail=(), closer="")

    def _step(self, x: Scaled) -> tuple[Value, int, np.ndarray]:
        assert x.inner is not None
        kind = self.types[x.root]
        step = quantised_table(x.inner.tree, kind, x.inner.scale, x.inner.bias)
        line = as_line(step, kind)
        if line is not None:
            self.fates[x.closer] = "vanishes: its grid is that of its input"
            self.fold(x.inner_trail, f"folded into the scale of {x.closer}")
            return x.root, *line
        value = self.add(x.closer, step, x.root)
        self.fates[x.closer] = f"MultiThreshold {len(step.starts)} x {step.starts.shape[1]}"
        self.fold(x.inner_trail, f"folded into the thresholds of {value.node}")
        return value, 1, np.zeros(1, np.int64)

    def levels(self, x: Tail, user: str) -> Scaled:
        """A function that no quantiser follows, as integers, if its few levels lie on a grid."""
        inner = x.base.inner.tree if x.base.inner else None
        last = x.trail[-1]
        kind = self.types[x.base.root]
        try:
            found = level_table(x.tree, inner, kind)
        except ValueError:
            raise RefusedError(
                Problem(
                    user,
                    "its input must be quantised",
                    f"the result of {last} with {int((kind.hi - kind.lo).max()) + 1} different "
                    "inputs per channel",
                    f"put a Quant behind {last}",
                )
            ) from None
        if found is None:
            raise RefusedError(
                Problem(
                    user,
                    "its input must lie on an integer grid of at most 16 bits",
                    f"the values that {last} makes",
                    f"put a Quant behind {last}",
                )
            )
        step, scale, bias = found
        layout, trail = x.layout, (*x.base.names, *x.trail)
        line = as_line(step, kind)
        if line is None:
            root = self.add(last, step, x.base.root)
            self.fold(trail, f"folded into the thresholds of {root.node}")
            self.fates[last] = f"MultiThreshold {len(step.starts)} x {step.starts.shape[1]}"
            return Scaled(root, layout, self.scales(layout, scale), bias)
        slope, shift = line
        self.fold(trail, f"folded into the scale of {user}")
        bias = combine(lambda b, k: b + scale * k, bias, Coded.of_array(shift, Real.of))
        return Scaled(x.base.root, layout, self.scales(layout, scale * slope), bias)

    @staticmethod
    def scales(layout: Layout, scale: Real) -> Coded:
        return Coded.uniform(scale, (layout.channels,))

    def graph(self, name: str, outputs: dict[str, Value]) -> Graph:
        """The integer graph as far as the outputs need it."""
        return Graph(self.inputs, tuple(self.nodes), outputs, name).without_dead_nodes()


def _regrouped(
    name: str, values: Coded, natural: tuple[int, ...], wanted: tuple[int, ...]
) -> Coded:
    """Numbers per channel of one shape as numbers per channel of another."""
    rows = np.broadcast_to(values.code, natural).reshape(-1, wanted[-1])
    if (rows != rows[0]).any():
        raise RefusedError(
            Problem(
                name,
                f"elements in a channel of {wanted} must have one scale and zero point",
                f"a {natural} stream in which they differ per channel",
                "give the quantiser in front one scale for all channels",
            )
        )
    return values.rearrange(lambda _: rows[0])

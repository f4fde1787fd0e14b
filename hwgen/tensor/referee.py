"""The referee: what a tensor graph means in real numbers; its ops evaluate themselves.

Constants and inputs are taken as stored, sums are exact, and each quantiser rounds once. Intervals
decide nearly every quantiser; the elements that they leave open are computed exactly, back to the
quantisers before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwgen.errors import InputError, ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.numerics import enclosed
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.exact import DomainError, UndecidedError
from hwgen.tensor.op import TensorType, require_op, require_shape


@dataclass(frozen=True, eq=False)
class Trace:
    """All values of a graph for some samples.

    Axis 0 of the arrays is the sample; the model's batch axis, which has length 1, is left out.
    """

    samples: int
    values: Mapping[Value, Enclosed]

    def floats(self, value: Value) -> np.ndarray:
        """The nearest float64 of every element (of irrational numbers within 2^-60, relatively)."""
        return self._per_sample(self.values[value].floats())

    def integers(self, value: Value) -> np.ndarray | None:
        """The integers n, or threshold counts, of a value that a Quant or MultiThreshold made
        (reshaped or transposed since); None for others."""
        n = self.values[value].quantised
        return None if n is None else self._per_sample(n)

    def _per_sample(self, x: np.ndarray) -> np.ndarray:
        x = np.broadcast_to(x, (self.samples, *x.shape[1:]))
        return x[:, 0] if x.ndim > 1 and x.shape[1] == 1 else x


def evaluate(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a tensor graph for each sample.

    Parameters
    ----------
    graph : Graph
        Ops of `hwgen.tensor`; inputs with a batch axis of length 1.
    inputs : mapping of input name to array, (N, shape without batch)
        Taken as the numbers that they hold, whatever the declared type.

    Returns
    -------
    dict of output name to float64 array, (N, shape without batch)

    Raises
    ------
    InputError
        An input is missing, has another shape or is not finite.
    ModelError
        An `Unsupported` node, an operation outside its domain, or a tie that cannot be decided;
        names the node.
    CheckError
        A node's op is no `TensorOp`, or does not give the shape that it promises.
    """
    found = trace(graph, inputs)
    return {name: found.floats(value) for name, value in graph.outputs.items()}


def trace(graph: Graph, inputs: Mapping[str, np.ndarray]) -> Trace:
    """As `evaluate`, with every value of the graph; raises the same."""
    values: dict[Value, Enclosed] = {}
    counts = set()
    for name, kind in graph.inputs.items():
        values[Value(name, "")] = _input(name, kind, inputs)
        counts.add(len(inputs[name]))
    if len(counts) > 1:
        raise InputError(f"inputs must have the same number of samples, not {sorted(counts)}")
    for node in graph:
        values[node.out] = _apply(node, [values[value] for value in node.inputs])
    return Trace(counts.pop() if counts else 1, values)


def _input(name: str, kind: TensorType, inputs: Mapping[str, np.ndarray]) -> Enclosed:
    if name not in inputs:
        raise InputError(f"input {name} is missing; given: {', '.join(inputs) or 'none'}")
    x = np.asarray(inputs[name])
    if kind.shape[:1] != (1,) or x.shape[1:] != kind.shape[1:]:
        wanted = ", ".join(map(str, kind.shape[1:]))
        raise InputError(f"input {name} must have shape (N, {wanted}), not {x.shape}")
    if not np.isfinite(x).all():
        raise InputError(f"input {name} must be finite; it holds NaN or infinity")
    return enclosed.stored(x[:, np.newaxis])


def _apply(node: Node, args: list[Enclosed]) -> Enclosed:
    require_op(node)
    try:
        result = node.op.evaluate(*args)
    except (DomainError, UndecidedError) as error:
        raise ModelError(f"{node.name}: {error}") from error
    require_shape(node, [x.shape[1:] for x in args], result.shape[1:])
    return result

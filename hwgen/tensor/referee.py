"""The referee: what a tensor graph means in real numbers.

Constants and inputs are taken as stored, sums are exact, and each quantiser rounds once. Intervals
decide nearly every quantiser; the elements that they leave open are computed exactly, back to the
quantisers before them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from hwgen.errors import InputError, ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.numerics import enclosed, functions, intervals, placement, windows
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.exact import DomainError, Real, UndecidedError
from hwgen.numerics.intervals import Interval
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.op import TensorType
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.unsupported import Unsupported


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
    """
    found = trace(graph, inputs)
    return {name: found.floats(value) for name, value in graph.outputs.items()}


def trace(graph: Graph, inputs: Mapping[str, np.ndarray]) -> Trace:
    """As `evaluate`, with every value of the graph."""
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
    if isinstance(node.op, Unsupported):
        raise ModelError(f"{node.name}: {node.op.what} cannot be evaluated: {node.op.reason}")
    try:
        return _OPS[type(node.op)](node.op, *args)
    except (DomainError, UndecidedError) as error:
        raise ModelError(f"{node.name}: {error}") from error


def _aligned(*args: Enclosed) -> list[Enclosed]:
    """As many axes for all: numpy aligns the last ones, samples stay first."""
    rank = max(len(x.shape) for x in args)

    def widened(x: Enclosed) -> Enclosed:
        ones = (1,) * (rank - len(x.shape))
        return x.rearrange(lambda a: a.reshape(a.shape[0], *ones, *a.shape[1:])) if ones else x

    return [widened(x) for x in args]


def _axis(axis: int) -> int:
    """The model's axis among all with the samples in front."""
    return axis if axis < 0 else axis + 1


def _parameter(values: np.ndarray) -> Enclosed:
    return enclosed.stored(np.asarray(values)[np.newaxis])


def _unary(op: Unary, x: Enclosed) -> Enclosed:
    return enclosed.sign(x) if op.fn == "sign" else enclosed.elementwise(op.fn, x)


def _quant(op: Quant, x: Enclosed) -> Enclosed:
    x, scale, zero_point = _aligned(x, _parameter(op.scale), _parameter(op.zero_point))
    bounds = intervals.quantise(
        x.bounds,
        scale=scale.bounds,
        zero_point=zero_point.bounds,
        lo=op.lo,
        hi=op.hi,
        rounding=op.rounding,
        round_first=op.round_first,
    )
    sources = [
        np.broadcast_to(np.arange(y.bounds.lo.size).reshape(y.shape), bounds.lo.shape)
        for y in (x, scale, zero_point)
    ]

    def decide(k: int) -> int:
        i, s, z = (int(source.flat[k]) for source in sources)
        return functions.quantise(
            x.exact(i),
            scale=scale.exact(s),
            zero_point=zero_point.exact(z),
            lo=op.lo,
            hi=op.hi,
            rounding=op.rounding,
            round_first=op.round_first,
        )

    return enclosed.grid(enclosed.decided(bounds, decide), scale, zero_point)


def _multi_threshold(op: MultiThreshold, x: Enclosed) -> Enclosed:
    table = np.sort(np.asarray(op.thresholds, dtype=float), axis=1)
    axis = _axis(op.axis) % len(x.shape)
    channel = np.arange(x.shape[axis]) if len(table) > 1 else np.zeros(x.shape[axis], dtype=int)
    row = channel.reshape(-1, *(1,) * (len(x.shape) - axis - 1))
    row = np.broadcast_to(row, x.shape)

    def count(bound: np.ndarray) -> np.ndarray:
        return intervals.reached(table, row, bound).astype(float)

    def decide(k: int) -> int:
        value = x.exact(k)
        return sum(value >= threshold for threshold in table[row.flat[k]].tolist())

    n = enclosed.decided(Interval(count(x.bounds.lo), count(x.bounds.hi)), decide)
    scale, ones = Real.of(op.out_scale), (1,) * len(x.shape)
    zero_point = enclosed.numbers([-Real.of(op.out_bias) / scale], ones)
    return enclosed.grid(n, enclosed.numbers([scale], ones), zero_point)


def _matmul(op: MatMul, x: Enclosed, y: Enclosed) -> Enclosed:
    row, column = len(x.shape) == 2, len(y.shape) == 2  # vectors in the model
    if row:
        x = x.rearrange(lambda a: a[:, np.newaxis])
    if column:
        y = y.rearrange(lambda a: a[..., np.newaxis])
    product = enclosed.matmul(*_aligned(x, y))
    if column:
        product = product.rearrange(lambda a: a[..., 0])
    if row:
        product = product.rearrange(lambda a: a.squeeze(-1 if column else -2))
    return product


def _softmax(op: Softmax, x: Enclosed) -> Enclosed:
    axis = _axis(op.axis)
    top = intervals.point(x.bounds.lo.max(axis=axis, keepdims=True))
    powers = intervals.apply("exp", intervals.apply("sub", x.bounds, top))
    slack = 2.0**-52 * (x.shape[axis] + 2)  # of a float64 sum of positive numbers
    total = Interval(
        powers.lo.sum(axis=axis, keepdims=True) * (1 - slack),
        powers.hi.sum(axis=axis, keepdims=True) * (1 + slack),
    )
    share = intervals.apply("div", powers, total)
    bounds = Interval(np.clip(share.lo, 0.0, 1.0), np.clip(share.hi, 0.0, 1.0))
    lines = np.moveaxis(np.arange(bounds.lo.size).reshape(x.shape), axis, -1)
    lines = lines.reshape(-1, x.shape[axis])
    line_of = np.empty(bounds.lo.size, dtype=np.int64)
    line_of[lines] = np.arange(len(lines))[:, np.newaxis]

    @cache
    def power(k: int) -> Real:
        return functions.apply("exp", x.exact(k))

    @cache
    def inverse(line: int) -> Real:
        return functions.total(power(k) for k in lines[line].tolist()).reciprocal()

    return Enclosed(bounds, lambda k: power(k) * inverse(int(line_of[k])))


def _argmax(op: ArgMax, x: Enclosed) -> Enclosed:
    axis = _axis(op.axis)
    bounds = x.bounds if op.largest else intervals.neg(x.bounds)
    lo, hi = np.moveaxis(bounds.lo, axis, -1), np.moveaxis(bounds.hi, axis, -1)
    able = hi >= lo.max(axis=-1, keepdims=True)
    first = able.argmax(axis=-1).astype(float)
    last = able.shape[-1] - 1.0 - able[..., ::-1].argmax(axis=-1)
    elements = np.moveaxis(np.arange(lo.size).reshape(x.shape), axis, -1)

    def decide(k: int) -> int:
        at = np.unravel_index(k, first.shape)
        best, value = -1, Real.of(0)
        for index in np.flatnonzero(able[at]).tolist():
            other = x.exact(int(elements[at][index]))
            if best < 0 or (other > value if op.largest else other < value):
                best, value = index, other
        return best

    n = enclosed.decided(Interval(first, last), decide)
    return enclosed.whole(np.expand_dims(n, axis) if op.keepdims else n)


def _slice(op: Slice, x: Enclosed) -> Enclosed:
    cuts = tuple(map(slice, op.starts, op.stops, op.steps))
    return x.rearrange(lambda a: a[:, *cuts])


def _repeat(op: Repeat, x: Enclosed) -> Enclosed:
    def repeated(a: np.ndarray) -> np.ndarray:
        for axis, factor in enumerate(op.factors, start=1):
            a = np.repeat(a, factor, axis=axis) if factor > 1 else a
        return a

    return x.rearrange(repeated)


_OPS: dict[type, Callable[..., Enclosed]] = {
    Constant: lambda op: _parameter(op.value),
    Quant: _quant,
    MultiThreshold: _multi_threshold,
    Unary: _unary,
    Binary: lambda op, x, y: enclosed.elementwise(op.fn, *_aligned(x, y)),
    MatMul: _matmul,
    Conv: windows.convolve,
    MaxPool: windows.max_pool,
    AveragePool: windows.average_pool,
    Mean: lambda op, x: windows.mean(tuple(map(_axis, op.axes)), op.keepdims, x),
    Pad: placement.pad,
    Dilate: placement.dilate,
    Concat: lambda op, *parts: placement.concatenate(_axis(op.axis), *parts),
    Slice: _slice,
    Repeat: _repeat,
    Reshape: lambda op, x: x.rearrange(lambda a: a.reshape(a.shape[0], *op.shape)),
    Transpose: lambda op, x: x.rearrange(lambda a: a.transpose(0, *(axis + 1 for axis in op.perm))),
    Softmax: _softmax,
    ArgMax: _argmax,
}

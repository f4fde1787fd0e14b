"""Products of a scaled integer with constant weights: integer products with exact scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.grid import WIDTH, common_scale, multiples
from hwgen.analysis.known import Known
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled
from hwgen.graph.ir import Value
from hwgen.integer.products import IntMatMul
from hwgen.numerics.exact import ZERO, Real
from hwgen.numerics.functions import total
from hwgen.problem import Problem


@dataclass(frozen=True, eq=False)
class Columns:
    """How the elements that a product sums lie in the natural shape.

    Parameters
    ----------
    channel : int array, (cols,)
        Channel that meets each row of the model's weight matrix.
    position : int array, (positions,)
        Natural position of each vector of the model, in the model's order.
    lead : tuple of int
        The model's axes in front of the summed one.
    """

    channel: np.ndarray
    position: np.ndarray
    lead: tuple[int, ...]


def multiply(asm: Assembly, name: str, x: Scaled, weights: Known, *, left: bool) -> Scaled:
    """x @ weights, or weights @ x if `left`, with the integers of x already in the graph.

    Raises
    ------
    ProblemError
    """
    matrix, index = _matrix(name, weights, x, left=left)
    columns = _columns(index, x.layout)
    if columns is None:
        x, columns = _in_blocks(asm, name, x, index)
    channels = x.layout.channels
    made = dense(asm, name, x.root, matrix, x.scale, x.bias, columns.channel)
    rows = made.rows
    out = columns.position[:, np.newaxis] * rows + np.arange(rows)
    out = out.reshape(*columns.lead, rows)
    if len(weights.shape) == 1:
        out = out[..., 0]
    elif left:
        out = out.swapaxes(-1, -2)
    asm.fates[name] = f"MatVec {rows}x{channels}"
    asm.fold(x.trail, f"folded into {made.root.node}")
    return Scaled(
        made.root, StreamLayout(out, (*x.layout.natural[:-1], rows)), made.scale, made.bias
    )


@dataclass(frozen=True, eq=False)
class Product:
    """A product in the integer graph, with the scale and the bias of each row."""

    root: Value
    scale: Coded
    bias: Coded

    @property
    def rows(self) -> int:
        return self.scale.shape[0]


def dense(
    asm: Assembly,
    name: str,
    root: Value,
    matrix: Coded,
    scale: Coded,
    bias: Coded,
    channel: np.ndarray,
) -> Product:
    """Sums over the channels of a stream.

    Parameters
    ----------
    matrix : Coded of Real, (cols, rows)
    scale, bias : Coded of Real, (channels,)
        Of the stream.
    channel : int array, (cols,)
        Channel of the stream that meets each column; one may meet several or none.

    Raises
    ------
    ProblemError
    """
    numbers, row_scale = _integers(name, matrix, scale.rearrange(lambda code: code[channel]))
    weights = np.zeros((numbers.shape[1], scale.shape[0]), np.int64)
    np.add.at(weights.T, channel, numbers)
    row_bias = _moved_bias(matrix, bias.rearrange(lambda code: code[channel]))
    offset = _popcount_offset(asm, root, weights)
    if offset.any():
        counts = Coded.of_array(offset, Real.of)
        row_bias = combine(lambda b, s, k: b - s * k, row_bias, row_scale, counts)
    return Product(asm.add(name, IntMatMul(weights, offset), root), row_scale, row_bias)


def _matrix(name: str, weights: Known, x: Scaled, *, left: bool) -> tuple[Coded, np.ndarray]:
    """Weights (cols, rows) and positions (..., cols)."""
    shape, index = weights.shape, x.layout.index
    if len(shape) > 2 and set(shape[:-2]) != {1}:
        raise ProblemError(
            Problem(
                name,
                "weights must be one matrix",
                f"a stack of the shape {shape}",
                "split the product into one MatMul per matrix",
            )
        )
    matrix = weights.reals.rearrange(
        lambda code: code[:, np.newaxis] if len(shape) == 1 else code.reshape(shape[-2:])
    )
    extra = max(len(shape) - index.ndim, 0)
    index = index.reshape(*(1,) * extra, *index.shape)
    if not left:
        return matrix, index
    if index.ndim < 2:
        index = index[:, np.newaxis]
    turned = matrix if len(shape) == 1 else matrix.rearrange(np.transpose)
    return turned, index.swapaxes(-1, -2)


def _columns(index: np.ndarray, layout: StreamLayout) -> Columns | None:
    """None if a product sums other elements than the channels of one position each."""
    lead = index.shape[:-1]
    rows = index.reshape(-1, index.shape[-1])
    position, channel = np.divmod(rows, layout.channels)
    positions = int(np.prod(layout.natural[:-1], dtype=np.int64))
    whole = (
        (position == position[:, :1]).all()
        and (channel == channel[:1]).all()
        and np.array_equal(np.sort(position[:, 0]), np.arange(positions))
    )
    return Columns(channel[0], position[:, 0], lead) if whole else None


def _in_blocks(asm: Assembly, name: str, x: Scaled, index: np.ndarray) -> tuple[Scaled, Columns]:
    """The stream in another shape, in which each row of `index` (..., cols) is one position.

    Raises
    ------
    ProblemError
        The elements of a row do not lie next to each other, in the same order for all rows.
    """
    size = index.shape[-1]
    count, rest = divmod(prod(x.layout.natural), size)
    natural = (count, size) if count > 1 else (size,)
    columns = _columns(index, StreamLayout(index, natural)) if rest == 0 else None
    if columns is None:
        raise ProblemError(
            Problem(
                name,
                "each product must sum whole neighbouring positions of its input, of "
                f"{x.layout.channels} channels each, in the same order",
                f"{size} elements that lie apart in a {x.layout.natural} stream",
                "sum over the channels, or flatten everything",
            )
        )
    return asm.reshape(name, x, natural), columns


def _integers(name: str, matrix: Coded, input_scale: Coded) -> tuple[np.ndarray, Coded]:
    """Weights times the scales of their columns, as integers (cols, rows) with a scale per row."""
    per_column = input_scale.rearrange(lambda code: code[:, np.newaxis])
    found = on_grid(combine(lambda w, s: w * s, matrix, per_column))
    if isinstance(found, tuple):
        return found
    if isinstance(on_grid(matrix), tuple):
        scales = input_scale.compact().palette
        raise ProblemError(
            Problem(
                name,
                "the scales of its input channels must be multiples of a common one by integers "
                f"of at most {WIDTH} bits, weights included",
                f"{len(scales)} scales between {float(min(scales)):.6g} and "
                f"{float(max(scales)):.6g}",
                "put a quantiser in front of it, with one scale for all channels",
            )
        )
    raise off_grid(name, matrix, found)


def off_grid(name: str, matrix: Coded, row: int) -> ProblemError:
    """Weights (cols, rows) of which one row has no grid."""
    return ProblemError(
        Problem(
            name,
            f"weights must lie on an integer grid of at most {WIDTH} bits",
            f"weights without a quantiser (row {row} has "
            f"{len(np.unique(matrix.code[:, row]))} different values)",
            "quantise the weights and export their quantiser with them",
        )
    )


def on_grid(matrix: Coded) -> tuple[np.ndarray, Coded] | int:
    """Integers (cols, rows) with one scale, else with one per row; the first row without a grid
    where there is none."""
    small = matrix.compact()
    rows = small.shape[1]
    scale = common_scale(small.palette)
    if scale is not None:
        return _divided(small.palette, scale)[small.code], Coded.uniform(scale, (rows,))
    result = np.empty(small.shape, np.int64)
    scales: list[Real] = []
    for r in range(rows):
        used, code = np.unique(small.code[:, r], return_inverse=True)
        values = [small.palette[k] for k in used.tolist()]
        scale = common_scale(values)
        if scale is None:
            return r
        result[:, r] = _divided(values, scale)[code]
        scales.append(scale)
    return result, shared(scales)


def _divided(values: Sequence[Real], scale: Real) -> np.ndarray:
    numbers = multiples(values, scale)
    assert numbers is not None, "a common scale divides its values"
    return np.array(numbers, np.int64)


def shared(values: Sequence[Real]) -> Coded:
    """A vector in which equal rationals share an entry."""
    known: dict[Fraction, Real] = {}
    return Coded.of_list([known.setdefault(x.fraction, x) if x.is_rational else x for x in values])


def _moved_bias(matrix: Coded, bias: Coded) -> Coded:
    """Sum over the columns of weight * input bias, per row."""
    rows = matrix.shape[1]
    if all(b.same(ZERO) for b in bias.compact().palette):
        return Coded.uniform(ZERO, (rows,))
    joint = matrix.code * len(bias.palette) + bias.code[:, np.newaxis]
    products: dict[int, Real] = {}
    sums = []
    for r in range(rows):
        terms, counts = np.unique(joint[:, r], return_counts=True)
        row = []
        for term, count in zip(terms.tolist(), counts.tolist(), strict=True):
            if term not in products:
                w, b = divmod(term, len(bias.palette))
                products[term] = matrix.palette[w] * bias.palette[b]
            row.append(products[term] * count)
        sums.append(total(row))
    return shared(sums)


def _popcount_offset(asm: Assembly, root: Value, weights: np.ndarray) -> np.ndarray:
    """For -1/+1 weights and 0/1 inputs the number of -1 per row: the result counts equal bits."""
    kind = asm.types[root]
    binary = kind.lo.min() >= 0 and kind.hi.max() <= 1 and (np.abs(weights) == 1).all()
    return (weights == -1).sum(axis=1) * int(binary)

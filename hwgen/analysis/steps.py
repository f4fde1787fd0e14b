"""Expressions of one integer as step functions: exact tables for the integer graph and the host."""

from collections.abc import Sequence

import numpy as np

from hwgen.analysis.closed_form import quantiser_steps
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.grid import level_grid, multiples
from hwgen.analysis.trees import map_parameters
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep
from hwgen.numerics.change_points import Pieces, change_points
from hwgen.numerics.exact import ZERO, Real
from hwgen.numerics.tail import (
    Apply,
    Const,
    Expr,
    Parameter,
    Quantise,
    StepCount,
    Var,
    evaluate,
)

MAX_LEVELS = 1024
"""Most integers of one channel that are evaluated one by one: the addresses of a dense table."""


def pieces(tree: Expr, x: IntTensor) -> list[Pieces]:
    """`change_points` on the range of each channel; channels with the same function and range are
    computed once."""
    parameters = _parameters(tree)
    first: dict[tuple[int, ...], int] = {}
    group = []
    for c, (lo, hi) in enumerate(zip(x.lo.tolist(), x.hi.tolist(), strict=True)):
        key = (lo, hi, *(id(entry) for entry in _row(parameters, c)))
        group.append(first.setdefault(key, c))
    chosen = np.array(sorted({*group}))
    found = change_points(
        map_parameters(tree, lambda rows: rows[chosen]), x.lo[chosen], x.hi[chosen]
    )
    place = {c: k for k, c in enumerate(chosen.tolist())}
    return [found[place[c]] for c in group]


def quantised_table(tree: Expr, x: IntTensor, scale: Coded, bias: Coded) -> IntStep:
    """The integers g of a tree whose values are scale * g + bias."""
    if isinstance(tree, Quantise):
        direct = _direct_table(tree, x, scale, bias)
        if direct is not None:
            return direct
    found = pieces(tree, x)
    known: dict[tuple[int, int, int], list[int]] = {}
    values = []
    for c, piece in enumerate(found):
        key = (id(piece), int(scale.code[c]), int(bias.code[c]))
        if key not in known:
            known[key] = _integers(piece, scale.item(c), bias.item(c))
        values.append(known[key])
    return table([piece.starts for piece in found], values, x)


def _direct_table(tree: Quantise, x: IntTensor, scale: Coded, bias: Coded) -> IntStep | None:
    """The same without a search, where the quantiser's integers are those wanted."""
    own, zero_point = (
        Coded.of_list(list(part)) if isinstance(part, np.ndarray) else Coded.uniform(part)
        for part in (tree.scale, tree.zero_point)
    )
    same = combine(
        lambda s, z, t, b: t.same(s) and (b + s * z).same(ZERO), own, zero_point, scale, bias
    )
    if not all(same.palette):
        return None
    found = quantiser_steps(tree, x)
    return found and table(*found, x)


def _integers(piece: Pieces, scale: Real, bias: Real) -> list[int]:
    if scale.is_rational and scale.sign() == 0:
        return [0] * len(piece.values)
    values = piece.values if bias.same(ZERO) else [value - bias for value in piece.values]
    numbers = multiples(values, scale)
    assert numbers is not None, "the values of a quantiser lie on its grid"
    return numbers


def level_table(tree: Expr, inner: Expr | None, x: IntTensor) -> tuple[IntStep, Real, Coded] | None:
    """A tree of few levels as integers with a scale and a bias per channel; None without a grid.

    Parameters
    ----------
    inner : Expr or None
        The last quantiser in the tree: between its change points the tree is constant. Without one,
        every integer of the range is evaluated.

    Raises
    ------
    ValueError
        More than `MAX_LEVELS` integers would have to be evaluated.
    """
    if inner is not None:
        changes = [piece.starts for piece in pieces(inner, x)]
    else:
        count = int((x.hi - x.lo).max()) + 1
        if count > MAX_LEVELS:
            raise ValueError(f"levels to tabulate must be at most {MAX_LEVELS}, not {count}")
        changes = [
            list(range(lo + 1, hi + 1)) for lo, hi in zip(x.lo.tolist(), x.hi.tolist(), strict=True)
        ]
    levels = [
        [evaluate(tree, n, c) for n in (int(x.lo[c]), *starts)] for c, starts in enumerate(changes)
    ]
    if not all(level.is_rational for channel in levels for level in channel):
        return None
    grid = level_grid(levels)
    if grid is None:
        return None
    scale, biases, numbers = grid
    return table(changes, numbers, x), scale, Coded.of_list(biases)


def table(
    starts: Sequence[Sequence[int]], values: Sequence[Sequence[int]], x: IntTensor
) -> IntStep:
    """The smallest IntStep: equal neighbours joined, short channels padded behind all ranges."""
    joined = [_joined(s, v) for s, v in zip(starts, values, strict=True)]
    count = max(len(s) for s, _ in joined)
    behind = max([int(x.hi.max()), *(s[-1] for s, _ in joined if s)]) + 1
    all_starts = np.empty((len(joined), count), np.int64)
    all_values = np.empty((len(joined), count + 1), np.int64)
    for c, (s, v) in enumerate(joined):
        all_starts[c] = [*s, *[behind] * (count - len(s))]
        all_values[c] = [*v, *[v[-1]] * (count - len(s))]
    return IntStep(all_starts, all_values)


def _joined(starts: Sequence[int], values: Sequence[int]) -> tuple[list[int], list[int]]:
    kept_starts: list[int] = []
    kept = [values[0]]
    for start, value in zip(starts, values[1:], strict=True):
        if kept_starts and kept_starts[-1] == start:  # the piece between them is empty
            kept_starts.pop()
            kept.pop()
        if value != kept[-1]:
            kept_starts.append(start)
            kept.append(value)
    return kept_starts, kept


def as_line(step: IntStep, x: IntTensor) -> tuple[int, np.ndarray] | None:
    """(slope, bias per channel) if the step is slope * x + bias[c] on the range, slope not 0."""
    slopes = set()
    bias = np.zeros(len(step.starts), np.int64)
    for c, (lo, hi) in enumerate(zip(x.lo.tolist(), x.hi.tolist(), strict=True)):
        if hi - lo > step.starts.shape[1]:
            return None
        at = np.arange(lo, hi + 1)
        y = step.values[c][np.searchsorted(step.starts[c], at, side="right")]
        slopes.update(np.diff(y).tolist())
        if len(slopes) > 1 or 0 in slopes:
            return None
        bias[c] = y[0]
    slope = slopes.pop() if slopes else 1
    return slope, bias - slope * x.lo


def _parameters(tree: Expr) -> list[Parameter]:
    """Everything in the tree that can differ per channel."""
    match tree:
        case Var():
            return []
        case Const(value):
            return [value]
        case Apply(_, args):
            return [parameter for arg in args for parameter in _parameters(arg)]
        case Quantise(arg, scale, zero_point):
            return [*_parameters(arg), scale, zero_point]
        case StepCount(arg, thresholds, out_scale, out_bias):
            return [*_parameters(arg), *_columns(thresholds), out_scale, out_bias]


def _columns(thresholds: np.ndarray) -> list[np.ndarray]:
    return list(thresholds.T) if len(thresholds) > 1 else []


def _row(parameters: list[Parameter], channel: int) -> list[Real]:
    return [p[channel] for p in parameters if isinstance(p, np.ndarray)]

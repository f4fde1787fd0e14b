"""Steps of a quantiser behind a clipped line, by division instead of search.

The commonest function between an integer and the next quantiser is a line with bounds (bias,
BatchNorm, Relu, Clip). Each change point is the quotient of two exact numbers; float64 decides all
that are not within its error of an integer, exact arithmetic the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from hwgen.integer.op import IntTensor
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.tail import Apply, Const, Expr, Parameter, Quantise, Var

MAX_LEVELS = 4096
"""Most levels of a quantiser; more are left to the search."""
ERROR = 2.0**-48
"""Bounds what float64 loses in two operations, relative to the largest number in them."""

Steps = tuple[list[int], list[int]]
"""Starts, and one more level."""
Rows = np.ndarray
"""Object array of Real, (channels,) or (1,)."""


@dataclass(frozen=True, eq=False)
class Line:
    """min(max(factor * n + shift, low), high) per channel; low or high None where unbounded."""

    factor: Rows
    shift: Rows
    low: Rows | None = None
    high: Rows | None = None

    def map(self, change: Callable[[Rows], Rows], factor: Rows) -> "Line":
        """`change` of the bounds, which does not turn them; `factor` replaces the factor."""
        low, high = (None if end is None else change(end) for end in (self.low, self.high))
        return Line(factor, change(self.shift), low, high)

    def times(self, factor: Rows) -> "Line | None":
        signs = {value.sign() for value in factor}
        if len(signs) > 1 or 0 in signs:
            return None
        found = self.map(lambda part: part * factor, self.factor * factor)
        if signs == {-1}:
            return Line(found.factor, found.shift, found.high, found.low)
        return found

    def clipped(self, fn: str, bound: Rows) -> "Line":
        """min or max with `bound`."""
        low, high = (None if end is None else CLIP[fn](end, bound) for end in (self.low, self.high))
        if fn == "max":
            low = bound if low is None else low
        else:
            high = bound if high is None else high
        return Line(self.factor, self.shift, low, high)


CLIP = {
    "min": np.frompyfunc(lambda a, b: a if a <= b else b, 2, 1),
    "max": np.frompyfunc(lambda a, b: a if a >= b else b, 2, 1),
}


def line_of(tree: Expr) -> Line | None:
    """The expression as a clipped line, if it is made like one."""
    if isinstance(tree, Var):
        return Line(rows_of(ONE), rows_of(ZERO))
    if not isinstance(tree, Apply):
        return None
    match tree.fn, tree.args:
        case "neg", (x,):
            inner = line_of(x)
            return inner and inner.times(rows_of(-ONE))
        case "relu", (x,):
            inner = line_of(x)
            return inner and inner.clipped("max", rows_of(ZERO))
        case ("add" | "mul" | "min" | "max") as fn, (Const(value), x) | (x, Const(value)):
            inner, number = line_of(x), rows_of(value)
            if inner is None or fn in CLIP:
                return inner and inner.clipped(fn, number)
            if fn == "mul":
                return inner.times(number)
            return inner.map(lambda part: part + number, inner.factor)
        case "sub", (x, Const(value)):
            inner, number = line_of(x), rows_of(value)
            return inner and inner.map(lambda part: part - number, inner.factor)
        case "div", (x, Const(value)):
            inner = line_of(x)
            return inner and inner.times(rows_of(ONE) / rows_of(value))
    return None


def crossing(rounding: str, k: Fraction) -> tuple[Fraction, bool]:
    """The least u that rounds to the integer k or more, and whether it does so itself: otherwise
    only what is greater does."""
    positive = k > 0
    half = k - Fraction(1, 2)
    match rounding:
        case "HALF_EVEN":
            return half, k % 2 == 0
        case "HALF_CEIL":
            return half, True
        case "HALF_UP":
            return half, positive
        case "HALF_DOWN":
            return half, not positive
        case "FLOOR":
            return k, True
        case "CEIL":
            return k - 1, False
        case "UP":
            return (k - 1, False) if positive else (k, True)
        case _:  # DOWN
            return (k, True) if positive else (k - 1, False)


@lru_cache(maxsize=64)
def _crossings(
    rounding: str, least: int, most: int
) -> tuple[list[tuple[Fraction, bool]], np.ndarray]:
    """`crossing` of the integers above `least` up to `most`, and the same in float64: most channels
    of a model share them."""
    cuts = [crossing(rounding, Fraction(k)) for k in range(least + 1, most + 1)]
    return cuts, np.array([float(u) for u, _ in cuts])


def quantiser_steps(tree: Quantise, x: IntTensor) -> tuple[list[list[int]], list[list[int]]] | None:
    """Starts and integers n of the quantiser, per channel; None if it is not that of a line.

    Channels with the same function get the same steps, on all of their ranges together.
    """
    line = line_of(tree.arg)
    if line is None or tree.lo is None or tree.hi is None or tree.hi - tree.lo > MAX_LEVELS:
        return None
    scale, zero_point = rows_of(tree.scale), rows_of(tree.zero_point)
    line = line.times(rows_of(ONE) / scale)
    if line is None or any(value.sign() == 0 for value in line.factor):
        return None
    moved = zero_point
    if not tree.round_first:
        line = line.map(lambda part: part + zero_point, line.factor)
        moved = rows_of(ZERO)
    channels = len(x.lo)
    factor, shift, zero = (
        np.broadcast_to(part, (channels,)) for part in (line.factor, line.shift, moved)
    )
    low, high = (
        [None] * channels if end is None else np.broadcast_to(end, (channels,))
        for end in (line.low, line.high)
    )
    rows = zip(factor, shift, low, high, zero, strict=True)
    kinds = [tuple(_identity(value) for value in row) for row in rows]
    ends: dict[tuple[object, ...], tuple[int, int]] = {}
    for kind, lo, hi in zip(kinds, x.lo.tolist(), x.hi.tolist(), strict=True):
        first, last = ends.get(kind, (lo, hi))
        ends[kind] = min(first, lo), max(last, hi)
    known: dict[tuple[object, ...], Steps | None] = {}
    for c, kind in enumerate(kinds):
        if kind not in known:
            bounds = low[c], high[c]
            known[kind] = _channel(tree, factor[c], shift[c], bounds, zero[c], ends[kind])
    found = [known[kind] for kind in kinds]
    if any(steps is None for steps in found):
        return None
    return [steps[0] for steps in found if steps], [steps[1] for steps in found if steps]


def _identity(value: Real | None) -> object:
    """Equal for equal rationals, and for the same number."""
    if value is None or value.q is None:
        return id(value)
    return int(value.q.p), int(value.q.q)


def _channel(
    q: Quantise,
    factor: Real,
    shift: Real,
    bounds: tuple[Real | None, Real | None],
    moved: Real,
    ends: tuple[int, int],
) -> Steps | None:
    """Starts and levels between both ends; None if float64 cannot decide enough."""
    (low, high), (first, last) = bounds, ends
    assert q.lo is not None and q.hi is not None
    zero = moved.round("FLOOR")
    least, most = q.lo - zero, q.hi - zero  # of what the rounding gives
    if low is not None:
        least = min(max(least, low.round(q.rounding)), most)
    if high is not None:
        most = max(min(most, high.round(q.rounding)), least)
    cuts, at = _crossings(q.rounding, least, most)
    a, b = float(factor), float(shift)
    place = (at - b) / a
    nearest = np.rint(place)
    margin = ERROR * ((np.abs(at) + abs(b)) / abs(a) + 1)
    inside = (nearest >= first - 1) & (nearest <= last + 1)
    if (margin > 0.25).any():
        return None
    rising = a > 0
    reached = np.ceil(place) if rising else np.floor(place)
    for k in np.flatnonzero(inside & (np.abs(place - nearest) <= margin)).tolist():
        n, (u, itself) = int(nearest[k]), cuts[k]
        side = (factor * n + shift).compare(u)
        there = side > 0 or (itself and side == 0)
        reached[k] = n if there else n + (1 if rising else -1)
    # level least + 1 + k from reached[k] on (rising), or up to it
    reached = np.clip(reached, first - 1, last + 1).astype(np.int64)
    if rising:
        begun = int((reached <= first).sum())
        starts = reached[(reached > first) & (reached <= last)].tolist()
        return starts, [zero + least + begun + k for k in range(len(starts) + 1)]
    drops = reached[::-1] + 1
    begun = int((drops > first).sum())
    starts = drops[(drops > first) & (drops <= last)].tolist()
    return starts, [zero + least + begun - k for k in range(len(starts) + 1)]


def rows_of(parameter: Parameter) -> Rows:
    if isinstance(parameter, np.ndarray):
        return parameter
    one = np.empty(1, object)
    one[0] = parameter
    return one

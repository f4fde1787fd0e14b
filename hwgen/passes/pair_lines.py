"""Steps of a sum of two integers as a line: factors for which there is one.

The factors of an integer graph order all pairs as its steps need, each step with a threshold of its
own. A line needs thresholds at equal distances, which may take larger factors in nearly the same
ratio. The ratios that have a line are an open interval: where one has none, two inequalities that
exclude each other tell on which side of it they may agree. So the simplest fraction between the
bounds that are known either has a line or moves one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from cores.steps.linear_fit import Bounds, Lines, line, together
from cores.types import IntType
from hwgen.integer.joins import IntAdd
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep

Line = tuple[int, int, int]
"""Slope, offset and shift."""


def fit_pairs(
    kinds: Sequence[IntTensor], add: IntAdd, step: IntStep, *, out: IntType, most: int
) -> tuple[np.ndarray, Lines] | None:
    """Factors (2, channels) and lines of their sums that equal the steps behind an addition.

    Proved over all pairs of integers within each channel's ranges.

    Parameters
    ----------
    kinds : pair of IntTensor
        What is added, few integers each.
    out : IntType
        What the steps of all channels make.
    most : int
        Largest factor, without its sign.

    Returns
    -------
    tuple or None
        None if some channel has no line.
    """
    known: dict[tuple[object, ...], tuple[tuple[int, int], Line]] = {}
    found: list[tuple[tuple[int, int], Line]] = []
    for c in range(add.factors.shape[1]):
        ends = tuple((int(kind.lo[c]), int(kind.hi[c])) for kind in kinds)
        factors = (int(add.factors[0, c]), int(add.factors[1, c]))
        offset, starts, values = int(add.offset[c]), step.starts[c], step.values[c]
        key = (ends, factors, offset, starts.tobytes(), values.tobytes())
        if key not in known:
            pairs, signs = _pairs(ends, factors, starts - offset, values, out)
            others = [tuple(map(abs, pair)) for pair, _ in known.values()]
            one = _search(pairs, [Fraction(a, b) for a, b in dict.fromkeys(others)], most)
            if one is None:
                return None
            (a, b), fitted = one
            known[key] = (a * signs[0], b * signs[1]), fitted
        found.append(known[key])
    return np.array([pair for pair, _ in found]).T, together([each for _, each in found])


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs of a channel, in the order of their results, with signs that make sums rise.

    Parameters
    ----------
    n, q : int64 array, (pairs,)
    first : int64 array, (levels,)
        The first pair that reaches each level.
    levels : int64 array
        All but the lowest.
    """

    n: np.ndarray
    q: np.ndarray
    first: np.ndarray
    levels: np.ndarray

    def bounds(self, a: int, b: int) -> Bounds:
        """What a rising line of a * n + b * q must satisfy."""
        x = a * self.n + b * self.q
        least = np.minimum.accumulate(x[::-1])[::-1]
        most = np.maximum.accumulate(x)
        reached, missed = self.first < len(x), self.first > 0
        lower = np.stack([least[self.first[reached]], self.levels[reached]], axis=1)
        upper = np.stack([most[self.first[missed] - 1], self.levels[missed]], axis=1)
        return Bounds(lower, upper)

    def apart(self, a: int, b: int, reached: int, missed: int) -> tuple[int, int, int]:
        """Differences (n, q, level) of the pairs that matter most at these factors: of those that
        reach one level the least, of those that miss the other one the greatest."""
        x = a * self.n + b * self.q
        first, second = (int(self.first[k - self.levels[0]]) for k in (reached, missed))
        low, high = first + int(x[first:].argmin()), int(x[:second].argmax())
        dn, dq = self.n[low] - self.n[high], self.q[low] - self.q[high]
        return int(dn), int(dq), reached - missed


def _pairs(
    ends: Sequence[tuple[int, int]],
    factors: tuple[int, int],
    starts: np.ndarray,
    values: np.ndarray,
    out: IntType,
) -> tuple[_Pairs, tuple[int, int]]:
    """Pairs of a channel, and the signs of their factors."""
    grid = np.meshgrid(*(np.arange(lo, hi + 1) for lo, hi in ends), indexing="ij")
    n, q = (axis.ravel() for axis in grid)
    sums = factors[0] * n + factors[1] * q
    y = values[np.searchsorted(starts, sums, side="right")]
    rise = 1 if y[sums.argmax()] >= y[sums.argmin()] else -1
    signs = (rise if factors[0] > 0 else -rise, rise if factors[1] > 0 else -rise)
    order = np.argsort(y, kind="stable")
    levels = np.arange(out.lo + 1, out.hi + 1)
    first = np.searchsorted(y[order], levels)
    return _Pairs(n[order] * signs[0], q[order] * signs[1], first, levels), signs


def _search(
    pairs: _Pairs, tried: Sequence[Fraction], most: int
) -> tuple[tuple[int, int], Line] | None:
    """Factors and their line: of the ratios tried, else of the simplest one that has a line."""
    low, high = Fraction(0), None
    waiting = list(tried)
    while True:
        ratio = waiting.pop(0) if waiting else simplest_between(low, high)
        if ratio <= low or (high is not None and ratio >= high):
            continue
        a, b = ratio.numerator, ratio.denominator
        if max(a, b) > most:
            return None
        bounds = pairs.bounds(a, b)
        side = _side(pairs, bounds, ratio) if len(bounds.lower) and len(bounds.upper) else 0
        if side is None:
            return None
        if side == 0:
            found = line(bounds)
            return None if found is None else ((a, b), found)
        low, high = (ratio, high) if side > 0 else (low, ratio)


def simplest_between(low: Fraction, high: Fraction | None) -> Fraction:
    """The fraction with the smallest terms strictly between two, or above one."""
    whole = floor(low)
    if high is None or whole + 1 < high:
        return Fraction(whole + 1)
    below = None if low == whole else 1 / (low - whole)
    return whole + 1 / simplest_between(1 / (high - whole), below)


def _side(pairs: _Pairs, bounds: Bounds, ratio: Fraction) -> int | None:
    """0 if there may be a line, else where: 1 above this ratio, -1 below it, None nowhere.

    Each pair that reaches a level and each that misses one give an inequality
    slope * (ratio * dn + dq) > dlevel. Two that exclude each other at this ratio are added so that
    the ratio has no part in the sum: what is left must be positive off this ratio.
    """
    a, b = ratio.numerator, ratio.denominator
    lower, upper = bounds.lower, bounds.upper
    dx = lower[:, None, 0] - upper[None, :, 0]
    dy = lower[:, None, 1] - upper[None, :, 1]

    def apart(index: int) -> tuple[int, int, int]:
        row, column = divmod(index, len(upper))
        return pairs.apart(a, b, int(lower[row, 1]), int(upper[column, 1]))

    same = (dx == 0) & (dy >= 0)
    if same.any():
        return _sign(apart(int(same.argmax()))[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = dy / dx
    least, most = np.where(dx > 0, slope, -np.inf), np.where(dx < 0, slope, np.inf)
    if max(least.max(), 0) < most.min():
        return 0
    dn, dq, _ = apart(int(most.argmin()))
    if most.min() <= 0:  # no rising line
        return _sign(dn)
    other_dn, other_dq, _ = apart(int(least.argmax()))
    weight, other = a * other_dn + b * other_dq, -(a * dn + b * dq)
    return _sign(weight * dn + other * other_dn)


def _sign(number: int) -> int | None:
    return (number > 0) - (number < 0) or None

"""Step functions that are a line in integers: clamp(floor((slope * x + offset) / 2**shift)), or
that with ties to even.

Two monotone step functions are equal exactly when they change at the same places. The line must
reach level y at the first input of that level, and stay below it one input earlier; each of these
is one linear inequality, so that a line is proved by as many comparisons as there are levels.

Where ties go to even, an odd level begins one input late: at the tie the line reaches it, with a
remainder less than the slope. A line is good if the remainder of every tie at an odd level is below
some power of two, and that of every other input of an odd level is not: bits tell them apart. These
are linear inequalities too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cores.types import IntType

MOST_SHIFT = 44
"""Largest shift that is tried, unless products of int64 end it earlier."""


@dataclass(frozen=True)
class Lines:
    """One line per channel, all with the same shift; results are clamped to lo..hi.

    Parameters
    ----------
    slopes, offsets : tuple of int
    shift : int
    late : int
        0, or a power of two: odd results with a remainder below it are one less. The offset
        contains half a step, and ties go to even.
    """

    slopes: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    late: int = 0


@dataclass(frozen=True, eq=False)
class Bounds:
    """What a line must satisfy.

    Inequalities slope * x + offset >= y * 2**shift for each of `lower`, and
    slope * x + offset < y * 2**shift for each of `upper`; rows of (x, y). Where ties go to even,
    `late` is added on the right side of an odd y.

    Parameters
    ----------
    lower, upper : int64 array, (inequalities, 2)
    rises : bool
        The steps go up.
    """

    lower: np.ndarray
    upper: np.ndarray
    rises: bool = True

    def slopes(self) -> tuple[float, float]:
        """Bounds of slope / 2**shift, of which floats may miss the ends."""
        dx = self.lower[:, None, 0] - self.upper[None, :, 0]
        dy = self.lower[:, None, 1] - self.upper[None, :, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = dy / dx
        least = ratio[dx > 0].max(initial=-np.inf)
        most = ratio[dx < 0].min(initial=np.inf)
        return float(least), float(most)

    def even_slopes(self) -> tuple[float, float]:
        """Those where ties go to even: if every odd level begins at a tie, else if any may."""
        step = 1 if self.rises else -1
        lower, upper = (
            np.stack([rows[:, 0] - step * (rows[:, 1] & 1), rows[:, 1]], axis=1)
            for rows in (self.lower, self.upper)
        )
        least, most = Bounds(lower, upper).slopes()
        return (least, most) if least < most else Bounds(self.lower, upper).slopes()

    def offset(self, slope: int, shift: int, *, late: int = 0) -> int | None:
        """An offset that satisfies all of them; None if there is none."""
        least, most = (
            (rows[:, 1] << shift) + (rows[:, 1] & 1) * late - slope * rows[:, 0]
            for rows in (self.lower, self.upper)
        )
        least, most = int(least.max()), int(most.min()) - 1
        if least > most:
            return None
        # The one with most trailing zeros is the cheapest to store.
        step = 1
        while step <= most - least:
            step *= 2
        step //= 2
        return -(-least // step) * step if step else least


def fit(dtype: IntType | Sequence[IntType], starts: np.ndarray, values: np.ndarray) -> Lines | None:
    """Lines equal to ``values[c, number of starts[c] not above x]`` for every x of `dtype`, clamped
    to the range of what is `reached`; None if some channel is none.

    Parameters
    ----------
    dtype : IntType, or one per channel
    starts : int64 array, (channels, K), ascending
    values : int64 array, (channels, K + 1)
    """
    lengths = (starts.shape, values.shape)
    return _fit(_each(dtype, starts), starts.tobytes(), values.tobytes(), lengths)


def _each(dtype: IntType | Sequence[IntType], rows: np.ndarray) -> tuple[IntType, ...]:
    return (dtype,) * len(rows) if isinstance(dtype, IntType) else tuple(dtype)


def reached(dtype: Sequence[IntType], starts: np.ndarray, values: np.ndarray) -> IntType:
    """The range of what those steps make of inputs of those ranges."""
    levels = [_reached(*rows)[1] for rows in zip(dtype, starts, values, strict=True)]
    return IntType(min(int(x.min()) for x in levels), max(int(x.max()) for x in levels))


@lru_cache(maxsize=256)
def _fit(
    dtypes: tuple[IntType, ...], starts: bytes, values: bytes, shapes: tuple[tuple[int, ...], ...]
) -> Lines | None:
    all_starts = np.frombuffer(starts, np.int64).reshape(shapes[0])
    all_values = np.frombuffer(values, np.int64).reshape(shapes[1])
    found: list[tuple[int, int, int]] = []
    for bounds in _all_bounds(dtypes, all_starts, all_values):
        one = line(bounds) if bounds is not None else None
        if one is None:
            return None
        found.append(one)
    return together(found)


def together(found: Sequence[tuple[int, int, int]]) -> Lines:
    """Slope, offset and shift of each channel, with one shift."""
    shift = max(each for _, _, each in found)
    return Lines(
        tuple(slope << shift - each for slope, _, each in found),
        tuple(offset << shift - each for _, offset, each in found),
        shift,
    )


def fit_shift(dtype: IntType, starts: np.ndarray, values: np.ndarray) -> Lines | None:
    """As `fit`, with slopes 1 and ties up or to even: the least shift that suits all channels."""
    channels = list(_all_bounds(_each(dtype, starts), starts, values))
    for shift in range(dtype.width + 1):
        for late in (0, 1) if shift else (0,):
            offsets = [
                None if bounds is None else bounds.offset(1, shift, late=late)
                for bounds in channels
            ]
            if None not in offsets:
                found = tuple(offset for offset in offsets if offset is not None)
                return Lines((1,) * len(found), found, shift, late)
    return None


def fit_even(
    dtype: IntType | Sequence[IntType], starts: np.ndarray, values: np.ndarray
) -> Lines | None:
    """As `fit`, with ties to even; the same bits of the remainder tell ties in all channels."""
    channels = list(_all_bounds(_each(dtype, starts), starts, values))
    slopes = [(0.0, 0.0) if each is None else each.even_slopes() for each in channels]
    if any(least >= most for least, most in slopes):
        return None
    limit = min(
        _most_shift(each, *ends) for each, ends in zip(channels, slopes, strict=True) if each
    )
    for shift in range(1, limit + 1):
        tried = [_candidates(*ends, shift) for ends in slopes]
        steepest = max((abs(slope) for each in tried for slope in each), default=0)
        for power in reversed(range(steepest.bit_length())):
            found = _evenly(channels, tried, shift, 1 << power)
            if found is not None:
                return found
    return None


def _evenly(
    channels: Sequence["Bounds | None"], tried: Sequence[Sequence[int]], shift: int, late: int
) -> Lines | None:
    """Of each channel the first slope for which there is an offset."""
    slopes, offsets = [], []
    for bounds, candidates in zip(channels, tried, strict=True):
        for slope in candidates:
            offset = None if bounds is None else bounds.offset(slope, shift, late=late)
            if offset is not None:
                slopes.append(slope)
                offsets.append(offset)
                break
        else:
            return None
    return Lines(tuple(slopes), tuple(offsets), shift, late)


def _all_bounds(
    dtypes: Sequence[IntType], starts: np.ndarray, values: np.ndarray
) -> Iterator[Bounds | None]:
    """Of each channel; None where its steps go up and down."""
    functions = [_reached(*rows) for rows in zip(dtypes, starts, values, strict=True)]
    lo = min(int(levels.min()) for _, levels in functions)
    hi = max(int(levels.max()) for _, levels in functions)
    return (
        _bounds(dtype, *steps, lo=lo, hi=hi) for dtype, steps in zip(dtypes, functions, strict=True)
    )


def _reached(
    dtype: IntType, starts: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First inputs and results of the steps that the range of inputs reaches."""
    first = np.concatenate([[dtype.lo], np.maximum(starts, dtype.lo)])
    last = np.concatenate([np.minimum(starts - 1, dtype.hi), [dtype.hi]])
    kept = first <= last
    return first[kept], values[kept]


def _bounds(
    dtype: IntType, places: np.ndarray, levels: np.ndarray, *, lo: int, hi: int
) -> Bounds | None:
    """What a line through the steps must satisfy; None if they go up and down."""
    change = np.diff(levels)
    if (change < 0).any() and (change > 0).any():
        return None
    before, after = places[1:] - 1, places[1:]
    if (change < 0).any():  # reached from above: the last input of each level counts
        lower = [*zip(before, levels[:-1], strict=True)]
        upper = [*zip(after, levels[1:] + 1, strict=True)]
        at_lo, at_hi = dtype.hi, dtype.lo
        first, last = levels[-1], levels[0]
    else:
        lower = [*zip(after, levels[1:], strict=True)]
        upper = [*zip(before, levels[:-1] + 1, strict=True)]
        at_lo, at_hi = dtype.lo, dtype.hi
        first, last = levels[0], levels[-1]
    if first > lo or not lower:
        lower.append((at_lo, first))
    if last < hi or not upper:
        upper.append((at_hi, last + 1))
    return Bounds(np.array(lower, np.int64), np.array(upper, np.int64), not (change < 0).any())


def line(bounds: Bounds) -> tuple[int, int, int] | None:
    """Slope, offset and the least shift that allows any; None if there is no line."""
    least, most = bounds.slopes()
    if least >= most:
        return None
    for shift in range(_most_shift(bounds, least, most) + 1):
        for slope in _candidates(least, most, shift):
            offset = bounds.offset(slope, shift)
            if offset is not None:
                return slope, offset, shift
    return None


def _most_shift(bounds: Bounds, least: float, most: float) -> int:
    """Largest shift for which sides of the inequalities stay within int64."""
    steepest = max((abs(end) for end in (least, most) if np.isfinite(end)), default=0.0) + 1e-9
    farthest, highest = (
        max(int(np.abs(rows[:, k]).max()) for rows in (bounds.lower, bounds.upper)) for k in (0, 1)
    )
    if not (np.isfinite(least) and np.isfinite(most)):
        steepest += 1
    return min(MOST_SHIFT, 61 - int(max(highest, np.ceil(farthest * steepest))).bit_length())


def _candidates(least: float, most: float, shift: int) -> Sequence[int]:
    """Slopes worth trying: those in the middle first, or the least steep where there is no end."""
    if least < 0 < most and not (np.isfinite(least) and np.isfinite(most)):
        return (0,)
    if most == np.inf:
        return tuple(int(np.floor(least * 2.0**shift)) + k for k in (1, 2))
    if least == -np.inf:
        return tuple(int(np.ceil(most * 2.0**shift)) - k for k in (1, 2))
    low, high = least * 2.0**shift, most * 2.0**shift
    middle = round((low + high) / 2)
    near = {middle, middle - 1, middle + 1, int(np.ceil(low)), int(np.floor(high))}
    return sorted((m for m in near if low - 1 <= m <= high + 1), key=lambda m: abs(m - middle))

"""Real numbers as unevaluated sums of two float64: about 106 bits with numpy alone.

Host edges compute in these so that a de-quantised output is the float32 nearest to the exact value
and a tie of a quantiser is seen as a tie.

Source
------
T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SPLIT = float(2**27 + 1)


@dataclass(frozen=True, eq=False)
class Pair:
    """`hi` + `lo`, with `hi` the float64 nearest to the sum; operators broadcast as numpy does."""

    hi: np.ndarray
    lo: np.ndarray

    @classmethod
    def of(cls, x: "Pair | np.ndarray") -> "Pair":
        if isinstance(x, Pair):
            return x
        array = np.asarray(x)
        hi = array.astype(np.float64)
        if array.dtype.kind in "iu":
            return cls(hi, (array - hi.astype(array.dtype)).astype(np.float64))
        return cls(hi, np.zeros_like(hi))

    def __neg__(self) -> "Pair":
        return Pair(-self.hi, -self.lo)

    def __add__(self, other: "Pair") -> "Pair":
        hi, error = _two_sum(self.hi, other.hi)
        low, low_error = _two_sum(self.lo, other.lo)
        hi, error = _quick_two_sum(hi, error + low)
        return Pair(*_quick_two_sum(hi, error + low_error))

    def __sub__(self, other: "Pair") -> "Pair":
        return self + -other

    def __mul__(self, other: "Pair") -> "Pair":
        hi, error = _two_product(self.hi, other.hi)
        return Pair(*_quick_two_sum(hi, error + (self.hi * other.lo + self.lo * other.hi)))

    def __truediv__(self, other: "Pair") -> "Pair":
        first = self.hi / other.hi
        rest = self - Pair.of(first) * other
        second = rest.hi / other.hi
        rest = rest - Pair.of(second) * other
        hi, lo = _quick_two_sum(first, second)
        return Pair(*_quick_two_sum(hi, lo + rest.hi / other.hi))

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "Pair":
        """The same rearrangement (reshape, transpose, indexing) of both parts."""
        return Pair(change(self.hi), change(self.lo))

    def where(self, condition: np.ndarray, other: "Pair") -> "Pair":
        """Elements of self where `condition` holds, else of `other`."""
        return Pair(np.where(condition, self.hi, other.hi), np.where(condition, self.lo, other.lo))

    def less(self, other: "Pair") -> np.ndarray:
        return (self.hi < other.hi) | ((self.hi == other.hi) & (self.lo < other.lo))

    def float64(self) -> np.ndarray:
        return self.hi

    def float32(self) -> np.ndarray:
        """The nearest float32, ties to even, decided on both parts."""
        # Rounding to odd first makes the second rounding see on which side of a tie the sum lies.
        even = np.ascontiguousarray(self.hi).view(np.int64).reshape(self.hi.shape) % 2 == 0
        toward = np.where(self.lo > 0, np.inf, -np.inf)
        nudge = (self.lo != 0) & even
        return np.where(nudge, np.nextafter(self.hi, toward), self.hi).astype(np.float32)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _quick_two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = a + b
    return total, b - (total - a)


def _split(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = _SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def round_to_integer(x: Pair, rounding: str) -> np.ndarray:
    """Nearest integers as float64 in one of the rounding modes of `hwgen.numerics.exact.ROUNDINGS`.

    Raises
    ------
    ValueError
        `rounding` is not the name of a mode.
    """
    whole = np.floor(x.hi)
    whole = whole + np.where(whole == x.hi, np.floor(x.lo), 0.0)
    part = x - Pair.of(whole)
    half = Pair.of(np.full_like(whole, 0.5))
    above, tie, some = half.less(part), part.hi == 0.5, part.hi > 0
    tie = tie & (part.lo == 0)
    negative = x.hi < 0
    match rounding:
        case "HALF_EVEN":
            up = above | (tie & (whole % 2 == 1))
        case "HALF_CEIL":
            up = above | tie
        case "HALF_UP":
            up = above | (tie & ~negative)
        case "HALF_DOWN":
            up = above | (tie & negative)
        case "CEIL":
            up = some
        case "FLOOR":
            up = np.zeros_like(some)
        case "UP":
            up = some & ~negative
        case "DOWN":
            up = some & negative
        case _:
            raise ValueError(
                "rounding must be HALF_EVEN, HALF_UP, HALF_DOWN, HALF_CEIL, CEIL, FLOOR, UP or "
                f"DOWN, not {rounding!r}"
            )
    return whole + up

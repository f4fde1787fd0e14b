"""Rigorous interval arithmetic on float64 arrays: every result holds the real value.

Bounds are moved outwards by one float after each operation unless it is known to be exact, so that
ties of short numbers (float32 constants, small integers) stay decidable. Infinite bounds mean
unbounded: 0 times an unbounded value is 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgen.numerics.exact import ROUNDINGS

SPLIT = 2.0**27 + 1  # Veltkamp's constant: x survives the split unchanged if it has <= 26 bits
SAFE_ULPS = 16
"""Widening of exp, log, tanh, erf and pow. numpy documents at most 4 ulp for its float64 loops; the
C library's functions, which it uses elsewhere, stay below 2."""
TINY = 1e-300
"""Below this a product may be subnormal, and no rounding argument holds."""


@dataclass(frozen=True, eq=False)
class Interval:
    """Two float64 arrays of one shape, lo <= hi."""

    lo: np.ndarray
    hi: np.ndarray

    def __getitem__(self, index: Any) -> "Interval":
        return Interval(self.lo[index], self.hi[index])


def point(values: Any) -> Interval:
    """Float64 numbers as intervals without width."""
    values = np.asarray(values, dtype=float)
    return Interval(values, values)


def down(x: np.ndarray) -> np.ndarray:
    return np.nextafter(x, -np.inf)


def up(x: np.ndarray) -> np.ndarray:
    return np.nextafter(x, np.inf)


def _bounds(lo: np.ndarray, hi: np.ndarray) -> Interval:
    """An interval; a bound that is not a number becomes infinite."""
    return Interval(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi))


def _short(x: np.ndarray) -> np.ndarray:
    """Whether x has at most 26 significant bits: then the product of two such numbers is exact."""
    big = x * SPLIT
    return big - (big - x) == x


def add(x: Interval, y: Interval) -> Interval:
    def error(a, b, s):  # Knuth's two-sum: a + b = s + error
        z = s - a
        return (a - (s - z)) + (b - z)

    lo, hi = x.lo + y.lo, x.hi + y.hi
    return _bounds(
        np.where(error(x.lo, y.lo, lo) >= 0, lo, down(lo)),
        np.where(error(x.hi, y.hi, hi) <= 0, hi, up(hi)),
    )


def neg(x: Interval) -> Interval:
    return Interval(-x.hi, -x.lo)


def sub(x: Interval, y: Interval) -> Interval:
    return add(x, neg(y))


def mul(x: Interval, y: Interval) -> Interval:
    def products(a, a_short, b, b_short):
        p = a * b
        zero = (a == 0) | (b == 0)
        exact = zero | (a_short & b_short & (np.abs(p) > TINY) & (np.abs(p) < np.inf))
        p = np.where(zero, 0.0, p)
        return np.where(exact, p, down(p)), np.where(exact, p, up(p))

    xs = [(bound, _short(bound)) for bound in ((x.lo,) if x.lo is x.hi else (x.lo, x.hi))]
    ys = [(bound, _short(bound)) for bound in ((y.lo,) if y.lo is y.hi else (y.lo, y.hi))]
    corners = [products(*a, *b) for a in xs for b in ys]
    lo, hi = corners[0]
    for other_lo, other_hi in corners[1:]:
        lo, hi = np.minimum(lo, other_lo), np.maximum(hi, other_hi)
    return _bounds(lo, hi)


def div(x: Interval, y: Interval) -> Interval:
    def quotients(a, b):
        q = a / b
        back = q * b
        exact = (a == 0) | (_short(q) & _short(b) & (back == a) & (np.abs(back) > TINY))
        return np.where(exact, q, down(q)), np.where(exact, q, up(q))

    xs = (x.lo,) if x.lo is x.hi else (x.lo, x.hi)
    ys = (y.lo,) if y.lo is y.hi else (y.lo, y.hi)
    corners = [quotients(a, b) for a in xs for b in ys]
    lo, hi = corners[0]
    for other_lo, other_hi in corners[1:]:
        lo, hi = np.minimum(lo, other_lo), np.maximum(hi, other_hi)
    unbounded = (y.lo <= 0) & (y.hi >= 0)
    return _bounds(np.where(unbounded, -np.inf, lo), np.where(unbounded, np.inf, hi))


def absolute(x: Interval) -> Interval:
    lo = np.maximum(0.0, np.maximum(x.lo, -x.hi))
    return Interval(lo, np.maximum(-x.lo, x.hi))


def minimum(x: Interval, y: Interval) -> Interval:
    return Interval(np.minimum(x.lo, y.lo), np.minimum(x.hi, y.hi))


def maximum(x: Interval, y: Interval) -> Interval:
    return Interval(np.maximum(x.lo, y.lo), np.maximum(x.hi, y.hi))


def sqrt(x: Interval) -> Interval:
    return _bounds(np.maximum(down(np.sqrt(x.lo)), 0.0), up(np.sqrt(x.hi)))


def _widened(lo: np.ndarray, hi: np.ndarray, least: float, most: float) -> Interval:
    """Values of a function computed within `SAFE_ULPS` ulp; its range is least..most."""
    margin = SAFE_ULPS * 2.0**-52
    lo = lo - np.abs(lo) * margin - TINY
    hi = hi + np.abs(hi) * margin + TINY
    return _bounds(np.maximum(lo, least), np.minimum(hi, most))


def _increasing(function: Callable[[Any], Any], least: float, most: float):
    return lambda x: _widened(function(x.lo), function(x.hi), least, most)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def _log(x: Interval) -> Interval:
    lo = np.log(np.maximum(x.lo, 0.0))
    return _widened(lo, np.log(x.hi), -np.inf, np.inf)


def power(x: Interval, y: Interval) -> Interval:
    """x ** y; unbounded where the base may be negative and the exponent is no fixed integer."""
    fixed = (y.lo == y.hi) & (y.lo == np.rint(y.lo)) & (np.abs(y.lo) < 2.0**31)
    odd = fixed & (np.rint(y.lo / 2) != y.lo / 2)
    size = absolute(x)
    corners = [np.power(a, b) for a in (size.lo, size.hi) for b in (y.lo, y.hi)]
    smallest, largest = np.minimum.reduce(corners), np.maximum.reduce(corners)
    result = _widened(smallest, largest, 0.0, np.inf)
    # odd powers keep the sign: increasing for y > 0; for y < 0 only where x does not change sign
    negative, mixed = x.hi <= 0, (x.lo < 0) & (x.hi > 0)
    growing = _widened(-np.power(-x.lo, y.lo), np.power(x.hi, y.lo), -np.inf, np.inf)
    lo = np.where(odd & negative, -result.hi, result.lo)
    hi = np.where(odd & negative, -result.lo, result.hi)
    lo, hi = np.where(odd & mixed, growing.lo, lo), np.where(odd & mixed, growing.hi, hi)
    open_ = ((x.lo < 0) & ~fixed) | ((x.lo <= 0) & (x.hi >= 0) & (y.lo < 0))
    return _bounds(np.where(open_, -np.inf, lo), np.where(open_, np.inf, hi))


_erf = np.frompyfunc(math.erf, 1, 1)

_FUNCTIONS: dict[str, Callable[..., Interval]] = {
    "relu": lambda x: Interval(np.maximum(x.lo, 0.0), np.maximum(x.hi, 0.0)),
    "sigmoid": _increasing(_sigmoid, 0.0, 1.0),
    "tanh": _increasing(np.tanh, -1.0, 1.0),
    "sqrt": sqrt,
    "exp": _increasing(np.exp, 0.0, np.inf),
    "log": _log,
    "abs": absolute,
    "neg": neg,
    "sign": lambda x: Interval(np.sign(x.lo), np.sign(x.hi)),
    "erf": _increasing(lambda x: np.asarray(_erf(x), dtype=float), -1.0, 1.0),
    "reciprocal": lambda x: div(point(1.0), x),
    "softplus": _increasing(_softplus, 0.0, np.inf),
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "pow": power,
    "min": minimum,
    "max": maximum,
}


def apply(fn: str, *args: Interval) -> Interval:
    """A function of `hwgen.numerics.functions.UNARY` or `BINARY`, with numpy broadcasting.

    Arguments outside the domain are not an error here: the result is unbounded or has a NaN-free
    bound.
    """
    with np.errstate(all="ignore"):
        return _FUNCTIONS[fn](*args)


def rounded(x: np.ndarray, mode: str) -> np.ndarray:
    """float64 rounded to integers by one of `hwgen.numerics.exact.ROUNDINGS`; increasing in x.

    Raises
    ------
    ValueError
        `mode` is none of them.
    """
    match mode:
        case "HALF_EVEN":
            return np.rint(x)
        case "FLOOR":
            return np.floor(x)
        case "CEIL":
            return np.ceil(x)
        case "DOWN":
            return np.trunc(x)
        case "UP":
            return np.copysign(np.ceil(np.abs(x)), x)
    size = np.abs(x)
    whole = np.floor(size)
    with np.errstate(invalid="ignore"):  # inf - inf
        rest = size - whole  # exact, unlike x - floor(x) of a small negative x
    match mode:
        case "HALF_UP":
            away = rest >= 0.5
        case "HALF_DOWN":
            away = rest > 0.5
        case "HALF_CEIL":
            away = (rest > 0.5) | ((rest == 0.5) & (x > 0))
        case _:
            raise ValueError(f"rounding must be one of {', '.join(ROUNDINGS)}, not {mode!r}")
    return np.copysign(whole + away, x)


def quantise(
    x: Interval,
    *,
    scale: Interval,
    zero_point: Interval,
    lo: int | None,
    hi: int | None,
    rounding: str,
    round_first: bool,
) -> Interval:
    """Least and greatest integer n of a `hwgen.tensor.quantisers.Quant`, as float64."""
    n = apply("div", x, scale)
    if not round_first:
        n = apply("add", n, zero_point)
    n = Interval(rounded(n.lo, rounding), rounded(n.hi, rounding))
    if round_first:
        n = apply("add", n, zero_point)
    least, most = -np.inf if lo is None else lo, np.inf if hi is None else hi
    return Interval(np.clip(n.lo, least, most), np.clip(n.hi, least, most))


def reached(table: np.ndarray, row: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How many entries of the ascending table[row] are <= x, for each x (binary search)."""
    count = table.shape[1]
    found = np.zeros(np.broadcast(row, x).shape, dtype=np.int64)
    for step in reversed([1 << k for k in range(count.bit_length())]):
        trial = found + step
        inside = trial <= count
        found += step * (inside & (table[row, np.minimum(trial, count) - 1] <= x))
    return found

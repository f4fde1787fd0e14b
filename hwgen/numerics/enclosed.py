"""Arrays of real numbers: float64 enclosures of all elements, exact numbers of single ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from hwgen.numerics import functions, intervals
from hwgen.numerics.exact import ONE, DomainError, Real
from hwgen.numerics.intervals import Interval

LARGEST = 2.0**53
"""Integers up to here are exact in float64."""
MAX_SCALES = 1 << 16
"""Most different scales that `Multiples` keeps."""


@dataclass(frozen=True, eq=False)
class Multiples:
    """Real numbers n * scales[code], n integers.

    Parameters
    ----------
    n : float64 array
        Within +- `LARGEST`.
    code : int array, same shape
    scales : sequence of Real
    """

    n: np.ndarray
    code: np.ndarray
    scales: Sequence[Real]

    def exact(self, k: int) -> Real:
        return Real.of(int(self.n.flat[k])) * self.scales[self.code.flat[k]]

    def bounds(self) -> Interval:
        lo, hi = np.array([scale.enclosure() for scale in self.scales]).T
        if len(self.scales) > 1:
            lo, hi = lo[self.code], hi[self.code]
        return intervals.apply("mul", intervals.point(self.n), Interval(lo, hi))


@dataclass(frozen=True, eq=False)
class Enclosed:
    """An array of real numbers.

    Parameters
    ----------
    bounds : Interval
        Holds every element.
    exact : function of int
        Element k in row-major order, exactly.
    multiples : Multiples or None
        The same numbers in that form, where it is known.
    quantised : int64 array or None
        The integers of the quantiser that made the numbers.
    """

    bounds: Interval
    exact: Callable[[int], Real]
    multiples: Multiples | None = None
    quantised: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.bounds.lo.shape

    def rearrange(self, change: Callable[[np.ndarray], np.ndarray]) -> "Enclosed":
        """Other order, or repetition, of the elements; `change` does it to any array of this
        shape."""
        if self.multiples is not None:
            m = self.multiples
            moved = of_multiples(Multiples(change(m.n), change(m.code), m.scales))
        else:
            source = change(np.arange(self.bounds.lo.size).reshape(self.shape))
            bounds = Interval(change(self.bounds.lo), change(self.bounds.hi))
            moved = Enclosed(bounds, lambda k: self.exact(int(source.flat[k])))
        return moved if self.quantised is None else replace(moved, quantised=change(self.quantised))

    def floats(self) -> np.ndarray:
        """float64 of every element, from exact numbers where the enclosure is not a point."""
        result = self.bounds.lo.copy()
        flat = result.reshape(-1)
        for k in np.flatnonzero(self.bounds.lo != self.bounds.hi):
            flat[k] = float(self.exact(int(k)))
        return result


def of_multiples(m: Multiples, quantised: np.ndarray | None = None) -> Enclosed:
    return Enclosed(m.bounds(), m.exact, m, quantised)


def stored(values: Any) -> Enclosed:
    """Numbers of the model or of an input, as they are."""
    values = np.asarray(values)
    as_float = values.astype(float)
    if values.dtype.kind in "iub":
        if np.abs(as_float).max(initial=0) < LARGEST:
            return whole(as_float)
        bounds = Interval(intervals.down(as_float), intervals.up(as_float))
        return Enclosed(bounds, lambda k: Real.of(values.flat[k]))
    return Enclosed(intervals.point(as_float), lambda k: Real.of(as_float.flat[k]))


def parameter(values: Any) -> Enclosed:
    """A constant of the model, the same for all samples: axis 0 in front of its own."""
    return stored(np.asarray(values)[np.newaxis])


def aligned(*args: Enclosed) -> list[Enclosed]:
    """As many axes for all: numpy aligns the last ones, samples stay first."""
    rank = max(len(x.shape) for x in args)

    def widened(x: Enclosed) -> Enclosed:
        ones = (1,) * (rank - len(x.shape))
        return x.rearrange(lambda a: a.reshape(a.shape[0], *ones, *a.shape[1:])) if ones else x

    return [widened(x) for x in args]


def numbers(values: Sequence[Real], shape: tuple[int, ...]) -> Enclosed:
    """Exact numbers in row-major order."""
    lo, hi = np.array([value.enclosure() for value in values]).reshape(-1, 2).T
    return Enclosed(Interval(lo.reshape(shape), hi.reshape(shape)), values.__getitem__)


def whole(n: np.ndarray, quantised: np.ndarray | None = None) -> Enclosed:
    """Integers, given as float64."""
    return of_multiples(Multiples(n, np.zeros(n.shape, dtype=np.int32), (ONE,)), quantised)


def grid(n: np.ndarray, scale: Enclosed, zero_point: Enclosed) -> Enclosed:
    """(n - zero_point) * scale of a quantiser's integers n, given as float64."""
    zp = zero_point.bounds
    fits = scale.bounds.lo.size <= MAX_SCALES and (np.abs(n) + np.abs(zp.lo) < LARGEST / 2).all()
    for fine in (1, 2):  # half-integer zero points: of bipolar quantisers
        if fits and (zp.lo == zp.hi).all() and (fine * zp.lo % 1 == 0).all():
            scales = [scale.exact(k) / fine for k in range(scale.bounds.lo.size)]
            code = np.broadcast_to(np.arange(len(scales)).reshape(scale.shape), n.shape)
            m = Multiples(fine * (n - zp.lo), code, scales)
            return of_multiples(m, n.astype(np.int64))
    offset = elementwise("sub", whole(n), zero_point)
    return replace(elementwise("mul", offset, scale), quantised=n.astype(np.int64))


def elementwise(fn: str, *args: Enclosed) -> Enclosed:
    """A function of `hwgen.numerics.functions.UNARY` or `BINARY`, with numpy broadcasting."""
    kept = _scaled(fn, *args)
    if kept is not None:
        return of_multiples(kept)
    bounds = intervals.apply(fn, *(x.bounds for x in args))
    sources = [
        np.broadcast_to(np.arange(x.bounds.lo.size).reshape(x.shape), bounds.lo.shape) for x in args
    ]

    @cache
    def exact(k: int) -> Real:
        return functions.apply(
            fn, *(x.exact(int(s.flat[k])) for x, s in zip(args, sources, strict=True))
        )

    return Enclosed(bounds, exact)


def _scaled(fn: str, x: Enclosed, y: Enclosed | None = None) -> Multiples | None:
    """Integers on grids where only the scales change, or negative ones become 0."""
    m = x.multiples
    if m is None:
        return None
    if fn == "neg":
        return Multiples(m.n, m.code, [-scale for scale in m.scales])
    if fn == "relu" and all(scale > 0 for scale in m.scales):
        return Multiples(np.maximum(m.n, 0.0), m.code, m.scales)
    if fn not in ("mul", "div") or y is None or y.bounds.lo.size > 1:
        return None
    if len(y.shape) > len(x.shape):
        return None
    factor = y.exact(0)
    if fn == "div" and factor == 0:
        return None
    scales = [scale * factor if fn == "mul" else scale / factor for scale in m.scales]
    return Multiples(m.n, m.code, scales)


def sign(x: Enclosed) -> Enclosed:
    """-1, 0 or 1 of every element, decided."""
    n = intervals.apply("sign", x.bounds)
    return whole(decided(n, lambda k: x.exact(k).sign()))


def decided(n: Interval, decide: Callable[[int], int]) -> np.ndarray:
    """Integers as float64: those that the bounds leave open by `decide` (element number).

    Raises
    ------
    DomainError
        An integer is too large for float64.
    """
    result = n.lo.copy()
    for k in np.flatnonzero((n.lo != n.hi) | (np.abs(n.lo) > LARGEST)):
        result.flat[k] = value = decide(int(k))
        if abs(value) > LARGEST:
            raise DomainError(f"integers must lie within +- 2^53, not {value}")
    return result


def matmul(x: Enclosed, y: Enclosed) -> Enclosed:
    """numpy's matmul; both have at least two axes."""
    if x.multiples is not None and y.multiples is not None:
        sums = _integer_matmul(x.multiples, y.multiples)
        if sums is not None:
            return of_multiples(sums)
    bounds = bilinear(x.bounds, y.bounds, x.shape[-1], product)
    batch = bounds.lo.shape[:-2]
    rows = np.arange(x.bounds.lo.size).reshape(x.shape)
    rows = np.broadcast_to(rows, (*batch, *x.shape[-2:]))
    columns = np.arange(y.bounds.lo.size).reshape(y.shape)
    columns = np.broadcast_to(columns, (*batch, *y.shape[-2:]))

    @cache
    def exact(k: int) -> Real:
        *at, row, column = np.unravel_index(k, bounds.lo.shape)
        left, right = rows[*at, row], columns[*at, :, column]
        pairs = zip(left.tolist(), right.tolist(), strict=True)
        return functions.total(x.exact(a) * y.exact(b) for a, b in pairs)

    return Enclosed(bounds, exact)


def _integer_matmul(x: Multiples, y: Multiples) -> Multiples | None:
    """The product where each row of x and each column of y has one scale and sums are exact."""
    largest = x.n.shape[-1] * np.abs(x.n).max(initial=0) * np.abs(y.n).max(initial=0)
    rows, columns = x.code[..., :1], y.code[..., :1, :]
    scales = len(x.scales) * len(y.scales)
    if largest > LARGEST or scales > MAX_SCALES:
        return None
    if (x.code != rows).any() or (y.code != columns).any():
        return None
    n = product(x.n, y.n)
    code = np.broadcast_to(rows * len(y.scales) + columns, n.shape)
    return Multiples(n, code, [a * b for a in x.scales for b in y.scales])


def bilinear(
    x: Interval, y: Interval, terms: int, product: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Interval:
    """Sums of products, by midpoints and radii.

    Parameters
    ----------
    terms : int
        Most products in a sum. float64 sums of K products are off by at most K ulp of the sum of
        the absolute values, in any order (Higham, Accuracy and Stability, 3.5).
    product : function of two float64 arrays
        The sums, rounded in any order.
    """
    with np.errstate(all="ignore"):
        (mx, rx), (my, ry) = middle(x), middle(y)
        size, error = np.abs(mx), (terms + 4) * 2.0**-52
        radius = error * product(size, np.abs(my))
        if ry.any():
            radius = radius + product(size + rx, ry)
        if rx.any():
            radius = radius + product(rx, np.abs(my))
        radius = radius * (1 + 2 * error) + intervals.TINY
        centre = product(mx, my)
        lo, hi = intervals.down(centre - radius), intervals.up(centre + radius)
    return Interval(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi))


def middle(x: Interval) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and radii that cover x."""
    centre = x.lo / 2 + x.hi / 2
    radius = np.where(x.lo == x.hi, 0.0, intervals.up(np.maximum(centre - x.lo, x.hi - centre)))
    return centre, radius


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """numpy's matmul, as one product where y is the same for all samples."""
    if y.ndim > 2 and all(length == 1 for length in y.shape[:-2]):
        return (x.reshape(-1, x.shape[-1]) @ y.reshape(y.shape[-2:])).reshape(
            *x.shape[:-1], y.shape[-1]
        )
    return x @ y

"""Convolution, pooling and means of arrays of real numbers.

Arrays have axes (samples, batch of length 1, channels, *space). Where the numbers are integers on
grids, sums are exact in float64; else midpoints and radii bound them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, reduce
from itertools import product
from math import prod

import numpy as np

from hwgen.numerics import enclosed, functions, intervals
from hwgen.numerics.enclosed import LARGEST, MAX_SCALES, Enclosed, Multiples, of_multiples
from hwgen.numerics.exact import DomainError, Real
from hwgen.numerics.intervals import Interval


@dataclass(frozen=True)
class Kernel:
    """Where a kernel meets its input (..., *space); one entry per spatial axis.

    Parameters
    ----------
    size, strides, dilations : tuple of int
    pads : tuple of (int, int)
        Before and after.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]


def taps(x: np.ndarray, kernel: Kernel, fill: float) -> Iterator[np.ndarray]:
    """For each tap of the kernel, in row-major order: what it sees at all kernel positions.

    Parameters
    ----------
    x : array, (..., *space)
    fill : what padding holds

    Yields
    ------
    array, (..., *out)
    """
    lead = x.ndim - len(kernel.size)
    x = np.pad(x, [(0, 0)] * lead + list(kernel.pads), constant_values=fill)
    rows = list(zip(x.shape[lead:], kernel.size, kernel.strides, kernel.dilations, strict=True))
    out = [(size - d * (k - 1) - 1) // stride + 1 for size, k, stride, d in rows]
    for tap in np.ndindex(*kernel.size):
        cuts = [
            slice(t * d, t * d + (n - 1) * stride + 1, stride)
            for t, n, (_, _, stride, d) in zip(tap, out, rows, strict=True)
        ]
        yield x[(..., *cuts)]


def convolve(kernel: Kernel, groups: int, x: Enclosed, w: Enclosed) -> Enclosed:
    """The convolution of x with weights (1, outputs, channels / groups, *kernel).

    Raises
    ------
    DomainError
        The weights are not the same for all samples.
    """
    if w.shape[0] != 1:
        raise DomainError("weights of a convolution must not depend on the input")

    def sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return _correlate(kernel, groups, a[:, 0], b[0])[:, np.newaxis]

    if x.multiples is not None and w.multiples is not None:
        whole = _integer_sums(kernel, groups, x.multiples, w.multiples)
        if whole is not None:
            return of_multiples(whole)
    bounds = enclosed.bilinear(x.bounds, w.bounds, prod(w.shape[2:]), sums)
    inner, per_group = w.shape[2], w.shape[1] // groups
    channels, space = x.shape[2], x.shape[3:]
    area, spot = prod(space), prod(kernel.size)

    @cache
    def exact(k: int) -> Real:
        sample, _, output, *at = (int(n) for n in np.unravel_index(k, bounds.lo.shape))
        places = _under(kernel, space, at)
        first = sample * channels + output // per_group * inner
        pairs = (
            (x.exact((first + channel) * area + place), (output * inner + channel) * spot + tap)
            for channel in range(inner)
            for tap, place in places
        )
        return functions.total(value * w.exact(weight) for value, weight in pairs)

    return Enclosed(bounds, exact)


def _correlate(kernel: Kernel, groups: int, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """float64 sums of x (samples, channels, *space) with w (outputs, channels / groups, *kernel);
    one matrix product per tap."""
    inner = w.shape[1]
    weights = w.reshape(groups, -1, inner, prod(kernel.size))
    total, out = np.zeros(()), ()
    for index, part in enumerate(taps(x, kernel, 0.0)):
        out = part.shape[2:]
        part = part.reshape(len(x), groups, inner, -1)
        factor = np.ascontiguousarray(weights[..., index])
        total = total + (factor * part if inner == 1 else factor @ part)
    return total.reshape(len(x), len(w), *out)


def _integer_sums(kernel: Kernel, groups: int, x: Multiples, w: Multiples) -> Multiples | None:
    """The sums where each group of x and each output's weights have one scale."""
    outputs = w.n.shape[1]
    sizes = np.abs(w.n).reshape(outputs, -1).sum(axis=1)
    scales = len(x.scales) * len(w.scales)
    if np.abs(x.n).max(initial=0) * sizes.max(initial=0) > LARGEST or scales > MAX_SCALES:
        return None
    parts = x.code.reshape(len(x.code), groups, -1)
    rows = w.code.reshape(outputs, -1)
    if (parts != parts[..., :1]).any() or (rows != rows[:, :1]).any():
        return None
    n = _correlate(kernel, groups, x.n[:, 0], w.n[0])[:, np.newaxis]
    code = np.repeat(parts[..., 0], outputs // groups, axis=1) * len(w.scales) + rows[:, 0]
    code = code.reshape(len(code), 1, outputs, *(1,) * (n.ndim - 3))
    products = [a * b for a in x.scales for b in w.scales]
    return Multiples(n, np.broadcast_to(code, n.shape), products)


def max_pool(kernel: Kernel, x: Enclosed) -> Enclosed:
    """The largest element under each kernel position of x (samples, 1, channels, *space); padding
    never wins."""

    def largest(a: np.ndarray) -> np.ndarray:
        seen = taps(a, kernel, -np.inf)
        result = next(seen).copy()
        for part in seen:
            np.maximum(result, part, out=result)
        return result

    m = x.multiples
    code = None if m is None else _one_code(m, _space(x))
    if m is not None and code is not None and all(scale > 0 for scale in m.scales):
        n = largest(m.n)
        return of_multiples(Multiples(n, np.broadcast_to(code, n.shape), m.scales))
    bounds = Interval(largest(x.bounds.lo), largest(x.bounds.hi))

    @cache
    def exact(k: int) -> Real:
        able = (
            a
            for a in _elements(kernel, x, bounds.lo.shape, k)
            if x.bounds.hi.flat[a] >= bounds.lo.flat[k]
        )
        return reduce(lambda best, other: functions.apply("max", best, other), map(x.exact, able))

    return Enclosed(bounds, exact)


def average_pool(kernel: Kernel, include_pad: bool, x: Enclosed) -> Enclosed:
    """The mean under each kernel position of x (samples, 1, channels, *space); padding counts as
    zeros if `include_pad`, else not at all."""

    def total(a: np.ndarray) -> np.ndarray:
        return sum(taps(a, kernel, 0.0), np.zeros(()))

    inside = total(np.ones(x.shape[3:]))
    counts = np.full(inside.shape, float(prod(kernel.size))) if include_pad else inside
    result = (*x.shape[:3], *inside.shape)
    return _shared(
        x, total, counts, prod(kernel.size), _space(x), lambda k: _elements(kernel, x, result, k)
    )


def mean(axes: tuple[int, ...], keepdims: bool, x: Enclosed) -> Enclosed:
    """Over axes of the arrays themselves."""
    terms = prod(x.shape[axis] for axis in axes)

    def total(a: np.ndarray) -> np.ndarray:
        return a.sum(axis=axes, keepdims=True)

    ends = tuple(range(-len(axes), 0))
    lines = np.moveaxis(np.arange(x.bounds.lo.size).reshape(x.shape), axes, ends)
    lines = lines.reshape(-1, terms)
    counts = np.array(float(terms))
    whole = _shared(x, total, counts, terms, axes, lambda k: lines[k].tolist())
    return whole if keepdims else whole.rearrange(lambda a: a.squeeze(axes))


def _shared(
    x: Enclosed,
    total: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
    terms: int,
    axes: tuple[int, ...],
    elements: Callable[[int], list[int]],
) -> Enclosed:
    """Sums divided by counts.

    Parameters
    ----------
    total : function of array
        The sums of float64 numbers.
    counts : array
        Broadcasts against the sums.
    terms : int
        Most numbers in a sum.
    axes : tuple of int
        Within which the sums lie.
    elements : function of int
        The elements of x that a sum is made of.
    """
    m = x.multiples
    code = None if m is None else _one_code(m, axes)
    different, which = np.unique(counts, return_inverse=True)
    if (
        m is not None
        and code is not None
        and terms * np.abs(m.n).max(initial=0) <= LARGEST
        and len(m.scales) * len(different) <= MAX_SCALES
    ):
        n = total(m.n)
        both = code * len(different) + which.reshape(counts.shape)
        scales = [scale / int(count) for scale in m.scales for count in different]
        return of_multiples(Multiples(n, np.broadcast_to(both, n.shape), scales))
    middle, radius = enclosed.middle(x.bounds)
    error = (terms + 4) * 2.0**-52
    with np.errstate(all="ignore"):
        sums = total(middle)
        spread = (total(radius) + error * total(np.abs(middle))) * (1 + 2 * error) + intervals.TINY
        lo, hi = intervals.down(sums - spread), intervals.up(sums + spread)
    sums = Interval(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi))
    bounds = intervals.apply("div", sums, intervals.point(counts))
    every = np.broadcast_to(counts, bounds.lo.shape)

    @cache
    def exact(k: int) -> Real:
        return functions.total(x.exact(a) for a in elements(k)) / int(every.flat[k])

    return Enclosed(bounds, exact)


def _space(x: Enclosed) -> tuple[int, ...]:
    return tuple(range(3, len(x.shape)))


def _one_code(m: Multiples, axes: tuple[int, ...]) -> np.ndarray | None:
    """The codes with length 1 along `axes`, where they do not change there."""
    first = m.code
    for axis in axes:
        first = first.take([0], axis=axis)
    return first if (m.code == first).all() else None


def _elements(kernel: Kernel, x: Enclosed, result: tuple[int, ...], k: int) -> list[int]:
    """The elements of x that element k of a pooling result sees."""
    sample, _, channel, *at = (int(n) for n in np.unravel_index(k, result))
    space = x.shape[3:]
    first = (sample * x.shape[2] + channel) * prod(space)
    return [first + place for _, place in _under(kernel, space, at)]


def _under(kernel: Kernel, space: tuple[int, ...], at: list[int]) -> list[tuple[int, int]]:
    """Tap and place in the input, both in row-major order, where the kernel at one position lies
    on the input."""
    rows = zip(kernel.size, space, at, kernel.strides, kernel.dilations, kernel.pads, strict=True)
    axes = [
        [(position * stride - before + t * d, size) for t in range(taps)]
        for taps, size, position, stride, d, (before, _) in rows
    ]
    found = []
    for tap, choice in enumerate(product(*axes)):
        if all(0 <= place < size for place, size in choice):
            flat = 0
            for place, size in choice:
                flat = flat * size + place
            found.append((tap, flat))
    return found

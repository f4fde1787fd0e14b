"""Arrays of real numbers put into larger ones: padding, dilation, concatenation."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from hwgen.numerics.enclosed import MAX_SCALES, Enclosed, Multiples, of_multiples
from hwgen.numerics.exact import Real
from hwgen.numerics.intervals import Interval


def pad(pads: Sequence[tuple[int, int]], value: float, x: Enclosed) -> Enclosed:
    """`value` around the array, (before, after) for each of its axes."""
    elements = np.arange(x.bounds.lo.size).reshape(x.shape)
    inside = np.pad(np.ones(x.shape, dtype=bool), pads)
    return _embedded(x, np.pad(elements, pads, mode="edge"), inside, value)


def dilate(factors: Sequence[int], x: Enclosed) -> Enclosed:
    """factors[axis] - 1 zeros between neighbours along each axis of the array."""
    near = np.arange(x.bounds.lo.size).reshape(x.shape)
    inside = np.ones((1,) * near.ndim, dtype=bool)
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        near = np.repeat(near, factor, axis=axis)
        near = near.take(range(near.shape[axis] - factor + 1), axis=axis)
        column = [1] * near.ndim
        column[axis] = -1
        inside = inside & (np.arange(near.shape[axis]) % factor == 0).reshape(column)
    return _embedded(x, near, np.broadcast_to(inside, near.shape), 0.0)


def _embedded(x: Enclosed, near: np.ndarray, inside: np.ndarray, value: float) -> Enclosed:
    """Elements of x where `inside`, else `value`; `near` is the element, or one close by, whose
    grid the value takes if it lies on it."""
    m, outer = x.multiples, Real.of(value)
    steps = None if m is None else [outer / scale for scale in m.scales]
    if (
        m is not None
        and steps
        and all(s.is_rational and s.fraction.denominator == 1 for s in steps)
    ):
        code = m.code.reshape(-1)[near]
        filled = np.array([float(step) for step in steps])[code]
        n = np.where(inside, m.n.reshape(-1)[near], filled)
        return of_multiples(Multiples(n, code, m.scales))
    lo, hi = (
        np.where(inside, bound.reshape(-1)[near], value) for bound in (x.bounds.lo, x.bounds.hi)
    )

    def exact(k: int) -> Real:
        return x.exact(int(near.flat[k])) if inside.flat[k] else outer

    return Enclosed(Interval(lo, hi), exact)


def concatenate(axis: int, *parts: Enclosed) -> Enclosed:
    """Along an axis of the arrays; those of constants are repeated for all samples."""
    samples = max(x.shape[0] for x in parts)

    def repeated(a: np.ndarray) -> np.ndarray:
        return np.broadcast_to(a, (samples, *a.shape[1:]))

    parts = tuple(x.rearrange(repeated) for x in parts)
    joined = _joined_multiples(axis, [x.multiples for x in parts])
    if joined is not None:
        return of_multiples(joined)
    lo, hi = (
        np.concatenate([getattr(x.bounds, end) for x in parts], axis=axis) for end in ("lo", "hi")
    )
    owner = np.concatenate([np.full(x.shape, i) for i, x in enumerate(parts)], axis=axis)
    elements = [np.arange(x.bounds.lo.size).reshape(x.shape) for x in parts]
    source = np.concatenate(elements, axis=axis)

    @cache
    def exact(k: int) -> Real:
        return parts[owner.flat[k]].exact(int(source.flat[k]))

    return Enclosed(Interval(lo, hi), exact)


def _joined_multiples(axis: int, parts: Sequence[Multiples | None]) -> Multiples | None:
    """With one list of scales; parts that have the same share them."""
    known = [m for m in parts if m is not None]
    if len(known) < len(parts) or sum(len(m.scales) for m in known) > MAX_SCALES:
        return None
    scales: list[Real] = []
    codes = []
    for index, m in enumerate(known):
        start = len(scales)
        for earlier, code in zip(known[:index], codes, strict=True):
            if _same(earlier.scales, m.scales):
                start = int(code.flat[0] - earlier.code.flat[0])
                break
        else:
            scales += m.scales
        codes.append(m.code + start)
    n = np.concatenate([m.n for m in known], axis=axis)
    return Multiples(n, np.concatenate(codes, axis=axis), scales)


def _same(a: Sequence[Real], b: Sequence[Real]) -> bool:
    return len(a) == len(b) and all(x.same(y) for x, y in zip(a, b, strict=True))

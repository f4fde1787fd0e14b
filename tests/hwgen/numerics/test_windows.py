"""Convolutions, pooling and means against loops over single exact numbers."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hwgen.numerics import enclosed, windows
from hwgen.numerics.enclosed import Enclosed, Multiples, of_multiples
from hwgen.numerics.exact import DomainError, Real
from hwgen.numerics.intervals import Interval
from hwgen.tensor.pooling import AveragePool, MaxPool
from hwgen.tensor.products import Conv

RNG = np.random.default_rng(8)


def exactly(x: Enclosed) -> list[Fraction]:
    """All elements; every one must lie within its bounds."""
    found = [x.exact(k) for k in range(x.bounds.lo.size)]
    for k, value in enumerate(found):
        assert x.bounds.lo.flat[k] <= value <= x.bounds.hi.flat[k]
    return [value.fraction for value in found]


def on_grid(*shape: int, scales=(0.1,), axis: int | None = None, top: int = 9) -> Enclosed:
    """Random integers times scales, which change along `axis`."""
    code = np.zeros(shape, dtype=int)
    if axis is not None:
        column = [1] * len(shape)
        column[axis] = -1
        code = np.broadcast_to(np.arange(shape[axis]).reshape(column) % len(scales), shape)
    n = RNG.integers(-top, top + 1, shape).astype(float)
    return of_multiples(Multiples(n, code, [Real.of(scale) for scale in scales]))


def bare(x: Enclosed) -> Enclosed:
    """The same numbers without their integer form, at the end of wider bounds."""
    return Enclosed(Interval(x.bounds.lo - 1e-9, x.bounds.hi), x.exact)


def places(op, size: tuple[int, ...], at: tuple[int, ...], kernel) -> Iterator[tuple]:
    """(tap, place) for the taps that lie on the input."""
    for tap in product(*map(range, kernel)):
        rows = zip(at, op.strides, tap, op.dilations, op.pads, strict=True)
        place = tuple(p * stride + t * d - before for p, stride, t, d, (before, _) in rows)
        if all(0 <= p < n for p, n in zip(place, size, strict=True)):
            yield tap, place


def outputs(op, size: tuple[int, ...], kernel) -> list[tuple[int, ...]]:
    rows = zip(size, kernel, op.strides, op.dilations, op.pads, strict=True)
    counts = [(n + b + a - d * (k - 1) - 1) // s + 1 for n, k, s, d, (b, a) in rows]
    return list(product(*map(range, counts)))


def element(x: Enclosed, *at: int) -> Fraction:
    return x.exact(int(np.ravel_multi_index(at, x.shape))).fraction


def convolved(op: Conv, x: Enclosed, w: Enclosed) -> list[Fraction]:
    _, count, inner, *kernel = w.shape
    size, found = x.shape[3:], []
    for sample, output in product(range(x.shape[0]), range(count)):
        first = output // (count // op.groups) * inner
        for at in outputs(op, size, kernel):
            total = Fraction(0)
            for channel in range(inner):
                for tap, place in places(op, size, at, kernel):
                    seen = element(x, sample, 0, first + channel, *place)
                    total += seen * element(w, 0, output, channel, *tap)
            found.append(total)
    return found


GEOMETRIES = [
    ((2, 1, 2, 4, 3), (1, 3, 2, 2, 3), Conv((1, 1), (1, 1), ((0, 0), (0, 0)))),
    ((2, 1, 4, 5, 4), (1, 4, 2, 2, 2), Conv((2, 1), (1, 2), ((1, 0), (0, 2)), 2)),
    ((1, 1, 3, 4, 4), (1, 6, 1, 3, 2), Conv((1, 3), (1, 1), ((1, 1), (2, 0)), 3)),
    ((2, 1, 2, 7), (1, 3, 2, 3), Conv((2,), (2,), ((1, 3),))),
]


@pytest.mark.parametrize(("shape", "weights", "op"), GEOMETRIES)
@pytest.mark.parametrize("plain", [False, True])
def test_convolution(shape, weights, op, plain):
    """As integers on grids, and by midpoints and radii."""
    x, w = on_grid(*shape), on_grid(*weights, scales=(0.1, 0.3, -0.7), axis=1)
    y = op.evaluate(bare(x) if plain else x, w)
    assert (y.multiples is None) == plain
    assert exactly(y) == convolved(op, x, w)


def test_hand_worked_convolution():
    """(1, 2, 3) with (10, 1), one zero before: 0 * 10 + 1, 1 * 10 + 2, 2 * 10 + 3."""
    x, w = enclosed.stored([[[[1, 2, 3]]]]), enclosed.stored([[[[10, 1]]]])
    y = Conv((1,), (1,), ((1, 0),)).evaluate(x, w)
    assert y.bounds.lo.tolist() == y.bounds.hi.tolist() == [[[[1, 12, 23]]]]


def test_groups_keep_the_scales_of_their_channels():
    op = Conv((1,), (1,), ((1, 1),), 2)
    x = on_grid(2, 1, 4, 3, scales=(0.1, 0.1, 0.7, 0.7), axis=2)
    x = of_multiples(Multiples(x.multiples.n, x.multiples.code // 2, x.multiples.scales[1:3]))
    w = on_grid(1, 4, 2, 3, scales=(0.3, 0.2), axis=1)
    y = op.evaluate(x, w)
    assert y.multiples is not None
    assert exactly(y) == convolved(op, x, w)


def test_scales_that_differ_within_a_sum_are_bounded():
    op = Conv((1,), (1,), ((0, 0),))
    x, w = on_grid(1, 1, 2, 4, scales=(0.1, 0.3), axis=2), on_grid(1, 3, 2, 2)
    y = op.evaluate(x, w)
    assert y.multiples is None
    assert exactly(y) == convolved(op, x, w)


def test_sums_that_float64_cannot_hold_are_bounded():
    op = Conv((1,), (1,), ((0, 0),))
    x = enclosed.stored(np.array([[[[2.0**30 + 1, 1.0]]]]))
    x = enclosed.whole(x.bounds.lo)
    w = enclosed.whole(np.array([[[[2.0**30 - 1, 3.0]]]]))
    y = op.evaluate(x, w)
    assert y.multiples is None
    assert exactly(y) == [2**60 + 2]


def test_refuses_weights_that_depend_on_the_sample():
    op = Conv((1,), (1,), ((0, 0),))
    message = r"^weights of a convolution must not depend on the input$"
    with pytest.raises(DomainError, match=message):
        op.evaluate(on_grid(2, 1, 1, 3), on_grid(2, 1, 1, 2))


POOLS = [
    ((2, 1, 2, 4, 5), ((2, 3), (2, 1), (1, 2), ((1, 0), (1, 1)))),
    ((1, 1, 3, 7), ((3,), (2,), (2,), ((0, 2),))),
]


@pytest.mark.parametrize(("shape", "kernel"), POOLS)
@pytest.mark.parametrize("scales", [(0.1,), (0.1, 0.7), (-0.1,)])
@pytest.mark.parametrize("plain", [False, True])
def test_max_pool(shape, kernel, scales, plain):
    """Padding never wins, also where all numbers are negative."""
    x = on_grid(*shape, scales=scales, axis=2)
    x = of_multiples(Multiples(x.multiples.n - 100, x.multiples.code, x.multiples.scales))
    op = MaxPool(*kernel)
    y = op.evaluate(bare(x) if plain else x)
    wanted = []
    for sample, channel in product(range(shape[0]), range(shape[2])):
        for at in outputs(op, shape[3:], op.kernel):
            seen = places(op, shape[3:], at, op.kernel)
            wanted.append(max(element(x, sample, 0, channel, *place) for _, place in seen))
    assert exactly(y) == wanted
    assert (y.multiples is None) == (plain or scales[0] < 0)


@pytest.mark.parametrize(("shape", "kernel"), POOLS)
@pytest.mark.parametrize("include_pad", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_average_pool(shape, kernel, include_pad, plain):
    """Padding counts as zeros, or not at all: then the number of elements changes at the edge."""
    x, op = on_grid(*shape, scales=(0.1, 0.7), axis=2), AveragePool(*kernel, include_pad)
    y = op.evaluate(bare(x) if plain else x)
    wanted = []
    for sample, channel in product(range(shape[0]), range(shape[2])):
        for at in outputs(op, shape[3:], op.kernel):
            seen = list(places(op, shape[3:], at, op.kernel))
            total = sum(element(x, sample, 0, channel, *place) for _, place in seen)
            wanted.append(total / (np.prod(op.kernel).item() if include_pad else len(seen)))
    assert exactly(y) == wanted
    assert (y.multiples is None) == plain


@pytest.mark.parametrize("axes", [(3, 4), (2,), (4,), (2, 4)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_mean(axes, keepdims, plain):
    x = on_grid(2, 1, 3, 2, 4)
    y = windows.mean(axes, keepdims, bare(x) if plain else x)
    values = np.array(exactly(x), dtype=object).reshape(x.shape)
    count = np.prod([x.shape[axis] for axis in axes]).item()
    wanted = values.sum(axis=axes, keepdims=keepdims) / count
    assert y.shape == wanted.shape
    assert exactly(y) == wanted.ravel().tolist()
    assert (y.multiples is None) == plain


def test_means_of_channels_with_their_own_scales_keep_them():
    x = on_grid(2, 1, 3, 2, 2, scales=(0.1, 0.7, 0.3), axis=2)
    assert windows.mean((3, 4), True, x).multiples is not None
    assert windows.mean((2,), True, x).multiples is None


def test_mean_is_a_rational():
    x = enclosed.stored(np.array([[[[1, 0, 0]]]]))
    assert windows.mean((3,), False, x).exact(0) == Fraction(1, 3)

import numpy as np
import pytest

from hwgen.numerics import enclosed, placement
from hwgen.numerics.enclosed import Enclosed, Multiples, of_multiples
from hwgen.numerics.exact import Real

N = np.array([[[1.0, 2.0], [3.0, 4.0]]])  # one sample, two channels


def on_grid(n: np.ndarray, *scales: float) -> Enclosed:
    """Channel c has scale c."""
    code = np.broadcast_to(np.arange(len(scales)).reshape(1, -1, 1), n.shape)
    return of_multiples(Multiples(n, code, [Real.of(scale) for scale in scales]))


def exactly(x: Enclosed) -> list:
    """Every element, which lies within its bounds."""
    found = [x.exact(k) for k in range(x.bounds.lo.size)]
    for k, value in enumerate(found):
        assert x.bounds.lo.flat[k] <= value <= x.bounds.hi.flat[k]
    return np.array([float(value) for value in found]).reshape(x.shape).tolist()


@pytest.mark.parametrize(("value", "kept"), [(0.0, True), (1.5, True), (0.3, False)])
def test_padding_keeps_the_integer_form_where_its_value_is_on_the_grids(value, kept):
    x = on_grid(N, 0.5, 0.25)
    y = placement.pad(((0, 0), (0, 0), (1, 2)), value, x)
    v = value
    assert exactly(y) == [[[v, 0.5, 1, v, v], [v, 0.75, 1, v, v]]]
    assert (y.multiples is not None) == kept
    if y.multiples is not None:
        assert y.multiples.code.tolist() == [[[0] * 5, [1] * 5]]


def test_padding_of_numbers_without_an_integer_form():
    third = enclosed.elementwise("div", enclosed.stored(N), enclosed.stored(np.full((1, 1, 1), 3)))
    y = placement.pad(((0, 0), (1, 0), (0, 0)), -1.0, third)
    assert exactly(y) == [[[-1, -1], [1 / 3, 2 / 3], [1, 4 / 3]]]


@pytest.mark.parametrize("plain", [False, True])
def test_dilation_puts_zeros_between_neighbours(plain):
    x = on_grid(N, 0.5, 0.25)
    x = Enclosed(x.bounds, x.exact) if plain else x
    y = placement.dilate((1, 1, 3), x)
    assert exactly(y) == [[[0.5, 0, 0, 1], [0.75, 0, 0, 1]]]
    assert (y.multiples is None) == plain


def test_joined_parts_share_the_scales_that_they_have_in_common():
    parts = [on_grid(N, 0.5), on_grid(N + 4, 0.25), on_grid(-N, 0.5)]
    y = placement.concatenate(1, *parts)
    assert exactly(y) == [
        [[0.5, 1], [1.5, 2], [1.25, 1.5], [1.75, 2], [-0.5, -1], [-1.5, -2]],
    ]
    assert y.multiples is not None
    assert [float(scale) for scale in y.multiples.scales] == [0.5, 0.25]
    assert y.multiples.code.tolist() == [[[0, 0]] * 2 + [[1, 1]] * 2 + [[0, 0]] * 2]


def test_joined_parts_with_several_scales():
    y = placement.concatenate(2, on_grid(N, 0.5, 0.25), on_grid(N, 0.5, 0.25), on_grid(N, 0.125))
    assert exactly(y) == [[[0.5, 1, 0.5, 1, 0.125, 0.25], [0.75, 1, 0.75, 1, 0.375, 0.5]]]
    assert y.multiples is not None
    assert [float(scale) for scale in y.multiples.scales] == [0.5, 0.25, 0.125]


def test_a_constant_is_joined_to_every_sample():
    x = enclosed.stored(np.array([[[0.1]], [[0.2]]]))
    y = placement.concatenate(2, x, enclosed.stored(np.array([[[0.3]]])))
    assert exactly(y) == [[[0.1, 0.3]], [[0.2, 0.3]]]

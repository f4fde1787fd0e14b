"""Kernel positions counted one by one."""

from itertools import product

import pytest

from hwgen.frontend.geometry import Geometry, same_pads

CASES = [
    Geometry((5,), kernel, strides, dilations, pads)
    for kernel, strides, dilations, pads in product(
        [(1,), (2,), (3,)], [(1,), (2,), (3,)], [(1,), (2,)], [((0, 0),), ((1, 0),), ((2, 1),)]
    )
]


@pytest.mark.parametrize("found", CASES, ids=str)
def test_positions_are_those_that_fit_and_taps_inside_are_counted(found):
    (before, after), (size,) = found.pads[0], found.space
    taps, positions, at = [], 0, -before
    while at + found.dilations[0] * (found.kernel[0] - 1) < size + after:
        places = [at + k * found.dilations[0] for k in range(found.kernel[0])]
        taps.append(sum(0 <= place < size for place in places))
        positions += 1
        at += found.strides[0]
    assert found.out == (positions,)
    assert found.taps_inside(0) == taps


def test_the_kernel_is_the_input_only_once_and_without_padding():
    ones = (1, 1)
    assert Geometry((4, 3), (4, 3), ones, ones, ((0, 0), (0, 0))).whole
    assert not Geometry((4, 3), (4, 3), ones, ones, ((1, 0), (0, 0))).whole
    assert not Geometry((4, 3), (4, 2), ones, ones, ((0, 0), (0, 0))).whole


def test_the_odd_element_of_same_padding_is_behind_or_before():
    assert (same_pads(3, "SAME_UPPER"), same_pads(3, "SAME_LOWER")) == ((1, 2), (2, 1))

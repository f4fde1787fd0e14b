import numpy as np
import pytest

from cores.choices import AdderGraph, Dsp, Lut
from cores.fields.pruning import Pruned, filled
from cores.mvau import MatVec
from cores.types import IntType
from cores.vvau import DepthwiseVec
from platforms.devices import device

U4, ECP5 = IntType(0, 15), device("ecp5-25f")


def test_zeros_are_filled_with_the_other_weights_in_order():
    assert filled(np.array([[0, 3, 0], [-5, 0, 0]])).tolist() == [[3, 3, -5], [-5, 3, -5]]
    assert filled(np.zeros((2, 2), np.int64)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("arithmetic", [Lut(), AdderGraph()])
def test_a_zero_spares_its_adder(arithmetic):
    # 1 a + 1 b and 1 a + 4 b: an adder of five bits, and one of five above two that pass it by.
    op = MatVec(np.array([[1, 0], [1, 4]]), U4, pe=2, simd=2, arithmetic=arithmetic)
    whole = MatVec(np.array([[1, 1], [1, 4]]), U4, pe=2, simd=2, arithmetic=arithmetic)
    found = op.pruned(ECP5)
    assert (found.weights, found.zeros) == (4, 1)
    assert found.spared.lut4 == 6  # three carry cells
    assert whole.pruned(ECP5) == Pruned.of(whole.weights)
    assert whole.pruned(ECP5).zeros == 0


def test_every_zero_more_spares_more():
    rng = np.random.default_rng(1)
    weights, order = rng.integers(1, 16, (12, 12)), rng.permutation(144)
    spared = []
    for zeros in (0, 36, 72, 108):
        pruned = weights.copy()
        pruned.ravel()[order[:zeros]] = 0
        found = MatVec(pruned, U4, pe=12, simd=12).pruned(ECP5)
        assert found.zeros == zeros
        spared.append(found.spared.lut4)
    assert spared[0] == 0 and spared == sorted(set(spared))


@pytest.mark.parametrize("choice", [{"pe": 1}, {"pe": 2, "arithmetic": Dsp()}])
def test_zeros_of_other_units_spare_nothing(choice):
    op = MatVec(np.array([[1, 0], [1, 4]]), U4, simd=2, **choice)
    assert op.pruned(ECP5) == Pruned(4, 1, op.pruned(ECP5).spared)
    assert op.pruned(ECP5).spared.lut4 == 0


def test_zeros_of_a_depthwise_product_spare_as_well():
    # 3 a + 5 b is three adders; a zero filled with 3 in front of it is another two
    op = DepthwiseVec(np.array([[3, 0, 5], [3, 3, 5]]), U4, 2, pe=2, simd=3)
    assert op.pruned(ECP5).zeros == 1 and op.pruned(ECP5).spared.lut4 > 8
    folded = DepthwiseVec(op.weights, U4, 2, pe=2)
    assert folded.pruned(ECP5) == Pruned.of(op.weights)

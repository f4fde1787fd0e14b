from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.choices import AdderGraph, Block, Dsp, Logic, Lut
from cores.swg import SlidingWindow
from cores.types import IntType
from cores.vvau import DepthwiseVec
from platforms.devices import device

U4, S8 = IntType(0, 15), IntType(-128, 127)
UP5K, HX1K = device("up5k"), device("hx1k")


@pytest.mark.parametrize("pe", [1, 2])
@pytest.mark.parametrize("simd", [1, 3])
@pytest.mark.parametrize("arithmetic", [Lut(), Dsp()])
def test_two_channels_of_three_taps_by_hand(pe, simd, arithmetic):
    # Channel 0 holds 1 2 3 and channel 1 holds 4 5 6: 1*1 - 2*2 + 0*3 + 10 and 4 + 5 + 2*6.
    op = DepthwiseVec(
        np.array([[1, -2, 0], [1, 1, 2]]),
        U4,
        2,
        offset=np.array([10, 0]),
        pe=pe,
        simd=simd,
        arithmetic=arithmetic,
    )
    found = sim.run(op, [np.array([[1, 4, 2, 5, 3, 6]])])
    assert found.outputs["o"].tolist() == [[7, 21]]


def test_several_rows_of_a_channel_by_hand():
    op = DepthwiseVec(np.array([[1, 0], [0, 1], [1, 1], [2, 2]]), U4, 2)
    assert sim.run(op, [np.array([[1, 3, 2, 4]])]).outputs["o"].tolist() == [[1, 2, 7, 14]]


def test_declared_range_is_exact_per_row():
    op = DepthwiseVec(np.array([[3, -2], [1, 1]]), IntType(-1, 4), 2, offset=np.array([0, 20]))
    assert op.outputs["o"].dtype == IntType(-11, 28)


@pytest.mark.parametrize("pe", [1, 2, 4])
def test_takes_what_a_window_gives(pe):
    window = SlidingWindow((3, 3, 4), U4, (2, 2), order="depthwise", pe=pe)
    op = DepthwiseVec(np.ones((4, 4), np.int64), U4, 4, positions=(2, 2), pe=pe)
    assert window.outputs["o"] == op.inputs["i"]


def test_dsp_is_offered_where_a_multiplier_fits():
    op = DepthwiseVec(np.full((4, 9), 100), S8, 4)
    offered = [{f.arithmetic.text for f in op.foldings(d)} for d in (UP5K, HX1K)]
    assert offered == [{"lut", "dsp"}, {"lut"}]
    message = (
        r"^DSP arithmetic of DepthwiseVec must have a multiplier for s8 x 100\.\.100, "
        r"which hx1k has not$"
    )
    with pytest.raises(ValueError, match=message):
        replace(op, arithmetic=Dsp()).core(HX1K)


def test_block_memory_is_offered_where_weights_change():
    op = DepthwiseVec(np.ones((2, 4), np.int64), U4, 2)
    for folded in op.foldings(UP5K):
        assert isinstance(folded.memory, Logic) or folded.folds > 1


GOOD = DepthwiseVec(np.ones((6, 9), np.int64), U4, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"weights": np.ones(6, np.int64)},
            (
                r"weights of DepthwiseVec must be a matrix with at least one element, "
                r"not of shape \(6,\)"
            ),
        ),
        ({"channels": 4}, r"channels must divide the 6 rows of DepthwiseVec weights, not 4"),
        (
            {"offset": np.zeros(3, np.int64)},
            r"offset of DepthwiseVec must have 6 rows, not shape \(3,\)",
        ),
        ({"positions": (0,)}, r"positions of DepthwiseVec must be positive, not \(0,\)"),
        ({"pe": 4}, r"PE must divide the 6 channels of DepthwiseVec, not 4"),
        ({"simd": 2}, r"SIMD must divide the 9 taps of DepthwiseVec, not 2"),
        (
            {"arithmetic": AdderGraph()},
            r"arithmetic of DepthwiseVec must be lut or dsp, not adder_graph",
        ),
        (
            {"memory": Block(), "pe": 6, "simd": 9},
            r"block memory of DepthwiseVec must have at least 2 words, but PE 6 and SIMD 9 .* one",
        ),
    ],
)
def test_rejects_what_does_not_suit(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)


def test_rejects_weights_that_are_no_integers():
    with pytest.raises(TypeError, match=r"^weights of DepthwiseVec must be integers, not float64$"):
        DepthwiseVec(np.ones((2, 2)), U4, 2)

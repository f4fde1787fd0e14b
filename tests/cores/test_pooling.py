from dataclasses import replace

import numpy as np
import pytest

from cores import sim
from cores.pooling import Reduce
from cores.types import IntType

S4 = IntType(-8, 7)
GOOD = Reduce(2, 4, S4, fn="max")
# Taps 0..3 of channels 0 and 1: channel 0 holds -3 5 1 -8, channel 1 holds -2 -4 -1 -3.
WINDOW = np.array([[-3, -2, 5, -4, 1, -1, -8, -3]])


@pytest.mark.parametrize("pe", [1, 2])
@pytest.mark.parametrize("simd", [1, 2, 4])
@pytest.mark.parametrize(("fn", "result"), [("max", [5, -1]), ("sum", [-5, -10])])
def test_four_taps_of_two_channels_by_hand(fn, result, pe, simd):
    op = Reduce(2, 4, S4, fn=fn, pe=pe, simd=simd)
    assert sim.run(op, [WINDOW]).outputs["o"].tolist() == [result]


def test_ranges():
    assert GOOD.outputs["o"].dtype == S4
    assert replace(GOOD, fn="sum").outputs["o"].dtype == IntType(-32, 28)


def test_foldings_divide_channels_and_taps():
    found = [(op.pe, op.simd, op.cycles) for op in GOOD.foldings(None)]
    assert found == [(1, 1, 8), (1, 2, 4), (1, 4, 2), (2, 1, 4), (2, 2, 2), (2, 4, 1)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fn": "mean"}, r"fn of Reduce must be one of max, sum, not 'mean'"),
        ({"taps": 0}, r"taps of Reduce must be positive, not 0"),
        ({"positions": (2, 0)}, r"positions of Reduce must be positive, not \(2, 0\)"),
        ({"pe": 3}, r"PE must divide the 2 channels of Reduce, not 3"),
        ({"simd": 3}, r"SIMD must divide the 4 taps of Reduce, not 3"),
    ],
)
def test_rejects_what_does_not_divide(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)

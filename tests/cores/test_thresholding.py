from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from cores.choices import MEMORY, Block, Scale, Shift
from cores.sim import run
from cores.steps import search_tree, threshold_search
from cores.thresholding import MultiThreshold
from cores.types import IntType, divisors
from platforms.devices import DEVICES
from tests.cores.silicon.primitives import Modelled

S8 = IntType(-128, 127)


def test_worked_example():
    # Channel 0 counts starts -5, 0, 7; channel 1 counts 10, 10, 20: it skips the value 1.
    op = MultiThreshold((2,), S8, np.array([[-5, 0, 7], [10, 10, 20]]), np.array([[0, 1, 2, 3]]))
    x = np.array([[-6, 9], [-5, 10], [6, 19], [7, 20]])
    y = [[0, 0], [1, 2], [2, 2], [3, 3]]
    assert op.compute(x).tolist() == y
    assert run(op, [x]).outputs["o"].tolist() == y


def test_values_may_fall_and_rise():
    op = MultiThreshold((1,), S8, np.array([[-2, 1, 5]]), np.array([[4, -7, 9, 0]]))
    x = np.array([[-3], [-2], [0], [1], [4], [5]])
    y = [[4], [-7], [-7], [9], [9], [0]]
    assert op.compute(x).tolist() == y
    assert run(op, [x]).outputs["o"].tolist() == y


def test_output_range_holds_reached_values_only():
    # Starts beyond the input range are always or never counted: 0 and 3 cannot come out.
    starts, values = np.array([[-200, 0, 128]]), np.array([[0, 1, 2, 3]])
    assert MultiThreshold((1,), S8, starts, values).outputs["o"].dtype == IntType(1, 2)


def every_input(op: MultiThreshold) -> np.ndarray:
    x = np.arange(op.dtype.lo, op.dtype.hi + 1)
    return np.broadcast_to(x[:, None], (len(x), op.channels))


@pytest.mark.parametrize("threshold", [-9, -8, -7, -4, -1, 0, 1, 3, 4, 7, 8])
@pytest.mark.parametrize("signed", [True, False])
def test_comparison_with_every_kind_of_constant(threshold, signed):
    dtype = IntType(-8, 7) if signed else IntType(0, 15)
    start = threshold if signed else threshold + 8
    op = MultiThreshold((1,), dtype, np.array([[start]]), np.array([[0, 1]]))
    x = every_input(op)
    assert (run(op, [x]).outputs["o"] == (x >= start)).all()


@pytest.mark.parametrize("pe", [1, 2, 4])
@pytest.mark.parametrize("memory", ["logic", "block"])
def test_rows_beyond_the_range_in_some_channels(pe, memory):
    starts = np.array([[-99, -3, 99], [-8, 0, 7], [8, 8, 8], [-9, -9, -9]])
    values = np.array([[0, 1, 2, 3], [5, 4, 9, 1], [-3, 0, 0, 0], [0, 0, 0, 8]])
    op = MultiThreshold((4,), IntType(-8, 7), starts, values, pe=pe, memory=MEMORY[memory])
    x = every_input(op)
    assert (run(op, [x]).outputs["o"] == op.compute(x)).all()


def test_rows_in_block_ram_take_two_cycles_more():
    starts, values = np.array([[1], [2]]), np.array([[0, 1]])
    assert MultiThreshold((2,), S8, starts, values).depth == 2
    assert MultiThreshold((2,), S8, starts, values, memory=Block()).depth == 4


@pytest.mark.parametrize("name", ["ecp5-25f", "up5k"])
def test_the_device_changes_neither_results_nor_cycles(name):
    starts = np.array([[-99, -3, 99], [-8, 0, 7], [8, 8, 8], [-9, -9, -9]])
    values = np.array([[0, 1, 2, 3], [5, 4, 9, 1], [-3, 0, 0, 0], [0, 0, 0, 8]])
    op = MultiThreshold((4,), IntType(-8, 7), starts, values, memory=Block())
    x = every_input(op)
    found = run(op, [x], core=Modelled(op.core(DEVICES[name])))
    assert (found.outputs["o"] == op.compute(x)).all()
    assert (found.shown["o"] == run(op, [x]).shown["o"]).all()


def test_block_ram_is_not_used_for_constants():
    starts, values = np.array([[1], [2]]), np.array([[0, 1]])
    assert not MultiThreshold((2,), S8, starts, values, pe=2, memory=Block()).in_block
    assert not MultiThreshold((2,), S8, starts[:1], values, memory=Block()).in_block


@pytest.mark.parametrize(
    ("starts", "values", "pe", "message"),
    [
        ([[0, 1]], [[0, 1, 2]], 4, r"PE must divide the 6 channels of MultiThreshold, not 4"),
        ([[0, 1]], [[0, 1, 2]], 0, r"PE must divide the 6 channels of MultiThreshold, not 0"),
        (
            [[0, 1]] * 2,
            [[0, 1, 2]],
            1,
            r"starts of MultiThreshold must have 1 or 6 rows, not the shape \(2, 2\)",
        ),
        (
            [[0, 1]],
            [0, 1, 2],
            1,
            r"values of MultiThreshold must have 1 or 6 rows, not the shape \(3,\)",
        ),
        (
            [[0, 1]],
            [[0, 1]],
            1,
            r"values of MultiThreshold must have one column more than the 2 of starts, not 2",
        ),
        (
            [[0, 1]] * 5 + [[1, 0]],
            [[0, 1, 2]],
            1,
            r"starts of MultiThreshold must ascend, but row 5 descends",
        ),
    ],
)
def test_rejects(starts, values, pe, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        MultiThreshold((6,), S8, np.array(starts), np.array(values), pe=pe)


def test_rejects_thresholds_that_are_not_integers():
    message = r"^starts of MultiThreshold must be integers, not float64$"
    with pytest.raises(TypeError, match=message):
        MultiThreshold((1,), S8, np.array([[0.5]]), np.array([[0, 1]]))


def test_rejects_thresholds_that_a_device_has_no_blocks_for():
    dtype = IntType.bits(16, signed=True)
    starts = np.sort(np.random.default_rng(1).integers(-30000, 30000, (512, 15)), axis=1)
    op = MultiThreshold((512,), dtype, starts, np.arange(16)[None], pe=8, memory=Block())
    message = (
        "^block memory of MultiThreshold must have 119 SB_RAM40_4K, but up5k has 30: "
        "keep it in logic or take a larger device$"
    )
    with pytest.raises(ValueError, match=message):
        op.core(DEVICES["up5k"])


@pytest.mark.parametrize("offsets", [[5, -7, 0, 40], [5, 5, 5, 5]])
@pytest.mark.parametrize("pe", [1, 2, 4])
@pytest.mark.parametrize("memory", ["logic", "block"])
def test_shift_rounds_ties_to_even_in_every_channel(memory, pe, offsets):
    x = np.arange(-100, 100)
    rounded = np.clip(np.rint((x + np.array(offsets)[:, None]) / 8), 0, 3)
    starts = np.stack([x[np.searchsorted(row, [1, 2, 3])] for row in rounded])
    op = MultiThreshold(
        (4,),
        IntType(-100, 99),
        starts,
        np.arange(4)[None],
        pe=pe,
        memory=MEMORY[memory],
        comparison=Shift(),
    )
    found = run(op, [every_input(op)]).outputs["o"]
    assert (found == rounded.T).all()
    varies = pe < 4 and len(set(offsets)) > 1
    assert op.depth == 2 + 2 * (memory == "block" and varies)


@pytest.mark.parametrize("memory", ["logic", "block"])
@pytest.mark.parametrize("divisors", [(6, 6), (6, -10)])
def test_scale_rounds_ties_to_even_in_every_channel(memory, divisors):
    x = np.arange(-100, 100)
    rounded = np.array([[round(Fraction(n, d)) for d in divisors] for n in x.tolist()]).clip(-9, 9)
    changes = [np.flatnonzero(np.diff(column)) + 1 for column in rounded.T]
    starts = np.array([x[places] for places in changes])
    values = np.array(
        [column[[0, *places]] for column, places in zip(rounded.T, changes, strict=True)]
    )
    op = MultiThreshold(
        (2,), IntType(-100, 99), starts, values, comparison=Scale(18), memory=MEMORY[memory]
    )
    assert op.lines is not None and op.lines.late > 1
    assert (run(op, [every_input(op)]).outputs["o"] == rounded).all()


def test_rejects_a_shift_of_other_steps():
    message = (
        "^shift comparison of MultiThreshold must have steps of one power of two, rounded up or to "
        "even, in all channels, which these are not; use search$"
    )
    with pytest.raises(ValueError, match=message):
        MultiThreshold((1,), S8, np.array([[0, 6]]), np.array([[0, 1, 2]]), comparison=Shift())


def test_foldings_share_what_their_lanes_compute(monkeypatch):
    built = []
    monkeypatch.setattr(
        threshold_search, "trees", lambda *a, pe: built.append(pe) or search_tree.trees(*a, pe=pe)
    )
    starts = np.sort(np.random.default_rng(1).integers(-120, 120, (6, 15)), axis=1)
    op = MultiThreshold((6,), S8, starts, np.arange(16)[None])
    found = list(op.foldings(DEVICES["ecp5-85f"]))
    assert len([each for each in found if each.block_stages]) > 8
    assert built == [1, 2, 3, 6]


TURNS = MultiThreshold((6,), S8, np.array([[0, 9], [-7, 7]] * 3), np.array([[0, 1, 2]]))


@pytest.mark.parametrize("op", [*MultiThreshold.examples(np.random.default_rng(0)), TURNS])
def test_rows_in_block_are_those_that_differ_along_a_lane(op):
    if op.searches or op.scales:
        return
    for pe in divisors(op.channels):
        block = replace(op, pe=pe, memory=Block())
        assert block.in_block == bool(block.comparators.columns)

from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from cores import conformance, sim
from cores.beats import to_beats
from cores.mvau import MatVec
from cores.swg import SlidingWindow
from cores.types import IntType
from cores.window.window_schedule import Axis

U4, S4 = IntType(0, 15), IntType(-7, 7)
SAME = ((1, 1), (1, 1))


def test_three_of_four_with_padding_by_hand():
    op = SlidingWindow((4, 1), U4, (3,), pads=((1, 1),), fill=np.array(9))
    found = sim.run(op, [np.array([[[1], [2], [3], [4]]])]).outputs["o"]
    assert found.tolist() == [[[9, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 9]]]


def test_taps_in_row_major_order_by_hand():
    op = SlidingWindow((2, 3, 2), U4, (2, 2), pe=2)
    x = np.arange(12).reshape(1, 2, 3, 2)
    windows = [[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]]
    assert sim.run(op, [x]).outputs["o"].tolist() == [[windows]]


def test_depthwise_order_gives_all_taps_of_a_channel_in_turn():
    op = SlidingWindow((2, 2, 2), U4, (2, 2), order="depthwise")
    windows = op.compute(np.arange(8).reshape(1, 2, 2, 2))
    assert to_beats(windows, op.outputs["o"]).ravel().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_range_holds_the_fill_only_where_it_is_seen():
    fill = np.array([-8])
    assert SlidingWindow((4, 1), U4, (3,), fill=fill).outputs["o"].dtype == U4
    padded = SlidingWindow((4, 1), U4, (3,), pads=((0, 1),), fill=fill)
    assert padded.outputs["o"].dtype == IntType(-8, 15)
    # With a stride of two over three elements, the window never reaches the padding.
    skipped = SlidingWindow((3, 1), U4, (1,), strides=(2,), pads=((0, 1),), fill=fill)
    assert skipped.outputs["o"].dtype == U4


def random_window(seed: int) -> SlidingWindow:
    rng = np.random.default_rng(seed)
    space = int(rng.integers(1, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(map(int, rng.integers(low, high, space)))

    channels = int(rng.integers(1, 4))
    kernel, strides, dilations = numbers(1, 4), numbers(1, 4), numbers(1, 3)
    return SlidingWindow(
        (*(n + 7 for n in numbers(0, 2)), channels) if space == 1 else (5, 6, channels),
        S4,
        kernel,
        strides=strides,
        dilations=dilations,
        pads=tuple(zip(numbers(0, 3), numbers(0, 3), strict=True)),
        fill=rng.integers(-9, 9, channels),
        order=("dense", "depthwise")[seed % 2],
        pe=(1, channels)[seed // 2 % 2],
    )


def check(op: SlidingWindow) -> None:
    conformance.check_values(op, op.core, stall=0.4)
    conformance.check_schedule(op, op.core)
    conformance.check_needed(op, op.core)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.long
def test_any_window_keeps_the_contract(seed):
    check(random_window(seed))


@pytest.mark.parametrize("seed", range(100, 116))
@pytest.mark.long
def test_any_whole_window_keeps_the_contract(seed):
    op = replace(random_window(seed), order="depthwise")
    whole = [folded for folded in op.foldings(None) if folded.simd > 1]
    for folded in whole:
        check(folded)


class Pair(Component):
    """A window and the matrix product behind it."""

    def __init__(self, window: SlidingWindow, matrix: MatVec):
        self.first, self.second = window.core(), matrix.core()
        i, o = window.inputs["i"], matrix.outputs["o"]
        super().__init__(
            {"i": In(stream.Signature(i.layout)), "o": Out(stream.Signature(o.layout))}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.first, m.submodules.second = self.first, self.second
        connect(m, flipped(self.i), self.first.i)
        connect(m, self.first.o, self.second.i)
        connect(m, self.second.o, flipped(self.o))
        return m


@pytest.mark.parametrize(("pe", "simd", "stride"), [(4, 2, 1), (2, 4, 1), (1, 2, 1), (4, 4, 2)])
@pytest.mark.long
def test_keeps_a_matrix_product_busy(pe, simd, stride):
    window = SlidingWindow((6, 6, 4), U4, (3, 3), pads=SAME, strides=(stride, stride), pe=simd)
    keeps_busy(window, pe)


def test_whole_windows_of_two_pixels_keep_a_matrix_product_busy():
    window = SlidingWindow((4, 8, 2), U4, (3, 3), pads=SAME, pe=2, simd=9, pixels=2)
    assert window.cycles == 4 * 8 // 2 + 1
    keeps_busy(window, pe=2)


def keeps_busy(window: SlidingWindow, pe: int) -> None:
    kind = window.outputs["o"]
    weights = np.random.default_rng(0).integers(-7, 8, (4, kind.channels))
    positions = kind.shape[:-1]
    matrix = MatVec(weights, U4, positions=positions, pe=pe, simd=kind.lanes, pixels=window.pixels)
    assert matrix.cycles >= window.cycles

    pair = SimpleNamespace(
        inputs=window.inputs,
        outputs=matrix.outputs,
        cycles=matrix.cycles,
        depth=window.depth + matrix.depth,
    )
    x = conformance.random_inputs(window, 4, seed=1)
    found = sim.run(pair, x, core=Pair(window, matrix))
    assert (found.outputs["o"] == matrix.compute(window.compute(*x))).all()
    # Every result follows as many cycles after the one before as the product takes, in all frames.
    shown = found.shown["o"].reshape(-1, 4 // pe)[:, 0]
    assert (np.diff(shown) == matrix.folds).all()


def foldings(op: SlidingWindow, pixels: int = 1) -> list[tuple[int, int]]:
    found = [folded for folded in op.foldings(None) if folded.pixels == pixels]
    return [(folded.pe, folded.simd) for folded in found]


def test_foldings_are_divisors_of_the_channels_and_one_or_all_taps():
    assert foldings(SlidingWindow((4, 4), U4, (3,))) == [(1, 1), (2, 1), (4, 1), (4, 3)]
    depthwise = SlidingWindow((4, 2), U4, (3,), order="depthwise")
    assert foldings(depthwise) == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert foldings(SlidingWindow((4, 1), U4, (2,), pads=((1, 1),))) == [(1, 1)]
    assert foldings(SlidingWindow((4, 1), U4, (1,), strides=(2,))) == [(1, 1)]


def test_several_pixels_are_offered_for_all_taps_in_dense_order():
    op = SlidingWindow((8, 4), U4, (3,), pads=((1, 1),))
    assert foldings(op, 2) == foldings(op, 4) == [(4, 3)]
    assert foldings(replace(op, pads=((0, 0),)), 4) == []  # six windows
    assert foldings(replace(op, order="depthwise"), 2) == []


def test_two_windows_of_a_row_by_hand():
    # 1 2 3 4 with a zero on both sides: 0 1 2 beside 1 2 3, then 2 3 4 beside 3 4 0.
    op = SlidingWindow((4, 1), U4, (3,), pads=((1, 1),), simd=3, pixels=2)
    assert op.plane[1] == Axis(2, 3, 1, 1, 1, 1)
    assert [op.place(1, tap) for tap in range(3)] == [(1, 0), (1, 1), (2, 0)]
    found = sim.run(op, [np.array([[[1], [2], [3], [4]]])]).outputs["o"]
    beats = to_beats(found, op.outputs["o"])[0].tolist()
    assert beats == [[0, 1, 2, 1, 2, 3], [2, 3, 4, 3, 4, 0]]


def several_pixels() -> list[SlidingWindow]:
    """Random windows that are whole and have neighbours."""
    found = []
    for seed in range(200, 260):
        op = random_window(seed)
        size = int(np.random.default_rng(seed).choice([6, 8, 12]))
        op = replace(op, shape=(*op.shape[:-2], size, op.channels), order="depthwise")
        for pixels in (2, 3, 4):
            with suppress(ValueError):
                found.append(replace(op, simd=op.taps, pixels=pixels))
    return found


SEVERAL = several_pixels()


def test_random_windows_of_several_pixels_differ():
    kinds = {(op.pixels, op.strides[-1], op.dilations[-1], op.pads[-1]) for op in SEVERAL}
    assert len(kinds) > 20


@pytest.mark.parametrize("op", SEVERAL[::2], ids=str)
def test_any_windows_of_several_pixels_keep_the_contract(op):
    check(op)


def test_follows_a_consumer():
    op = SlidingWindow((3, 3, 4), U4, (2, 2), order="depthwise")
    for folded in (replace(op, pe=2), replace(op, pe=2, simd=4), replace(op, pe=4, simd=4)):
        wanted = folded.outputs["o"]
        assert op.emitting(wanted).outputs["o"] == wanted


def test_whole_windows_take_a_beat_in_every_cycle():
    op = SlidingWindow((6, 5, 4), U4, (3, 3), pe=4, simd=9)
    assert op.cycles == 30
    padded = replace(op, pads=((1, 1), (1, 0)))
    assert padded.cycles == 30
    # Padding behind the last column is passed without input, once a frame.
    assert replace(op, pads=SAME).cycles == 31


def test_whole_windows_come_without_the_next_frame():
    op = SlidingWindow((3, 4, 2), U4, (3, 3), pads=SAME, simd=9, order="depthwise")
    inputs = conformance.random_inputs(op, 1, seed=1)
    counts = sim.drip(op, inputs, "i")["o"]
    assert counts[-1] == op.outputs["o"].beats


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("pads", [((2, 2), (2, 2)), ((0, 4), (1, 3)), ((1, 3), (4, 0))])
def test_whole_windows_do_not_depend_on_when_the_next_frame_comes(pads, stall):
    op = SlidingWindow((5, 4, 1), U4, (5, 5), pads=pads, fill=np.array(-1), simd=25)
    assert op.cycles == 20 + pads[1][1]
    x = conformance.random_inputs(op, 30, seed=2)
    found = sim.run(op, x, stall=stall, seed=3)
    assert (found.outputs["o"] == op.compute(*x)).all()


GOOD = SlidingWindow((4, 5, 4), U4, (3, 3), pads=SAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"shape": (4,)},
            r"shape of SlidingWindow must be one or two positive axes and channels, not \(4,\)",
        ),
        (
            {"kernel": (3,)},
            (
                r"kernel of SlidingWindow must have one entry for each of the 2 axes in "
                r"front of the channels, not \(3,\)"
            ),
        ),
        ({"strides": (1, 0)}, r"strides of SlidingWindow must be positive, not \(1, 0\)"),
        (
            {"pads": ((0, -1), (0, 0))},
            r"pads of SlidingWindow must not be negative, not \(\(0, -1\), \(0, 0\)\)",
        ),
        (
            {"fill": np.zeros(3, np.int64)},
            r"fill of SlidingWindow must have 4 channels, not shape \(3,\)",
        ),
        (
            {"order": "wide"},
            r"order of SlidingWindow must be one of dense, depthwise, not 'wide'",
        ),
        ({"simd": 3}, r"SIMD of SlidingWindow must be 1 or all 9 taps, not 3"),
        (
            {"simd": 9, "pe": 2},
            (r"SIMD 9 of SlidingWindow must have depthwise order or PE 4, all channels, not PE 2"),
        ),
        (
            {"simd": 9, "pe": 4, "pads": ((1, 2), (1, 1))},
            (
                r"SIMD 9 of SlidingWindow must have padding of at most what the kernel reaches, "
                r"behind the input of less than its size, not \(\(1, 2\), \(1, 1\)\): use SIMD 1"
            ),
        ),
        (
            {"simd": 9, "pe": 4, "pixels": 2},
            (
                r"pixels of SlidingWindow must divide the 5 places and the 5 windows of the last "
                r"axis, not 2"
            ),
        ),
        (
            {"pixels": 5},
            (
                r"pixels 5 of SlidingWindow must have all 9 taps at once, and more than one, "
                r"not SIMD 1"
            ),
        ),
        ({"pe": 3}, r"PE must divide the 4 channels of SlidingWindow, not 3"),
        (
            {"kernel": (7, 3)},
            (
                r"kernel \(7, 3\) of SlidingWindow must fit into \(4, 5\) with "
                r"dilations \(1, 1\) and pads \(\(1, 1\), \(1, 1\)\)"
            ),
        ),
        (
            {"kernel": (1, 1), "strides": (9, 9)},
            (
                r"windows of SlidingWindow must touch the input \(4, 5\); with pads "
                r"\(\(1, 1\), \(1, 1\)\) none does"
            ),
        ),
    ],
)
def test_rejects_what_is_no_window(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **change)


def test_rejects_a_fill_that_is_no_integer():
    with pytest.raises(TypeError, match=r"^fill of SlidingWindow must be integers, not float64$"):
        replace(GOOD, fill=np.zeros(4))

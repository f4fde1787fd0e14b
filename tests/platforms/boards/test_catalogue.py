import json
import os
import re
from pathlib import Path

import pytest

from platforms.boards.board import Board
from platforms.boards.catalogue import BOARDS, board
from platforms.boards.loopback import Loopback
from platforms.ice40.device import HX8K
from platforms.programming import Programmer
from platforms.toolchain import pack, place_and_route, plan_board, synthesise
from platforms.tools import Tools


def build(board: Board, folder: Path, clock_mhz: float | None = None):
    tools = Tools(os.environ)
    plan = plan_board(Loopback(board), board, clock_mhz=clock_mhz)
    routed = place_and_route(plan, synthesise(plan, tools, folder), tools)
    return routed.placed, pack(plan, routed, tools)


def test_unknown_board_lists_the_names():
    names = (
        "icebreaker, icesugar, up5k-b-evn, icestick, hx8k-b-evn, ulx3s-12f, ulx3s-25f, ulx3s-45f, "
        "ulx3s-85f, icesugar-pro, colorlight-5a-75b, colorlight-i5, colorlight-i9, "
        "orangecrab-25f, orangecrab-85f, ecpix5-45, ecpix5-85, versa-ecp5, versa-ecp5-5g"
    )
    with pytest.raises(ValueError, match=f"^board must be one of {names}, not 'foo'$"):
        board("foo")


@pytest.mark.parametrize(
    ("name", "oscillator", "default"), [("icebreaker", 12, 24), ("ulx3s-12f", 25, 50)]
)
def test_oscillator_and_default_clock(name, oscillator, default):
    assert board(name).oscillator_mhz == oscillator
    assert board(name).clock_plan().achieved_mhz == default
    assert board(name).clock_plan(oscillator).pll is None


@pytest.mark.parametrize(
    ("name", "clock", "reach"),
    [
        ("up5k-b-evn", 300, r"16\.125 to 270 MHz by SB_PLL40 from 12 MHz, or be 12 MHz itself"),
        ("orangecrab-25f", 2, r"3\.125 to 400 MHz by EHXPLLL from 48 MHz, or be 48 MHz itself"),
    ],
)
def test_clock_that_the_board_cannot_make_is_refused(name, clock, reach):
    message = f"^{name}: clock must lie in {reach}, not {clock} MHz$"
    with pytest.raises(ValueError, match=message):
        board(name).clock_plan(clock)


@pytest.mark.parametrize("name", BOARDS)
def test_device_is_the_one_the_board_file_names(name):
    """amaranth-boards and our device table give nextpnr the same part."""
    design = Loopback(board(name))
    files = board(name).platform().build(design, do_build=False).files
    command = json.loads(files["build_top.json"])["commands"][1]
    assert {word.lower() for word in board(name).device.nextpnr} <= {w.lower() for w in command}


LINKS = {
    # (rx, tx), from the boards' own documents and the board files of LiteX
    "icebreaker": ("6", "9"),
    "icesugar": ("4", "6"),
    "up5k-b-evn": ("4", "12"),
    "icestick": ("9", "8"),
    "hx8k-b-evn": ("B10", "B12"),
    "ulx3s-12f": ("M1", "L4"),
    "ulx3s-25f": ("M1", "L4"),
    "ulx3s-45f": ("M1", "L4"),
    "ulx3s-85f": ("M1", "L4"),
    "icesugar-pro": ("A9", "B9"),
    "colorlight-5a-75b": ("M13", "P11"),
    "colorlight-i5": ("H18", "J17"),
    "colorlight-i9": ("H18", "J17"),
    "orangecrab-25f": ("N17", "M18"),
    "orangecrab-85f": ("N17", "M18"),
    "ecpix5-45": ("R26", "R24"),
    "ecpix5-85": ("R26", "R24"),
    "versa-ecp5": ("C11", "A11"),
    "versa-ecp5-5g": ("C11", "A11"),
}


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.long
def test_link_pins_are_the_constrained_ones(name):
    rx, tx = LINKS[name]
    assert board(name).link_pins == {"rx": rx, "tx": tx}
    constraints = plan_board(Loopback(board(name)), board(name)).constraints
    assert constraints is not None
    located = re.findall(r'^(?:LOCATE COMP|set_io) "?(\w+)"?(?: SITE)? "?(\w+)', constraints, re.M)
    placed = dict(located)
    assert (placed["uart_0__rx__io"], placed["uart_0__tx__io"]) == (rx, tx)
    assert len(set(placed.values())) == len(located)


def test_led_that_shares_its_pin_with_the_link_is_left_alone():
    assert board("colorlight-5a-75b").led is None
    assert board("colorlight-i5").led == ("led", 0)
    assert board("icesugar-pro").led is None  # has none of that name


def test_planning_needs_no_tool_and_no_programmer(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    plan = plan_board(Loopback(board("ulx3s-85f")), board("ulx3s-85f"))
    assert plan.pack_options == ("--compress",)
    assert 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ;' in plan.constraints
    assert plan.clock_mhz == 50


def test_plan_does_not_tell_where_the_sources_lie():
    plan = plan_board(Loopback(board("icebreaker")), board("icebreaker"))
    assert "attribute \\src" not in plan.rtlil


@pytest.mark.synth
@pytest.mark.parametrize(
    ("name", "clock", "magic"),
    [("icebreaker", 24, b"\xff\x00\x00\xff\x7e\xaa\x99\x7e"), ("ulx3s-25f", 50, b"\xff\x00")],
)
def test_loopback_becomes_a_bitstream(name, clock, magic, tmp_path):
    placed, bitstream = build(board(name), tmp_path)
    # nextpnr counts periods in whole picoseconds.
    assert clock <= placed.clock_mhz < clock * 1.001
    assert placed.meets_timing
    assert placed.ff.used >= 12
    assert bitstream.read_bytes().startswith(magic)


@pytest.mark.synth
def test_clock_whose_feedback_has_its_own_divider(tmp_path):
    # 25 MHz * 24 = 600 MHz, / 10 = 60 MHz: the loop cannot close over the output.
    placed, _ = build(board("ulx3s-25f"), tmp_path, clock_mhz=60)
    assert 60 <= placed.clock_mhz < 60.01


@pytest.mark.synth
def test_another_board_is_one_line_of_data(tmp_path):
    """Its oscillator does not sit on the PLL's pad: the other primitive of iCE40."""
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    evn = Board("hx8k-evn", "HX8K EVN", ICE40HX8KBEVNPlatform, HX8K, Programmer("iceprog"))
    placed, _ = build(evn, tmp_path)
    assert 48 <= placed.clock_mhz < 48.01
    assert placed.meets_timing

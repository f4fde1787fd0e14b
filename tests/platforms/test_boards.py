import json
import os
from pathlib import Path

import pytest

from platforms.board import Board
from platforms.boards import BOARDS, board
from platforms.ice40 import HX8K
from platforms.loopback import Loopback
from platforms.toolchain import pack, place_and_route, plan_board, synthesise
from platforms.tools import Tools


def build(board: Board, folder: Path, clock_mhz: float | None = None):
    tools = Tools(os.environ)
    plan = plan_board(Loopback(board.uart), board, clock_mhz=clock_mhz)
    routed = place_and_route(plan, synthesise(plan, tools, folder), tools)
    return routed.placed, pack(plan, routed, tools)


def test_unknown_board_lists_the_names():
    names = (
        "icebreaker, icesugar, icestick, hx8k-b-evn, ulx3s-12f, ulx3s-25f, ulx3s-45f, ulx3s-85f, "
        "icesugar-pro, colorlight-5a-75b, ecpix5-45, ecpix5-85, versa-ecp5, versa-ecp5-5g"
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


@pytest.mark.parametrize("name", BOARDS)
def test_device_is_the_one_the_board_file_names(name):
    """amaranth-boards and our device table give nextpnr the same part."""
    design = Loopback(board(name).uart)
    files = board(name).platform().build(design, do_build=False).files
    command = json.loads(files["build_top.json"])["commands"][1]
    assert {word.lower() for word in board(name).device.nextpnr} <= {w.lower() for w in command}


def test_planning_needs_no_tool_and_no_programmer(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    plan = plan_board(Loopback(("uart", 0)), board("ulx3s-85f"))
    assert plan.pack_options == ("--compress",)
    assert 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ;' in plan.constraints
    assert plan.clock_mhz == 50


def test_plan_does_not_tell_where_the_sources_lie():
    assert "attribute \\src" not in plan_board(Loopback(("uart", 0)), board("icebreaker")).rtlil


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

    placed, _ = build(Board("hx8k-evn", "HX8K EVN", ICE40HX8KBEVNPlatform, HX8K), tmp_path)
    assert 48 <= placed.clock_mhz < 48.01
    assert placed.meets_timing

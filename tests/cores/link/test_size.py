"""What the link costs on the smallest device it is meant for."""

import os

import pytest

from cores.link.link import Link, LinkConfig, link_cost
from cores.link.staging import link_stream
from cores.types import IntType, StreamType
from platforms.devices import device
from platforms.out_of_context import plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools

UP5K = device("up5k")


def streams(sent, returned):
    return [
        link_stream(StreamType((channels,), IntType.parse(dtype)))
        for channels, dtype in (sent, returned)
    ]


def test_block_rams_are_those_of_the_frames():
    # Program 3, variables, packets, replies; two banks of 512 bytes and of 128.
    assert link_cost(*streams((784, "u1"), (10, "s14")), UP5K).ram_blocks == 6 + 2 + 1
    assert link_cost(*streams((1024, "u8"), (10, "s14")), UP5K).ram_blocks == 6 + 4 + 1
    # One bank.
    assert link_cost(*streams((3000, "u8"), (10, "s14")), UP5K).ram_blocks == 6 + 6 + 1


@pytest.mark.synth
def test_size_on_up5k(tmp_path):
    sent, returned = streams((64, "u4"), (10, "s14"))
    config = LinkConfig(
        clk_hz=24_000_000,
        baud=1_000_000,
        info=bytes(range(50)),
        input=sent,
        output=returned,
        output_beats=10,
        batch=16,
        banks=2,
        latency_bits=14,
    )
    plan = plan_core(Link(config), UP5K, clock_mhz=24)
    cells = synthesise(plan, Tools(dict(os.environ)), tmp_path).cells
    cost = link_cost(sent, returned, UP5K)
    assert cells["SB_RAM40_4K"] == cost.ram_blocks
    assert cells["SB_LUT4"] == pytest.approx(cost.lut, rel=0.05)
    assert sum(n for cell, n in cells.items() if cell.startswith("SB_DFF")) == pytest.approx(
        cost.ff, rel=0.05
    )
    assert "SB_MAC16" not in cells

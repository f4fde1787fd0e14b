"""What the link costs on the smallest device it is meant for."""

import os

import pytest
from amaranth.hdl import Module, ResetInserter
from amaranth.lib.stream import Signature
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from cores.link.link import Link, LinkConfig, link_cost
from cores.link.probe import Probe
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
    # Program 4, variables, packets, replies; two banks of 512 bytes and of 128.
    assert link_cost(*streams((784, "u1"), (10, "s14")), UP5K).ram_blocks == 7 + 2 + 1
    assert link_cost(*streams((1024, "u8"), (10, "s14")), UP5K).ram_blocks == 7 + 4 + 1
    # Of each byte, three bits are used.
    assert link_cost(*streams((333, "u3"), (10, "s14")), UP5K).ram_blocks == 7 + 1 + 1
    # One bank.
    assert link_cost(*streams((3000, "u8"), (10, "s14")), UP5K).ram_blocks == 7 + 6 + 1
    minimal = link_cost(*streams((1024, "u8"), (10, "s14")), UP5K, full=False)
    assert minimal.ram_blocks == 6 + 2 + 1


class Measured(Component):
    """A link with its probe, all ports outside.

    Members
    -------
    i, o, i_result, o_result : stream
        As of `Probe`.
    """

    def __init__(self, config: LinkConfig, own: tuple[StreamType, StreamType]):
        self.link, self.probe = Link(config), Probe(*own, edges=config.edges)
        self._config = config
        sent, returned = (Signature(each.width) for each in own)
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "reset_accelerator": Out(1),
                "sent": Out(Signature(config.input.width)),
                "returned": In(Signature(config.output.width)),
                "i": In(sent),
                "o": Out(sent),
                "i_result": In(returned),
                "o_result": Out(returned),
                "edge_stalls": In(config.edges),
            }
        )

    def elaborate(self, platform):
        m = Module()
        link = m.submodules.link = self.link
        reset = ResetInserter(link.reset_accelerator)
        probe = self.probe
        m.submodules.probe = reset(probe)
        connect(m, link.probe, probe.link)
        connect(m, link.o, flipped(self.sent))
        connect(m, flipped(self.returned), link.i)
        for name in ("i", "i_result"):
            connect(m, flipped(getattr(self, name)), getattr(probe, name))
        for name in ("o", "o_result"):
            connect(m, getattr(probe, name), flipped(getattr(self, name)))
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.reset_accelerator.eq(link.reset_accelerator),
            probe.edge_stalls.eq(self.edge_stalls),
        ]
        return m


def digits_link(full: bool) -> Component:
    """The link of the 8 x 8 digits: 16 pixels of 4 bits at once, 10 scores of 14 bits."""
    own = StreamType((64,), IntType.parse("u4"), 8), StreamType((10,), IntType.parse("s14"))
    sent, returned = map(link_stream, own)
    config = LinkConfig(
        clk_hz=24_000_000,
        baud=1_000_000,
        info=bytes(range(57)),
        input=sent,
        output=returned,
        output_beats=10,
        batch=16,
        banks=2 if full else 1,
        probe=full,
        edges=6 if full else 0,
        latency_bits=14,
    )
    return Measured(config, own) if full else Link(config)


@pytest.mark.synth
@pytest.mark.parametrize(("full", "budget"), [(True, 900), (False, 550)])
def test_size_on_up5k(tmp_path, full, budget):
    plan = plan_core(digits_link(full), UP5K, clock_mhz=24)
    cells = synthesise(plan, Tools(dict(os.environ)), tmp_path).cells
    cost = link_cost(*streams((64, "u4"), (10, "s14")), UP5K, full=full)
    assert cells["SB_LUT4"] <= budget
    assert cells["SB_RAM40_4K"] == cost.ram_blocks
    assert cells["SB_LUT4"] == pytest.approx(cost.lut, rel=0.03)
    assert sum(n for cell, n in cells.items() if cell.startswith("SB_DFF")) == pytest.approx(
        cost.ff, rel=0.03
    )
    assert "SB_MAC16" not in cells

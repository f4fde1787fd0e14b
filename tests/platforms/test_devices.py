import os

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from platforms.devices import DEVICES, device
from platforms.out_of_context import plan_core
from platforms.toolchain import place_and_route, synthesise
from platforms.tools import Tools

BITS = {"SB_RAM40_4K": 4096, "DP16KD": 18432}


class Register(Component):
    i: In(1)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.i)
        return m


def test_unknown_device_lists_the_names():
    names = (
        "up5k, hx1k, hx8k, lp1k, lp8k, ecp5-12f, ecp5-25f, ecp5-45f, ecp5-85f, ecp5-um-25f, "
        "ecp5-um-45f, ecp5-um-85f, ecp5-um5g-25f, ecp5-um5g-45f, ecp5-um5g-85f"
    )
    with pytest.raises(ValueError, match=f"^device must be one of {names}, not 'foo'$"):
        device("foo")


def test_default_clocks_are_24_and_50_mhz():
    assert device("up5k").default_clock_mhz == 24
    assert device("ecp5-85f").default_clock_mhz == 50


@pytest.mark.parametrize("name", DEVICES)
def test_no_block_ram_shape_holds_more_bits_than_the_block(name):
    ram = device(name).block_ram
    for depth, width in ram.shapes:
        assert depth * width <= BITS[ram.primitive]
    assert max(depth * width for depth, width in ram.shapes) == BITS[ram.primitive]


@pytest.mark.synth
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_counts_are_those_of_the_placer(family, tmp_path):
    tools = Tools(os.environ)
    members = [d for d in DEVICES.values() if d.family == family]
    plan = plan_core(Register(), members[0], clock_mhz=10)
    netlist = synthesise(plan, tools, tmp_path)
    for member in members:
        plan = plan_core(Register(), member, clock_mhz=10)
        placed = place_and_route(plan, netlist, tools).placed
        assert (
            placed.lut4.available,
            placed.ff.available,
            placed.ram_blocks.available,
            placed.spram.available,
            placed.dsp.available,
        ) == (
            member.luts,
            member.ffs,
            member.block_ram.count,
            member.spram_count,
            member.multiplier.count if member.multiplier else 0,
        ), member.name

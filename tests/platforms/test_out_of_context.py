import json
import os

import pytest
from amaranth.hdl import ClockSignal, Const, Instance, Module
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from platforms.devices import device
from platforms.out_of_context import RegisteredPins, place_core, plan_core
from platforms.toolchain import CapacityError, synthesise
from platforms.tools import Tools


class Adder(Component):
    """A registered sum of two words."""

    def __init__(self, width):
        super().__init__({"a": In(width), "b": In(width), "o": Out(width + 1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.a + self.b)
        return m


class FiveSprams(Component):
    """One large RAM more than UP5K has."""

    i: In(1)
    o: Out(80)

    def elaborate(self, platform):
        m = Module()
        for k in range(5):
            m.submodules[f"ram{k}"] = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(),
                i_WREN=self.i,
                i_CHIPSELECT=Const(1),
                i_POWEROFF=Const(1),
                o_DATAOUT=self.o[16 * k : 16 * k + 16],
            )
        return m


def test_cells_of_the_pins_by_hand():
    # 32 inputs; 17 outputs: 4 4 4 4 1 -> 4 1 -> 2, eight registers of which six have a gate
    pins = RegisteredPins(Adder(16))
    assert (pins.flip_flops, pins.gates) == (32 + 8, 6)
    plan_core(pins, device("up5k"), clock_mhz=10)  # Amaranth wants what is made to be used


def test_pins_carry_inputs_in_and_the_parity_of_outputs_out():
    # Width 1: b is the newest bit but one, a the newest; o has two bits, so one gate.
    bits = [0, 1, 1, 1, 0, 0, 1, 0]
    seen = []
    dut = RegisteredPins(Adder(1))

    async def bench(ctx):
        for bit in bits:
            ctx.set(dut.i, bit)
            seen.append(ctx.get(dut.o))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    # Three registers on the way: o[t + 3] = parity(bits[t] + bits[t - 1])
    sums = [now + before for now, before in zip(bits, [0, *bits], strict=False)]
    parity = [(s & 1) ^ (s >> 1) for s in sums]
    assert seen == [0, 0, 0, *parity][: len(bits)]


@pytest.mark.synth
def test_netlist_keeps_the_names_of_the_ports(tmp_path):
    plan = plan_core(Adder(4), device("ecp5-25f"), clock_mhz=50)
    netlist = synthesise(plan, Tools(os.environ), tmp_path)
    top = json.loads(netlist.path.read_text())["modules"]["top"]
    widths = {name: len(port["bits"]) for name, port in top["ports"].items()}
    assert widths == {"clk": 1, "rst": 1, "a": 4, "b": 4, "o": 5}
    assert {cell["type"] for cell in top["cells"].values()} == set(netlist.cells)
    assert netlist.cells["TRELLIS_FF"] == 5


class Lanes(Component):
    """Registers of an array, as streams carry them."""

    i: In(ArrayLayout(4, 3))
    o: Out(ArrayLayout(4, 3))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.o[k].eq(self.i[k] ^ self.o[k - 1]) for k in range(3)]
        return m


@pytest.mark.synth
@pytest.mark.parametrize("name", ["ecp5-25f", "up5k"])
def test_ports_may_be_arrays(name, tmp_path):
    plan = plan_core(Lanes(), device(name), clock_mhz=50)
    netlist = synthesise(plan, Tools(os.environ), tmp_path)
    top = json.loads(netlist.path.read_text())["modules"]["top"]
    assert {name: len(port["bits"]) for name, port in top["ports"].items()} == {
        "clk": 1, "rst": 1, "i": 12, "o": 12
    }  # fmt: skip


@pytest.mark.synth
@pytest.mark.parametrize("name", ["up5k", "ecp5-25f"])
def test_size_is_that_of_the_core_alone(name, tmp_path):
    core = place_core(
        Adder(16), device(name), Tools(os.environ), tmp_path, clock_mhz=50, seeds=(1, 2)
    )
    assert len(core.placed) == 2
    for placed in core.placed:
        assert placed.ff.used == 17
        # A cell per bit, and a few that begin and end the carry chain.
        assert 17 <= placed.lut4.used <= 24
        assert placed.fmax_mhz > 50


@pytest.mark.synth
def test_core_too_large_is_told(tmp_path):
    with pytest.raises(CapacityError) as caught:
        place_core(FiveSprams(), device("up5k"), Tools(os.environ), tmp_path, clock_mhz=12)
    assert caught.value.excess == {"spram": (5, 4)}

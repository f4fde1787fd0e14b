import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hwgen.errors import CheckError
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.driver import NO_STALL, Stall
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from tests.hwgen.simulators.netlists import Builder, family_of, synthesise
from tests.hwgen.simulators.simulated import TAPS, Inverter, Lookup, WeightedSum

RNG = np.random.default_rng(5)
FRAMES = RNG.integers(-128, 128, (140, 9))
TABLE = RNG.integers(-4096, 4096, 256)
COMMANDS = ("synth_ice40 -device u", "synth_ecp5 -nodsp -nowidelut", "synth_ecp5")


@pytest.fixture(scope="module", params=COMMANDS)
def weighted_sum(request, cache, tools, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sum")
    netlist = GateNetlist.load(
        synthesise(WeightedSum(), request.param, tools, folder), family_of(request.param)
    )
    return NetlistSimulator(netlist, cache=cache, lanes=64)


@pytest.mark.synth
@pytest.mark.parametrize("frames_per_lane, stall", [(1, NO_STALL), (10, Stall(0.3, 0.5, 1))])
def test_equals_the_design(weighted_sum, frames_per_lane, stall):
    result, _ = weighted_sum.run_tensor(
        FRAMES,
        WeightedSum.i_type,
        WeightedSum.o_type,
        frames_per_lane=frames_per_lane,
        stall=stall,
        drain=20,
    )
    assert (result[:, 0] == FRAMES @ TAPS).all()


@pytest.mark.synth
def test_takes_the_cycles_of_the_design(weighted_sum, cache, tools):
    rtl = CompiledSimulator(WeightedSum(), cache=cache, tools=tools)
    stall = Stall(0.4, 0.4, 9)
    types = WeightedSum.i_type, WeightedSum.o_type
    _, expected = rtl.run_tensor(FRAMES, *types, stall=stall)
    _, run = weighted_sum.run_tensor(FRAMES, *types, frames_per_lane=len(FRAMES), stall=stall)
    assert run.cycles == expected.cycles
    assert (run.in_cycles == expected.in_cycles).all()
    assert (run.out_cycles == expected.out_cycles).all()


@pytest.mark.synth
@pytest.mark.parametrize("command", ["synth_ice40", "synth_ecp5"])
def test_lanes_read_their_own_words_of_a_memory(command, cache, tools, tmp_path):
    netlist = GateNetlist.load(
        synthesise(Lookup(TABLE), command, tools, tmp_path), family_of(command)
    )
    assert "DP16KD" in netlist.cells or "SB_RAM40_4K" in netlist.cells
    simulator = NetlistSimulator(netlist, cache=cache, lanes=64)
    x = np.random.default_rng(2).integers(0, 256, (100, 4))
    result, _ = simulator.run_tensor(x, Lookup.i_type, Lookup.o_type)
    assert (result == TABLE[x]).all()


@pytest.mark.synth
def test_talks_to_a_serial_line_in_every_lane(cache, tools, tmp_path):
    netlist = GateNetlist.load(synthesise(Inverter(), "synth_ice40", tools, tmp_path), "ice40")
    simulator = NetlistSimulator(netlist, cache=cache, lanes=64)
    data = np.random.default_rng(3).integers(0, 256, (64, 5), np.uint8)
    answer = simulator.uart(data, 5, rx="rx", tx="tx", divider=Inverter.DIVIDER)
    assert (answer == ~data).all()


@pytest.mark.synth
def test_lanes_may_answer_at_different_times(cache, tools, tmp_path):
    netlist = GateNetlist.load(
        synthesise(Inverter(hesitant=True), "synth_ice40", tools, tmp_path), "ice40"
    )
    simulator = NetlistSimulator(netlist, cache=cache, lanes=64)
    data = np.random.default_rng(3).permutation(256)[:64].astype(np.uint8).reshape(64, 1)
    for _ in range(2):
        answer = simulator.uart(data, 1, rx="rx", tx="tx", divider=Inverter.DIVIDER)
        assert (answer == ~data).all()
    message = r"^top gave more than 0 bytes \(at cycle 36, 0 of 1 bytes in, 0 of 0 out\)$"
    with pytest.raises(CheckError, match=message):
        simulator.uart(np.zeros((64, 1), np.uint8), 0, rx="rx", tx="tx", divider=4)


class Products(wiring.Component):
    """Two products and their sum, registered without reset: the shape that `-dsp` gets wrong."""

    i: In(stream.Signature(StructLayout(dict.fromkeys(("a0", "b0", "a1", "b1"), signed(8)))))
    o: Out(stream.Signature(signed(17)))

    def elaborate(self, platform):
        m = Module()
        x = self.i.payload
        first, second = (Signal(signed(16), reset_less=True) for _ in range(2))
        total = Signal(signed(17), reset_less=True)
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(1), self.o.payload.eq(total)]
        m.d.sync += [first.eq(x.a0 * x.b0), second.eq(x.a1 * x.b1), total.eq(first + second)]
        return m


@pytest.mark.synth
@pytest.mark.parametrize("command, right", [("synth_ice40", True), ("synth_ice40 -dsp", False)])
def test_shows_the_multiplier_that_yosys_drops(command, right, cache, tools, tmp_path):
    if tools.version("yosys") > "Yosys 0.70":
        pytest.skip("the fault is known up to yosys 0.70")
    netlist = GateNetlist.load(synthesise(Products(), command, tools, tmp_path), "ice40")
    payloads = np.random.default_rng(4).integers(-128, 128, (64, 20, 4)).astype(np.int8)
    x = payloads.astype(np.int64)
    expected = x[..., 0] * x[..., 1] + x[..., 2] * x[..., 3]
    simulator = NetlistSimulator(netlist, cache=cache, lanes=64)
    beats = simulator.run(payloads.view(np.uint8), 20).beats
    low = beats[:, 2:, :2].copy().view(np.int16)[..., 0]  # the low 16 of 17 bits, two cycles late
    assert (low == expected[:, :-2].astype(np.int16)).all() == right


def shift_register(tmp_path):
    """Two flip-flops in a row, one of them set after power-on; the second stage goes out."""
    netlist = Builder()
    netlist.stream(1, 1, ["q"])
    netlist.cell("TRELLIS_FF", {"CLK": "clk", "DI": "i__payload", "Q": "d"}, REGSET="SET")
    netlist.cell("TRELLIS_FF", {"CLK": "clk", "DI": "d", "Q": "q"})
    return netlist.load(tmp_path)


def test_flipflops_begin_with_their_initial_value(cache, tmp_path):
    simulator = NetlistSimulator(shift_register(tmp_path), cache=cache, lanes=64)
    bits = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1]], np.uint8)[..., None]
    beats = simulator.run(bits, 5).beats[..., 0]
    assert beats.tolist() == [[0, 1, 1, 0, 1], [0, 1, 0, 0, 1]]


def test_drives_pins_step_by_step(cache, tmp_path):
    simulator = NetlistSimulator(shift_register(tmp_path), cache=cache, lanes=64)
    simulator.put("i__payload", 1)
    assert [simulator.get("o__payload"), simulator.get("i__ready")] == [0, 1]
    simulator.step(2)
    assert simulator.get("o__payload") == 1
    simulator.reset()
    assert simulator.get("o__payload") == 0
    with pytest.raises(
        ValueError, match=r"^port o__payload of top must be an input, not an output$"
    ):
        simulator.put("o__payload", 1)


def test_lanes_that_leave_the_common_step_are_a_message(cache, tmp_path):
    netlist = Builder()
    netlist.port("o__valid", "output")
    for name in ("clk", "i__payload", "i__valid", "o__ready"):
        netlist.port(name, "input")
    for name in ("i__ready", "o__payload"):
        netlist.port(name, "output")
    netlist.cell("TRELLIS_FF", {"CLK": "clk", "DI": "i__payload", "Q": "o__valid"})
    for name in ("i__ready", "o__payload"):
        netlist.cell("VHI", {"Z": name})
    simulator = NetlistSimulator(netlist.load(tmp_path), cache=cache, lanes=64)
    same, other = np.ones((2, 3, 1), np.uint8), np.array([[[1]] * 3, [[1], [0], [1]]], np.uint8)
    assert simulator.run(same, 3).cycles == 4
    message = (
        r"^top has lanes that do not keep step: its schedule depends on data "
        r"\(at cycle 2, 2 of 3 beats in, 1 of 3 out\)$"
    )
    with pytest.raises(CheckError, match=message):
        simulator.run(other, 3)


def test_rejects_more_lanes_than_a_vector_has(cache, tmp_path):
    netlist = shift_register(tmp_path)
    with pytest.raises(ValueError, match=r"^lanes must be in 1\.\.512, not 513$"):
        NetlistSimulator(netlist, cache=cache, lanes=513)
    simulator = NetlistSimulator(netlist, cache=cache, lanes=100)
    assert simulator.lanes == 128
    message = r"^beats of top must have the shape \(up to 128 lanes, beats, 1\), not \(129, 2, 1\)$"
    with pytest.raises(ValueError, match=message):
        simulator.run(np.zeros((129, 2, 1), np.uint8), 2)

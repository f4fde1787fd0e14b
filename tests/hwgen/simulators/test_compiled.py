import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.errors import CheckError
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.driver import Stall
from tests.hwgen.simulators.simulated import TAPS, Inverter, WeightedSum

FRAMES = np.random.default_rng(1).integers(-128, 128, (200, 9))


@pytest.fixture(scope="module")
def simulator(cache, tools):
    return CompiledSimulator(WeightedSum(), cache=cache, tools=tools)


@pytest.mark.parametrize("stall", [Stall(), Stall(0.6, 0.2, 1), Stall(0.2, 0.6, 2)])
def test_computes_what_the_design_says(simulator, stall):
    result, run = simulator.run_tensor(
        FRAMES, WeightedSum.i_type, WeightedSum.o_type, stall=stall, drain=20
    )
    assert (result[:, 0] == FRAMES @ TAPS).all()
    assert (np.diff(run.in_cycles) > 0).all() and (np.diff(run.out_cycles) > 0).all()


def test_stamps_cycles_as_a_waveform_would_show_them(simulator):
    # A beat taken in cycle t is written by the edge that ends t, read from the memory by the next
    # and summed by the one after.
    _, run = simulator.run_tensor(FRAMES, WeightedSum.i_type, WeightedSum.o_type)
    assert (run.in_cycles == np.arange(200)).all()
    assert (run.out_cycles == np.arange(200) + 3).all()
    assert run.cycles == 203


def test_stalls_follow_their_probability(simulator):
    _, run = simulator.run_tensor(
        FRAMES, WeightedSum.i_type, WeightedSum.o_type, stall=Stall(sink=0.75)
    )
    assert 600 < run.cycles < 1000


def test_same_seed_gives_the_same_run(simulator):
    def cycles(seed):
        stall = Stall(0.5, 0.5, seed)
        return simulator.run_tensor(FRAMES, WeightedSum.i_type, WeightedSum.o_type, stall=stall)[
            1
        ].out_cycles.tolist()

    assert cycles(4) == cycles(4)
    assert cycles(4) != cycles(5)


def test_deadlock_is_a_message(simulator):
    beats = np.zeros((10, 9), np.uint8)
    message = (
        r"^WeightedSum is stuck: nothing moved for 50 cycles "
        r"\(at cycle 64, 10 of 10 beats in, 10 of 11 out\)$"
    )
    with pytest.raises(CheckError, match=message):
        simulator.run(beats, 11, patience=50)


def test_surplus_beat_is_a_message(simulator):
    beats = np.zeros((10, 9), np.uint8)
    message = r"^WeightedSum gave more than 9 beats \(at cycle 12, 10 of 10 beats in, 9 of 9 out\)$"
    with pytest.raises(CheckError, match=message):
        simulator.run(beats, 9, drain=1)


def test_rejects_beats_of_another_width(simulator):
    with pytest.raises(ValueError, match=r"^beats of WeightedSum must have the shape \(beats, 9\)"):
        simulator.run(np.zeros((10, 8), np.uint8), 10)


def test_reads_signals_inside_and_keeps_their_highest_value(cache, tools):
    simulator = CompiledSimulator(WeightedSum(), cache=cache, tools=tools, inspect=True)
    simulator.watch("fifo.level")
    simulator.run_tensor(FRAMES, WeightedSum.i_type, WeightedSum.o_type, stall=Stall(sink=0.5))
    assert simulator.highest("fifo.level") == 8
    assert simulator.signal("fifo.level") == 0
    simulator.run(np.zeros((1, 9), np.uint8), 1)
    assert simulator.highest("fifo.level") == 1
    with pytest.raises(ValueError, match=r"^signal must be one of WeightedSum, not 'fifo.depth'$"):
        simulator.signal("fifo.depth")
    with pytest.raises(ValueError, match=r"^signal must be one of .* at most 64 bits, not 'x'$"):
        simulator.watch("x")


def test_registers_can_be_read_without_inspection(simulator):
    simulator.watch("fifo.inner_level")
    simulator.run_tensor(FRAMES, WeightedSum.i_type, WeightedSum.o_type, stall=Stall(sink=0.5))
    assert simulator.highest("fifo.inner_level") == 7
    with pytest.raises(ValueError, match=r"^signal must be one of WeightedSum of at most 64"):
        simulator.watch("fifo.level")


def test_talks_to_a_serial_line(cache, tools):
    simulator = CompiledSimulator(Inverter(), cache=cache, tools=tools)
    data = np.frombuffer(b"\x00\xff\x5aserial", np.uint8)
    answer = simulator.uart(data, len(data), rx="rx", tx="tx", divider=Inverter.DIVIDER)
    assert answer.tolist() == (~data).tolist()
    again = simulator.uart(data[:3], 3, rx="rx", tx="tx", divider=Inverter.DIVIDER)
    assert again.tolist() == [0xFF, 0x00, 0xA5]
    message = r"^Inverter is stuck: nothing moved for 500 cycles \(at cycle \d+, 1 of 1 bytes in, 1"
    with pytest.raises(CheckError, match=message):
        simulator.uart(data[:1], 2, rx="rx", tx="tx", divider=4, patience=500)
    with pytest.raises(CheckError, match=r"^Inverter sent a byte without start or stop bit "):
        simulator.uart(data[:1], 1, rx="rx", tx="tx", divider=8)


class Pins(wiring.Component):
    """An adder with feedback between the bits of one signal, and a wide register."""

    a: In(8)
    b: In(8)
    total: Out(9)
    wide: Out(100)

    def elaborate(self, platform):
        m = Module()
        chain = Signal(3)
        m.d.comb += [chain[0].eq(self.a[0]), chain[1].eq(~chain[0]), chain[2].eq(chain[1])]
        m.d.comb += self.total.eq(self.a + self.b)
        m.d.sync += self.wide.eq(self.wide << 8 | self.a ^ chain[2])
        return m


def test_drives_pins_step_by_step(cache, tools):
    simulator = CompiledSimulator(Pins(), cache=cache, tools=tools)
    simulator.put("a", 200)
    simulator.put("b", 100)
    assert simulator.get("total") == 300
    assert simulator.get("wide") == 0
    simulator.step(1)
    assert simulator.get("wide") == 201
    simulator.put("a", 3)
    assert simulator.get("wide") == 201
    simulator.step(13)
    assert simulator.get("wide") == int("03" * 13, 16) % 2**100
    simulator.reset()
    assert simulator.get("wide") == 0
    with pytest.raises(ValueError, match=r"^port a must get 0\.\.255, not 256$"):
        simulator.put("a", 256)
    with pytest.raises(ValueError, match=r"^port must be one of Pins, not 'c'$"):
        simulator.get("c")


class Combinational(wiring.Component):
    a: In(1)
    b: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(~self.a)
        return m


def test_rejects_a_design_without_clock(cache, tools):
    message = r"^compiled simulation must have a design with a clock port named clk$"
    with pytest.raises(ValueError, match=message):
        CompiledSimulator(Combinational(), cache=cache, tools=tools)


def test_stall_is_a_probability():
    with pytest.raises(ValueError, match=r"^sink stall must be in 0 <= p < 1, not 1$"):
        Stall(sink=1)

"""Designs behind the real link in Amaranth's simulator, served to the real driver."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.stream import Signature
from amaranth.lib.wiring import Component, In, Out

from cores.fifo import Buffer
from cores.link.packets import Type
from cores.types import IntType, StreamType
from hwgen.board.top import BoardTop, link_config
from hwgen.host.driver import Accelerator
from hwgen.host.protocol import Packet
from platforms.boards.catalogue import board
from platforms.toolchain import plan_board
from tests.hwgen.host.linked import IDENTITY, link, loop, threshold


@pytest.mark.parametrize("gaps", [(0,), (0, 7, 31)])
@pytest.mark.long
def test_thresholds_through_the_real_link(gaps):
    design = link(threshold())
    x = np.random.default_rng(0).integers(0, 16, (3, 6))
    x[0], x[1] = 0, 15
    transport = design.transport(gaps)
    with Accelerator.open(transport, design.manifest) as accelerator:
        assert accelerator.device.info.cycles_per_frame == 6
        assert np.array_equal(accelerator.execute(x), design.op.compute(x))
        assert accelerator.validate(x, design.op.compute(x)).accuracy == 1
        assert accelerator.device.retries == 0


@pytest.mark.parametrize(
    ("channels", "dtype", "lanes"), [(24, "u1", 6), (4, "s13", 2), (1, "u2", 1), (3, "s8", 3)]
)
@pytest.mark.long
def test_every_link_width_and_folding_through_the_real_link(channels, dtype, lanes):
    design = link(loop(channels, dtype, lanes))
    wire = design.manifest.inputs["x"].wire
    x = np.random.default_rng(1).integers(wire.lo, wire.hi, (2, channels), endpoint=True)
    x[0, 0], x[1, 0] = wire.lo, wire.hi
    accelerator = Accelerator.open(design.transport(), design.manifest)
    assert np.array_equal(accelerator.execute(x), x)


@pytest.mark.long
def test_damage_in_both_directions_is_repaired():
    design = link(loop(4, "u8"))
    transport = design.transport()
    accelerator = Accelerator.open(transport, design.manifest, patience_s=0.001)
    write, count = transport.write, [0]

    def damaging(data):
        count[0] += 1
        write(data[:3] + bytes([data[3] ^ 0x40]) + data[4:] if count[0] % 4 == 1 else data)

    transport.write = damaging
    transport.corrupt_from_device = set(range(90, 2000, 47))
    x = np.arange(12).reshape(3, 4)
    assert np.array_equal(accelerator.execute(x), x)
    assert accelerator.device.retries >= 2


@pytest.mark.long
def test_a_host_killed_in_mid_frame_does_not_disturb_the_next():
    design = link(loop(4, "u8"))
    transport = design.transport()
    first = Accelerator.open(transport, design.manifest)
    transport.write(Packet(Type.DATA, 77, bytes(4) + b"abcd").encode()[:6])
    x = np.array([[1, 2, 3, 4]])
    second = Accelerator.open(transport, design.manifest)
    assert np.array_equal(second.execute(x), x)
    assert first.device.info == second.device.info


@pytest.mark.long
def test_the_latency_is_that_of_the_accelerator_alone():
    # 6 beats enter in a row, each leaves a FIFO 1 cycle after it came.
    design = link(loop(6, "u8"))
    accelerator = Accelerator.open(design.transport(), design.manifest)
    accelerator.execute(np.arange(6))
    assert accelerator.device.latency_cycles == 6


class Reluctant(Component):
    """Passes a beat in the fifth cycle after it was offered."""

    def __init__(self, stream):
        self.input_type = self.output_type = stream
        self.edges = self.weight_bytes = 0
        super().__init__({"i": In(Signature(stream.layout)), "o": Out(Signature(stream.layout))})

    def elaborate(self, platform):
        m = Module()
        waited = Signal(range(5))
        go = waited == 4
        m.d.comb += self.o.payload.eq(self.i.payload)
        m.d.comb += self.o.valid.eq(self.i.valid & go)
        m.d.comb += self.i.ready.eq(self.o.ready & go)
        with m.If(self.i.valid):
            m.d.sync += waited.eq(Mux(go, 0, waited + 1))
        return m


@pytest.mark.long
def test_the_latency_begins_when_the_accelerator_takes_a_beat():
    op = loop(6, "u8")
    design = link(op, accelerator=Reluctant(op.type))
    accelerator = Accelerator.open(design.transport(), design.manifest)
    x = np.arange(6)
    assert np.array_equal(accelerator.execute(x), x)
    assert accelerator.device.latency_cycles == 25


def passing(stream):
    """All that `link_config` needs of an accelerator; a real one must not be left unused."""
    return SimpleNamespace(input_type=stream, output_type=stream, edges=0, weight_bytes=0)


def test_link_config_of_an_accelerator():
    stream = StreamType((784,), IntType.parse("u1"), 49)
    config = link_config(passing(stream), IDENTITY, clk_hz=24_000_000)
    assert config.input == config.output == StreamType((784,), IntType.parse("u1"), 8)
    assert (config.baud, config.divisor, config.output_beats) == (1_000_000, 24, 16)
    # 8 times the latency of 9 cycles and 2 x 98 bytes is below 2048.
    assert config.latency_bits == 11


@pytest.mark.parametrize("change", [{"pixels": 2}, {"order": "depthwise:3:2"}])
def test_rejects_streams_that_the_link_cannot_carry(change):
    stream = replace(StreamType((4, 6), IntType.parse("u4"), 3), **change)
    with pytest.raises(
        ValueError, match=r"^streams at the link must be dense with pixels=1, not u4\[4x6\] .*$"
    ):
        link_config(passing(stream), IDENTITY, clk_hz=24_000_000)


@pytest.mark.parametrize(
    ("name", "clk_hz"), [("icebreaker", 24_000_000), ("ulx3s-85f", 50_000_000)]
)
def test_board_design_uses_the_serial_pins_and_an_led(name, clk_hz):
    op = Buffer(StreamType((8,), IntType.parse("u4"), 2), 2)
    accelerator = link(op).accelerator
    config = link_config(accelerator, IDENTITY, clk_hz=clk_hz)
    plan = plan_board(BoardTop(accelerator, config, board(name)), board(name))
    for pin in ("uart_0__rx", "uart_0__tx", "led_0"):
        assert pin in plan.constraints

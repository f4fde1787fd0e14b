"""The host link: a serial port on one side, an accelerator's streams on the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.cost import Count
from cores.link.assembler import Condition
from cores.link.crc import CRC_INIT, crc16_next
from cores.link.firmware import firmware
from cores.link.machine import (
    INFO_AT,
    MAX_INFO,
    PORTS,
    PORTS_WITH_PROBE,
    InputPort,
    LinkLayout,
    Strobe,
)
from cores.link.probe import PROBE
from cores.link.rings import RECEIVE_BYTES, TRANSMIT_BYTES, ReceiveRing, TransmitRing
from cores.link.sequencer import VARIABLE_BYTES, Sequencer
from cores.link.staging import (
    FrameSink,
    FrameSource,
    LatencyMeter,
    bank_bytes,
    choose_batch,
    frame_bytes,
    staging_blocks,
)
from cores.link.uart import UARTReceiver, UARTTransmitter, baud_divisor
from cores.types import StreamType
from platforms.device import Device

CREDITS = 2
"""Requests that may wait for an answer: the receive ring has room for their frames."""

# As yosys 0.70 synthesises it for UP5K, with a port of 32 bits in and of 14 bits out: the design of
# `tests/cores/link/test_size.py`, which holds both within 3 %.
# Of the flip-flops 36 % share a cell with the LUT in front of them, in a build of digits_mlp.
FULL = Count(lut=867, ff=581, loose=643)
MINIMAL = Count(lut=515, ff=269, loose=411)
FULL_WORDS = 1024
MINIMAL_WORDS = 640
"""Words of the programs, at most."""


@dataclass(frozen=True)
class LinkConfig:
    """Parameters of a `Link`.

    Parameters
    ----------
    clk_hz, baud : int
        Must divide within 2 %.
    info : bytes
        Payload of the INFO reply.
    input, output : StreamType
        One frame in link beats; see `cores.link.staging.link_stream`.
    output_beats : int
        Beats of an output frame at the accelerator's own port.
    batch : int
        Most frames of a batch.
    banks : int
        Batches held at once: with 2, one runs while the next is filled.
    probe : bool
        There is a `Probe`: RUN and registers are served.
    edges : int
        Streams inside the accelerator whose stalls it counts.
    weight_bytes : int
        Image of weights that the host must load; even.
    latency_bits : int
        Without a probe: width of the latency counter, at most 32; it stops at its highest value.
    timeout_s : float
        Silence on the line after which a frame begun is forgotten.

    Raises
    ------
    ValueError
        The clock does not divide into the baud rate, `info` is longer than 238 bytes, or
        `latency_bits` is above 32.
    """

    clk_hz: int
    baud: int
    info: bytes
    input: StreamType
    output: StreamType
    output_beats: int
    batch: int = 1
    banks: int = 1
    probe: bool = False
    edges: int = 0
    weight_bytes: int = 0
    latency_bits: int = 32
    timeout_s: float = 0.1

    def __post_init__(self):
        baud_divisor(self.clk_hz, self.baud)
        if len(self.info) > MAX_INFO:
            raise ValueError(
                f"INFO payload must have at most {MAX_INFO} bytes, not {len(self.info)}"
            )

        if not 0 < self.latency_bits <= 32:
            raise ValueError(f"latency_bits must be in 1..32, not {self.latency_bits}")

    @property
    def divisor(self) -> int:
        return baud_divisor(self.clk_hz, self.baud)

    @property
    def layout(self) -> LinkLayout:
        sizes = frame_bytes(self.input), frame_bytes(self.output)
        ends = (bank_bytes(size, self.batch, self.banks) - 1 for size in sizes)
        source_bytes, sink_bytes = (-(-end.bit_length() // 8) for end in ends)
        return LinkLayout(
            in_bytes=sizes[0],
            out_bytes=sizes[1],
            batch=self.batch,
            banks=self.banks,
            source_bytes=source_bytes,
            sink_bytes=sink_bytes,
            info=len(self.info),
            probe=self.probe,
            streams=2 + self.edges,
            weight_bytes=self.weight_bytes,
        )

    @property
    def program(self) -> Sequence[int]:
        """What the sequencer runs."""
        return firmware(self.layout, timeout_cycles=round(self.clk_hz * self.timeout_s))


def link_cost(
    sent: StreamType, returned: StreamType, device: Device, *, full: bool = True
) -> Count:
    """Primitives of the link of an accelerator.

    Block RAMs are exact, logic is that of 32 bytes in, 20 bytes out and a latency of 14 bits.

    Parameters
    ----------
    sent, returned : StreamType
        Input and output frame in link beats.
    full : bool
        With two banks where memory allows, and a probe.
    """
    batch, banks = choose_batch(sent, returned, device, banks=2 if full else 1)
    ram = device.block_ram
    blocks = (
        ram.blocks(FULL_WORDS if full else MINIMAL_WORDS, 16)
        + ram.blocks(VARIABLE_BYTES, 8)
        + ram.blocks(RECEIVE_BYTES, 8)
        + ram.blocks(TRANSMIT_BYTES, 8)
        + staging_blocks(sent, returned, device, batch, banks)
    )
    return (FULL if full else MINIMAL) + Count(ram_blocks=blocks)


class Link(wiring.Component):
    """Serves one host: stages a frame, plays it into the accelerator, returns the result.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    o : Out(stream.Signature(bits of an input link beat))
        To the accelerator.
    i : In(stream.Signature(bits of an output link beat))
        From the accelerator.
    reset_accelerator : Out(1)
    probe : Out(PROBE)
        With a probe, at the accelerator's own ports.
    enter, leave : In(1)
        Without: a beat is transferred at the accelerator's own input, or output; for the latency
        reported.
    o_weights : Out(stream.Signature(16))
        With an image of weights: its words, from the first one after each `reset_accelerator`.
    loaded : Out(1)
        With one: all of it has come. Stays through resets.
    """

    rx: Signal
    tx: Signal
    o: stream.Interface
    i: stream.Interface
    reset_accelerator: Signal
    probe: Any
    enter: Signal
    leave: Signal
    o_weights: stream.Interface
    loaded: Signal

    def __init__(self, config: LinkConfig):
        self._config = config
        members = {
            "rx": In(1),
            "tx": Out(1),
            "o": Out(stream.Signature(config.input.width)),
            "i": In(stream.Signature(config.output.width)),
            "reset_accelerator": Out(1),
        }
        if config.probe:
            members["probe"] = Out(PROBE)
        else:
            members |= {"enter": In(1), "leave": In(1)}
        if config.weight_bytes:
            members |= {"o_weights": Out(stream.Signature(16)), "loaded": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        strobe = Signal(len(Strobe))
        reset = ResetInserter(strobe[Strobe.RESET])
        m.submodules.receiver = receiver = UARTReceiver(config.divisor)
        m.submodules.received = received = ReceiveRing()
        m.submodules.transmitted = transmitted = TransmitRing()
        m.submodules.transmitter = transmitter = UARTTransmitter(config.divisor)
        frames = {"batch": config.batch, "banks": config.banks}
        source = FrameSource(config.input, **frames)
        sink = FrameSink(config.output, **frames)
        m.submodules.source = reset(source)
        m.submodules.sink = reset(sink)
        layout = config.layout
        m.submodules.sequencer = sequencer = Sequencer(
            config.program,
            variables=bytes(INFO_AT) + config.info,
            ports=PORTS_WITH_PROBE if config.probe else PORTS,
            strobes=len(Strobe),
        )
        data = sequencer.data
        m.d.comb += strobe.eq(sequencer.strobe)

        m.d.comb += receiver.rx.eq(self.rx)
        m.d.comb += self.tx.eq(transmitter.tx)
        wiring.connect(m, receiver.o, received.i)
        wiring.connect(m, transmitted.o, transmitter.i)
        m.d.comb += [
            received.next.eq(sequencer.next),
            received.mark.eq(strobe[Strobe.MARK]),
            received.free.eq(strobe[Strobe.FREE]),
            received.back.eq(strobe[Strobe.BACK]),
            received.erase.eq(strobe[Strobe.ERASE]),
            sequencer.received.eq(received.data),
            transmitted.data.eq(data),
            transmitted.append.eq(strobe[Strobe.APPEND]),
            transmitted.patch.eq(strobe[Strobe.PATCH]),
            transmitted.publish.eq(strobe[Strobe.PUBLISH]),
        ]
        # Receiving and sending never overlap in the program: one CRC serves both.
        crc = Signal(16, reset_less=True)
        with m.If(strobe[Strobe.CRC]):
            m.d.sync += crc.eq(crc16_next(crc, data))
        with m.If(strobe[Strobe.CRC_BEGIN]):
            m.d.sync += crc.eq(CRC_INIT)
        with m.If(strobe[Strobe.SLOT]):
            m.d.sync += sequencer.slot.eq(data[0])

        # Bytes enter at the top; of a batch, first the end of the source, then that of the sink.
        ends = 8 * (layout.source_bytes + layout.sink_bytes)
        job = Signal(max(ends, 32 if config.probe else 0), reset_less=True)
        end = job[len(job) - ends :]
        with m.If(strobe[Strobe.JOB]):
            m.d.sync += job.eq(Cat(job[8:], data))
        wiring.connect(m, source.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), sink.i)
        m.d.comb += [
            source.data.eq(data),
            source.write.eq(strobe[Strobe.STAGE]),
            source.clear.eq(strobe[Strobe.FILL]),
            source.start.eq(strobe[Strobe.PLAY]),
            source.end.eq(end),
            sink.bank.eq(data[0]),
            sink.start.eq(strobe[Strobe.PLAY]),
            sink.end.eq(end[8 * layout.source_bytes :]),
            sink.rewind.eq(strobe[Strobe.READ]),
            sink.next.eq(sequencer.taken[InputPort.RESULT.number]),
            self.reset_accelerator.eq(strobe[Strobe.RESET] | strobe[Strobe.RESTART]),
        ]
        # Without weights nothing is waited for.
        done, wait = sink.done, C(0, 1)
        inputs = [crc, transmitted.tail, sink.data]
        if config.probe:
            values, done = self._probe(m, sink.done, job, data, strobe)
            overrun = Signal()
            with m.If(received.lost):
                m.d.sync += overrun.eq(1)
            with m.If(strobe[Strobe.RESET]):
                m.d.sync += overrun.eq(0)
            inputs += [*values, overrun, self.probe.time[32], self.probe.times]
        else:
            m.submodules.meter = meter = LatencyMeter(
                config.output_beats, width=config.latency_bits
            )
            m.d.comb += meter.start.eq(strobe[Strobe.PLAY])
            m.d.comb += [meter.enter.eq(self.enter), meter.leave.eq(self.leave)]
            inputs.append(meter.cycles)
        if config.weight_bytes:
            wait = self._weights(m, data, strobe)
        m.d.comb += sequencer.inputs.eq(Cat(*inputs))
        conditions: dict[Condition, Value] = {
            Condition.RECEIVED: received.available,
            Condition.FULL: transmitted.full,
            Condition.DONE: done,
            Condition.WAIT: wait,
        }
        for condition, value in conditions.items():
            m.d.comb += sequencer.conditions[condition].eq(value)
        return m

    def _probe(self, m: Module, batch_done: Value, job: Value, data: Value, strobe: Value):
        """Values at ports from `Port.TIME` on, and whether a job is done."""
        probe = self.probe
        with m.If(strobe[Strobe.RUN]):
            m.d.sync += probe.run.eq(1)
        with m.Elif(strobe[Strobe.STOP]):
            m.d.sync += probe.run.eq(0)
        with m.If(strobe[Strobe.STREAM]):
            m.d.sync += probe.stream.eq(data)
        m.d.comb += [
            probe.restart.eq(strobe[Strobe.PLAY] | strobe[Strobe.RUN]),
            probe.clear.eq(strobe[Strobe.STREAM]),
            probe.shift.eq(strobe[Strobe.SHIFT]),
            probe.target.eq(job[len(job) - 32 :]),
        ]
        values = (
            probe.time[:32],
            probe.cycles,
            probe.frames_in,
            probe.stalls,
            probe.checksum,
            probe.frames_out,
        )
        return values, Mux(probe.run, probe.done, batch_done)

    def _weights(self, m: Module, data: Value, strobe: Value) -> Value:
        """Joins bytes to words; returns whether another byte must wait."""
        upper = Signal()
        weights = self.o_weights
        with m.If(weights.ready):
            m.d.sync += weights.valid.eq(0)
        # The lower byte comes first and is shifted down by the upper one, which makes the word
        # valid.
        with m.If(strobe[Strobe.WEIGHT]):
            m.d.sync += weights.payload.eq(Cat(weights.payload[8:], data))
            m.d.sync += upper.eq(~upper)
            m.d.sync += weights.valid.eq(upper)
        # The accelerator counts its words from the first again, so must a word half joined be
        # forgotten.
        with m.If(self.reset_accelerator):
            m.d.sync += upper.eq(0)
        with m.If(strobe[Strobe.LOADED]):
            m.d.sync += self.loaded.eq(data[0])
        return weights.valid

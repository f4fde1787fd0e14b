"""The host link: a serial port on one side, an accelerator's streams on the other."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.cost import Count
from cores.link.assembler import Condition
from cores.link.crc import CRC_INIT, crc16_next
from cores.link.firmware import INFO_AT, MAX_INFO, Frames, Port, Strobe, firmware
from cores.link.rings import RECEIVE_BYTES, TRANSMIT_BYTES, ReceiveRing, TransmitRing
from cores.link.sequencer import VARIABLE_BYTES, Sequencer
from cores.link.staging import (
    FrameSink,
    FrameSource,
    LatencyMeter,
    choose_batch,
    frame_bytes,
    staging_blocks,
)
from cores.link.uart import UARTReceiver, UARTTransmitter, baud_divisor
from cores.types import StreamType
from platforms.device import Device

CREDITS = 2
"""Requests that may wait for an answer: the receive ring has room for their frames."""

# As yosys 0.70 synthesises it for UP5K.
LUTS = 565
FLIP_FLOPS = 272
PROGRAM_WORDS = 576


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
    latency_bits : int
        Width of the latency counter, at most 32; it stops at its highest value.
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


def link_cost(sent: StreamType, returned: StreamType, device: Device) -> Count:
    """Primitives of the link of an accelerator.

    Block RAMs are exact, logic is that of 32 bytes in, 20 bytes out and a latency of 14 bits.

    Parameters
    ----------
    sent, returned : StreamType
        Input and output frame in link beats.
    """
    batch, banks = choose_batch(sent, returned, device)
    ram = device.block_ram
    blocks = (
        ram.blocks(PROGRAM_WORDS, 16)
        + ram.blocks(VARIABLE_BYTES, 8)
        + ram.blocks(RECEIVE_BYTES, 8)
        + ram.blocks(TRANSMIT_BYTES, 8)
        + staging_blocks(sent, returned, device, batch, banks)
    )
    return Count(lut=LUTS, ff=FLIP_FLOPS, ram_blocks=blocks)


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
    enter, leave : In(1)
        A beat is transferred at the accelerator's own input, or output; for the latency reported.
    reset_accelerator : Out(1)
    """

    rx: Signal
    tx: Signal
    o: stream.Interface
    i: stream.Interface
    enter: Signal
    leave: Signal
    reset_accelerator: Signal

    def __init__(self, config: LinkConfig):
        self._config = config
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "o": Out(stream.Signature(config.input.width)),
                "i": In(stream.Signature(config.output.width)),
                "enter": In(1),
                "leave": In(1),
                "reset_accelerator": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.receiver = receiver = UARTReceiver(config.divisor)
        m.submodules.received = received = ReceiveRing()
        m.submodules.transmitted = transmitted = TransmitRing()
        m.submodules.transmitter = transmitter = UARTTransmitter(config.divisor)
        strobe = Signal(len(Strobe))
        reset = ResetInserter(strobe[Strobe.RESET])
        frames = {"batch": config.batch, "banks": config.banks}
        source = FrameSource(config.input, **frames)
        sink = FrameSink(config.output, **frames)
        meter = LatencyMeter(config.output_beats, width=config.latency_bits)
        m.submodules.source = reset(source)
        m.submodules.sink = reset(sink)
        m.submodules.meter = meter
        sizes = Frames(
            in_bytes=frame_bytes(config.input),
            out_bytes=frame_bytes(config.output),
            source_bytes=-(-len(source.end) // 8),
            sink_bytes=-(-len(sink.end) // 8),
            **frames,
        )
        m.submodules.sequencer = sequencer = Sequencer(
            firmware(
                sizes,
                info=len(config.info),
                timeout_cycles=round(config.clk_hz * config.timeout_s),
            ),
            variables=bytes(INFO_AT) + config.info,
            ports=Port.LATENCY + 4,
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
        crc = Signal(16, reset_less=True)
        with m.If(strobe[Strobe.CRC]):
            m.d.sync += crc.eq(crc16_next(crc, data))
        with m.If(strobe[Strobe.CRC_BEGIN]):
            m.d.sync += crc.eq(CRC_INIT)
        with m.If(strobe[Strobe.SLOT]):
            m.d.sync += sequencer.slot.eq(data[0])

        # Bytes enter at the top: first the end of the source, then that of the sink.
        job = Signal(8 * (sizes.source_bytes + sizes.sink_bytes), reset_less=True)
        with m.If(strobe[Strobe.JOB]):
            m.d.sync += job.eq(Cat(job[8:], data))
        wiring.connect(m, source.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), sink.i)
        m.d.comb += [
            source.data.eq(data),
            source.write.eq(strobe[Strobe.STAGE]),
            source.clear.eq(strobe[Strobe.FILL]),
            source.start.eq(strobe[Strobe.PLAY]),
            source.end.eq(job),
            sink.bank.eq(data[0]),
            sink.start.eq(strobe[Strobe.PLAY]),
            sink.end.eq(job[8 * sizes.source_bytes :]),
            sink.rewind.eq(strobe[Strobe.READ]),
            sink.next.eq(sequencer.taken[Port.RESULT]),
            meter.start.eq(strobe[Strobe.PLAY]),
            meter.enter.eq(self.enter),
            meter.leave.eq(self.leave),
            self.reset_accelerator.eq(strobe[Strobe.RESET]),
        ]
        m.d.comb += sequencer.inputs.eq(Cat(crc, transmitted.tail, sink.data, meter.cycles))
        conditions: dict[Condition, Value] = {
            Condition.RECEIVED: received.available,
            Condition.FULL: transmitted.full,
            Condition.DONE: sink.done,
        }
        for condition, value in conditions.items():
            m.d.comb += sequencer.conditions[condition].eq(value)
        return m

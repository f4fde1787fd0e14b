"""The host link: a serial port on one side, an accelerator's streams on the other."""

from dataclasses import dataclass

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.cost import Count
from cores.link.controller import Controller
from cores.link.framing import COBSDecoder, COBSEncoder
from cores.link.packet_buffer import PacketBuffer
from cores.link.staging import FrameSink, FrameSource, LatencyMeter, frame_bytes
from cores.link.uart import UARTReceiver, UARTTransmitter, baud_divisor
from cores.types import StreamType
from platforms.device import Device

MAX_INFO = 238

# As yosys 0.70 synthesises it for UP5K.
LUTS = 600
FLIP_FLOPS = 260


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

    Block RAMs are exact, logic is that of 784 bytes in, 20 bytes out and a latency of 14 bits.

    Parameters
    ----------
    sent, returned : StreamType
        Input and output frame in link beats.
    """
    depths = (512, 256, frame_bytes(sent), frame_bytes(returned))
    blocks = sum(device.block_ram.blocks(depth, 8) for depth in depths)
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
        m.submodules.decoder = decoder = COBSDecoder()
        m.submodules.buffer = buffer = PacketBuffer(bytes(2) + config.info)
        m.submodules.controller = controller = Controller(
            info=len(config.info),
            in_bytes=frame_bytes(config.input),
            out_bytes=frame_bytes(config.output),
            latency_bits=config.latency_bits,
        )
        m.submodules.encoder = encoder = COBSEncoder()
        m.submodules.transmitter = transmitter = UARTTransmitter(config.divisor)
        reset = ResetInserter(controller.reset_frame)
        source = FrameSource(config.input)
        sink = FrameSink(config.output)
        meter = LatencyMeter(config.output_beats, width=config.latency_bits)
        m.submodules.source = reset(source)
        m.submodules.sink = reset(sink)
        m.submodules.meter = meter

        m.d.comb += receiver.rx.eq(self.rx)
        m.d.comb += self.tx.eq(transmitter.tx)
        wiring.connect(m, receiver.o, decoder.i)
        # A register, as the buffer is always ready.
        m.d.comb += decoder.o.ready.eq(1)
        m.d.sync += buffer.i.payload.eq(decoder.o.payload)
        m.d.sync += buffer.i.valid.eq(decoder.o.valid)
        wiring.connect(m, controller.o, encoder.i)
        wiring.connect(m, encoder.o, transmitter.i)
        wiring.connect(m, source.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), sink.i)

        # Counts up to the highest bit.
        patience = round(config.clk_hz * config.timeout_s)
        silence = Signal(patience.bit_length() + 1, init=(1 << patience.bit_length()) - patience)
        timeout = silence[-1]
        m.d.sync += silence.eq(silence + 1)
        with m.If(receiver.o.valid | timeout):
            m.d.sync += silence.eq(silence.init)
        m.d.comb += decoder.clear.eq(timeout)
        m.d.comb += buffer.abort.eq(timeout)

        for name in ("pending", "malformed", "too_long", "length", "data"):
            m.d.comb += getattr(controller, name).eq(getattr(buffer, name))
        for name in ("trim", "release", "address"):
            m.d.comb += getattr(buffer, name).eq(getattr(controller, name))
        m.d.comb += source.data.eq(controller.byte)
        m.d.comb += source.write.eq(controller.write)
        m.d.comb += source.clear.eq(controller.clear_frame)
        m.d.comb += controller.filled.eq(source.filled)
        m.d.comb += controller.full.eq(source.full)
        for part in (source, sink, meter):
            m.d.comb += part.start.eq(controller.start)
        m.d.comb += controller.done.eq(sink.done)
        m.d.comb += sink.address.eq(controller.result_address)
        m.d.comb += controller.result_data.eq(sink.data)
        m.d.comb += meter.enter.eq(self.enter)
        m.d.comb += meter.leave.eq(self.leave)
        m.d.comb += controller.cycles.eq(meter.cycles)
        m.d.comb += self.reset_accelerator.eq(controller.reset_frame)
        return m

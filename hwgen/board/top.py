"""Top level of a design: accelerator, host link and, on a board, pins."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal, Value
from amaranth.lib import io
from amaranth.lib.wiring import Component, In, Out, connect

from cores.link.link import CREDITS, Link, LinkConfig
from cores.link.probe import Probe
from cores.link.staging import choose_batch, frame_bytes, link_stream
from cores.types import StreamType
from cores.width_converter import ConvertWidth
from hwgen.builder import Accelerator
from hwgen.design import DEFAULT_BAUD
from hwgen.host.protocol import Feature, Info
from platforms.boards.board import Board
from platforms.device import Device

LATENCY_RANGE = 8
"""Multiple of latency and transfer that the latency counter must reach."""


@dataclass(frozen=True)
class Identity:
    """What a design tells a host about itself, besides its frames.

    Parameters
    ----------
    model_hash, build_id : bytes
        8 bytes each, as in the manifest.
    cycles_per_frame, latency_cycles : int
    generator : tuple of int
        Version of hwgen.
    """

    model_hash: bytes
    build_id: bytes
    cycles_per_frame: int
    latency_cycles: int
    generator: tuple[int, int, int]


def link_config(
    accelerator: Accelerator,
    identity: Identity,
    *,
    clk_hz: int,
    baud: int = DEFAULT_BAUD,
    device: Device | None = None,
    full: bool = True,
) -> LinkConfig:
    """Parameters of the link of an accelerator.

    Parameters
    ----------
    device : Device or None
        Whose memory the batches of frames must suit.
    full : bool
        With two banks, patterns, counters and registers; else the minimal link.

    Raises
    ------
    ValueError
        The clock does not divide into the baud rate, or a stream of the accelerator is not dense
        with one position per beat.
    """
    streams = (accelerator.input_type, accelerator.output_type)
    for stream in streams:
        if stream.order != "dense" or stream.pixels != 1:
            raise ValueError(f"streams at the link must be dense with pixels=1, not {stream}")
    sent, returned = (link_stream(stream) for stream in streams)
    batch, banks = choose_batch(sent, returned, device, banks=2 if full else 1)
    features = Feature(0)
    if full:
        features |= Feature.RUN
    if accelerator.weight_bytes:
        features |= Feature.WEIGHTS
    info = Info(
        model_hash=identity.model_hash,
        build_id=identity.build_id,
        clk_hz=clk_hz,
        in_bytes=frame_bytes(sent),
        out_bytes=frame_bytes(returned),
        cycles_per_frame=identity.cycles_per_frame,
        latency_cycles=identity.latency_cycles,
        generator=identity.generator,
        credits=CREDITS if full else 1,
        features=features,
        batch_frames=batch,
        banks=banks,
        weight_bytes=accelerator.weight_bytes,
    )
    slowest = identity.latency_cycles + info.in_bytes + info.out_bytes
    return LinkConfig(
        clk_hz=clk_hz,
        baud=baud,
        info=info.pack(),
        input=sent,
        output=returned,
        output_beats=accelerator.output_type.beats,
        batch=batch,
        banks=banks,
        probe=full,
        edges=accelerator.edges,
        weight_bytes=accelerator.weight_bytes,
        latency_bits=min(32, (LATENCY_RANGE * slowest).bit_length()),
    )


class LinkedAccelerator(Component):
    """An accelerator behind its host link.

    Parameters
    ----------
    accelerator : Accelerator
    config : LinkConfig
        By `link_config`.
    device : Device or None
        Whose primitives the width converters use.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    """

    rx: Signal
    tx: Signal

    def __init__(self, accelerator: Accelerator, config: LinkConfig, device: Device | None = None):
        super().__init__({"rx": In(1), "tx": Out(1)})
        self._accelerator = accelerator
        self._config = config
        self._device = device

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accelerator: Any = self._accelerator
        m.submodules.link = link = Link(self._config)
        # A cycle late: the path from the link's program to every flip-flop is long.
        restart = Signal()
        m.d.sync += restart.eq(link.reset_accelerator)
        reset = ResetInserter(restart)
        m.submodules.accelerator = reset(accelerator)
        m.d.comb += link.rx.eq(self.rx)
        m.d.comb += self.tx.eq(link.tx)

        if self._config.weight_bytes:
            _pass(m, link.o_weights, accelerator.weights)
        i, o = accelerator.i, accelerator.o
        if self._config.probe:
            m.submodules.probe = probe = reset(
                Probe(accelerator.input_type, accelerator.output_type, edges=accelerator.edges)
            )
            connect(m, link.probe, probe.link)
            if accelerator.edges:
                m.d.comb += probe.edge_stalls.eq(accelerator.stalls)
            _pass(m, probe.o, i)
            _pass(m, o, probe.i_result)
            i, o = probe.i, probe.o_result
        else:
            m.d.comb += link.enter.eq(i.valid & i.ready)
            m.d.comb += link.leave.eq(o.valid & o.ready)
        entry = self._convert(m, reset, "entry", self._config.input, accelerator.input_type)
        exit_ = self._convert(m, reset, "exit", accelerator.output_type, self._config.output)
        _pass(m, link.o, entry.i if entry else i)
        _pass(m, exit_.o if exit_ else o, link.i)
        if entry:
            _pass(m, entry.o, i)
        if exit_:
            _pass(m, o, exit_.i)
        return m

    def _convert(
        self, m: Module, reset: ResetInserter, name: str, source: StreamType, sink: StreamType
    ) -> Any:
        """A width converter between two streams, or None where they are equal."""
        if source.lanes == sink.lanes:
            return None
        core = ConvertWidth(source, sink.lanes).core(self._device)
        m.submodules[name] = reset(core)
        return core


def _pass(m: Module, source: Any, sink: Any) -> None:
    """Connects two streams whose payloads have the same bits."""
    m.d.comb += Value.cast(sink.payload).eq(Value.cast(source.payload))
    m.d.comb += sink.valid.eq(source.valid)
    m.d.comb += source.ready.eq(sink.ready)


class BoardTop(Elaboratable):
    """The design of a board: an accelerator and its link at the board's pins, in domain `sync`.

    The board's LED, where there is one, shines while the serial line is low in either direction.

    Parameters
    ----------
    accelerator : Accelerator
    config : LinkConfig
        By `link_config`, for the clock that the board will have.
    board : Board
    """

    def __init__(self, accelerator: Accelerator, config: LinkConfig, board: Board):
        self._design = LinkedAccelerator(accelerator, config, board.device)
        self._board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        design: Any = self._design
        m.submodules.design = design
        name, number = self._board.uart
        uart = platform.request(name, number, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += design.rx.eq(rx.i)
        m.d.comb += tx.o.eq(design.tx)
        if self._board.led:
            name, number = self._board.led
            pin = platform.request(name, number, dir="-")
            m.submodules.led = led = io.Buffer(io.Direction.Output, pin)
            m.d.comb += led.o.eq(~(rx.i & design.tx))
        return m

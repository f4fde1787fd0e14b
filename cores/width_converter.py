"""WidthConverter: the same elements in beats of another number of lanes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class ConvertWidth(Op):
    """Identity between streams that differ in lanes.

    Parameters
    ----------
    type : StreamType
        The incoming stream.
    lanes : int
        Lanes of the outgoing stream; must divide the channels. Pixels per beat stay.

    Raises
    ------
    ValueError
        `lanes` does not divide the channels.
    """

    type: StreamType
    lanes: int

    def __post_init__(self):
        self.type.with_lanes(self.lanes)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": self.type}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": self.type.with_lanes(self.lanes)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.array(tensors[0], np.int64)

    @property
    def stages(self) -> Stages:
        return Stages(1, skips=not self.gathers)

    @property
    def gathers(self) -> bool:
        """Whether whole beats are collected in the output register, with no store beside it."""
        return self.type.lanes == self.chunk

    @property
    def timing(self) -> Timing:
        return Timing(
            cycles=max(self.type.beats, self.outputs["o"].beats),
            depth=self.stages,
            reads=self._reads,
            emits=self._emits,
        )

    def _reads(self, port: str) -> np.ndarray:
        # Down: a beat is read with the first output that needs it. Up: one beat per step.
        return np.arange(self.type.beats) * max(self.type.lanes, self.lanes) // self.lanes

    def _emits(self, port: str) -> np.ndarray:
        ends = (np.arange(self.outputs["o"].beats) + 1) * self.lanes
        return -(-ends // min(self.type.lanes, self.lanes)) - 1

    @cached_property
    def chunk(self) -> int:
        """Lanes that always travel together."""
        return gcd(self.type.lanes, self.lanes)

    @cached_property
    def phases(self) -> tuple[tuple[int, bool, bool], ...]:
        """Chunks left over, whether a beat is read, and whether one is emitted, for each step until
        nothing is left over."""
        wide, narrow = self.type.lanes // self.chunk, self.lanes // self.chunk
        level, phases = 0, []
        for _ in range(max(wide, narrow)):
            read = wide < narrow or level < narrow
            emit = level + wide * read >= narrow
            phases.append((level, read, emit))
            level += wide * read - narrow * emit
        return tuple(phases)

    def cost(self, device: Device) -> Count:
        turn = (len(self.phases) - 1).bit_length()
        known = sum(not all(flags) for flags in list(zip(*self.phases, strict=True))[1:])
        # As synthesised: what goes on or waits, and enables the counter, the flags, the registers.
        total = self.stages.cost + Count(lut=4 + turn, ff=turn + known, loose=4)
        total += Count(ff=self.outputs["o"].width)
        if self.gathers:
            return total
        width = self.chunk * self.type.pixels * self.type.dtype.width
        held = max(level for level, _, _ in self.phases)
        # A chunk comes from the store (0, 1, ...) or from the input (-1, -2, ...).
        taken = [-1 - c for c in range(self.type.lanes // self.chunk)]
        sources: dict[tuple[str, int], set[int]] = {}
        for level, read, emit in self.phases:
            chunks = list(range(level)) + taken if read else list(range(held))
            out = self.lanes // self.chunk if emit else 0
            for place, chunk in enumerate(chunks):
                key = ("out", place) if place < out else ("store", place - out)
                sources.setdefault(key, set()).add(chunk)
        muxes = sum(
            len(found) - 1
            for (where, place), found in sources.items()
            if where == "out" or place < held
        )
        return total + Count(ff=held * width, lut=muxes * width)

    def binding(self) -> str:
        return f"{self.type.lanes} to {self.lanes} lanes"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["ConvertWidth"]:
        s3 = IntType(-3, 3)
        pairs = ((1, 12), (12, 1), (2, 6), (6, 2), (4, 4), (4, 6), (6, 4), (3, 4), (4, 3))
        return (
            *(cls(StreamType((12,), s3, a), b) for a, b in pairs),
            cls(StreamType((2, 6), s3, 2), 3),
            cls(StreamType((4, 6), s3, 3, pixels=2), 2),
            cls(StreamType((4, 4), IntType(0, 1), 1, pixels=4), 2),
            cls(StreamType((1,), s3), 1),
        )

    def core(self, device: Device | None = None) -> "WidthConverter":
        return WidthConverter(self, device)


class WidthConverter(Core):
    """Carries a `ConvertWidth` at one beat per cycle on the side with more beats.

    Wider by a whole factor: beats are shifted into the output register. Else what an output beat
    leaves over of its input is kept in front of the next, in chunks of the greatest common divisor
    of the two widths.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: ConvertWidth
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        op = self.op
        m = Module()
        # What a step reads and emits is the same each time that nothing is left over again.
        phase = Signal(range(len(op.phases)))
        moves = Signal()
        read = self._known(m, "read", [read for _, read, _ in op.phases], phase, moves)
        emit = self._known(m, "emit", [emit for _, _, emit in op.phases], phase, moves)
        # Where the output register is also the store, no step goes on before it is free; else
        # those that only fill the store do.
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [
            pipeline.i_valid.eq(self.i.valid | ~read),
            pipeline.emits.eq(emit),
            moves.eq(pipeline.step),
            self.i.ready.eq(read & pipeline.i_ready),
        ]
        with m.If(moves):
            last = phase == len(op.phases) - 1
            m.d.sync += phase.eq(Mux(last, 0, phase + 1))

        width = op.chunk * op.type.pixels * op.type.dtype.width
        out = [Signal(width) for _ in range(op.lanes // op.chunk)]
        taken = self._split()
        with m.If(moves):
            if op.gathers:
                # The first beat comes in at the top and is in the low bits once all have come.
                m.d.sync += Cat(*out).eq(Cat(*out[1:], *taken))
            else:
                # Chunks left over go before those taken: first into the output beat, then into
                # the store. The choice of each register is that of few phases.
                store = [Signal(width) for _ in range(max(level for level, _, _ in op.phases))]
                with m.Switch(phase):
                    for number, (level, reads, emits) in enumerate(op.phases):
                        chunks = store[:level] + taken if reads else store
                        with m.Case(number):
                            if emits:
                                m.d.sync += Cat(*out).eq(Cat(*chunks[: len(out)]))
                                chunks = chunks[len(out) :]
                            m.d.sync += [s.eq(c) for s, c in zip(store, chunks, strict=False)]
        self._join(m, out)
        return m

    def _known(
        self, m: Module, name: str, turns: Sequence[bool], phase: Value, moves: Value
    ) -> Value:
        """What is true of some phases, as a register: `ready` of the input waits for it."""
        if all(turns):
            return Const(1)
        now, following = Signal(name=name, init=turns[0]), Signal(name=f"{name}_next")
        m.d.comb += following.eq(Array([*turns[1:], turns[0]])[phase])
        with m.If(moves):
            m.d.sync += now.eq(following)
        return now

    def _split(self) -> list[Value]:
        """The incoming beat in chunks, each with `chunk` lanes of every pixel."""
        chunk, lanes, pixels = self.op.chunk, self.op.type.lanes, self.op.type.pixels
        return [
            Cat(*(self.i.payload[q * lanes + c + k] for q in range(pixels) for k in range(chunk)))
            for c in range(0, lanes, chunk)
        ]

    def _join(self, m: Module, chunks: Sequence[Value]) -> None:
        """The inverse of `_split`, onto the output."""
        chunk, lanes, pixels = self.op.chunk, self.op.lanes, self.op.type.pixels
        for q in range(pixels):
            for lane in range(lanes):
                element = chunks[lane // chunk].word_select(
                    q * chunk + lane % chunk, self.op.type.dtype.width
                )
                m.d.comb += self.o.payload[q * lanes + lane].eq(element)

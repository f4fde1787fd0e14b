"""PixelConverter: the same elements in beats of another number of neighbouring positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory import replay
from cores.memory.replay import Replay
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class ConvertPixels(Op):
    """Identity between streams that differ in pixels.

    Parameters
    ----------
    type : StreamType
        The incoming stream.
    pixels : int
        Pixels of the outgoing stream: a multiple of the incoming ones, or a divisor. Lanes stay.

    Raises
    ------
    ValueError
        `pixels` does not divide the positions, or is neither a multiple nor a divisor.
    """

    type: StreamType
    pixels: int

    def __post_init__(self):
        replace(self.type, pixels=self.pixels)
        if self.type.pixels % self.pixels and self.pixels % self.type.pixels:
            raise ValueError(
                f"pixels of ConvertPixels must be a multiple or a divisor of the "
                f"{self.type.pixels} of its input, not {self.pixels}"
            )

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": self.type}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": replace(self.type, pixels=self.pixels)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.array(tensors[0], np.int64)

    @property
    def gathers(self) -> bool:
        return self.pixels > self.type.pixels

    @property
    def parts(self) -> int:
        """Beats of few pixels for each beat of many."""
        return max(self.pixels, self.type.pixels) // min(self.pixels, self.type.pixels)

    @property
    def beats(self) -> int:
        """Beats of a position."""
        return self.type.channels // self.type.lanes

    @property
    def stages(self) -> Stages:
        # A memory of what is kept takes two cycles, and what passes it takes as long.
        return Stages(replay.DEPTH if self.parts > 1 else 1)

    @property
    def timing(self) -> Timing:
        cycles = max(self.type.beats, self.outputs["o"].beats)
        if self.gathers:
            return Timing(cycles=cycles, depth=self.stages, emits=self._wide)
        return Timing(cycles=cycles, depth=self.stages, reads=self._wide)

    def _wide(self, port: str) -> np.ndarray:
        """Steps of the beats of many pixels: with the first part, or the last if it gathers."""
        starts = np.arange(0, self.cycles, self.parts * self.beats)
        starts += (self.parts - 1) * self.beats * self.gathers
        return (starts[:, None] + np.arange(self.beats)).ravel()

    @property
    def part(self) -> int:
        """Bits of a beat of few pixels."""
        return min(self.type.width, self.outputs["o"].width)

    def cost(self, device: Device) -> Count:
        count = (self.parts - 1).bit_length() + (self.beats - 1).bit_length()
        # The two counters and their ends; the step; which part it is, and the part that is not
        # kept, as late as the others.
        depth = self.stages.depth
        total = self.stages.cost + Count(lut=4 + count // 2, add=count, ff=count + depth)
        total += Count(ff=depth * self.part)
        if self.gathers:
            return total + (self.parts - 1) * replay.cost(self.beats, self.part, device)
        kept = (self.parts - 1) * self.part
        total += Count(mux=kept, loose=kept)
        return total + replay.cost(self.beats, kept, device)

    def binding(self) -> str:
        return f"{self.type.pixels} to {self.pixels} pixels"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["ConvertPixels"]:
        s3 = IntType(-3, 3)
        kinds = ((2, 1, 2), (2, 2, 1), (2, 1, 4), (2, 4, 1), (6, 1, 2), (6, 2, 1), (1, 4, 2))
        return (
            *(cls(StreamType((4, 6), s3, lanes, a), b) for lanes, a, b in kinds),
            cls(StreamType((2, 3, 4), IntType(0, 1), 1, pixels=1), 6),
            cls(StreamType((2, 3, 4), IntType(0, 1), 1, pixels=6), 2),
            cls(StreamType((4, 90), IntType(0, 255), 1), 2),
            cls(StreamType((4, 90), IntType(0, 255), 1, pixels=2), 1),
            cls(StreamType((2, 12), s3, 2, order="depthwise:3:2"), 2),
            cls(StreamType((3,), s3), 1),
        )

    def core(self, device: Device | None = None) -> "PixelConverter":
        return PixelConverter(self, device)


def cheapest(type: StreamType, pixels: int) -> ConvertPixels | ConvertWidth:
    """Makes beats of another number of positions: where a beat holds whole positions, they are
    elements in a row, and nothing has to wait in a memory."""
    if type.lanes < type.channels or type.order != "dense":
        return ConvertPixels(type, pixels)
    row = replace(type, shape=(prod(type.shape),), lanes=type.elements, pixels=1)
    return ConvertWidth(row, type.channels * pixels)


class PixelConverter(Core):
    """Carries a `ConvertPixels` at one beat per cycle on the side with more beats.

    All registers move together while the output can be taken. Positions that wait for the others of
    their beat are kept, beat by beat, until the last one comes, or until their turn.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: ConvertPixels
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        # A step is a beat of few pixels. It counts those of a position, then the positions of a
        # beat of many pixels.
        step = Signal()
        beat, part = Signal(range(op.beats)), Signal(range(op.parts))
        with m.If(step):
            last = beat == op.beats - 1
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += part.eq(Mux(part == op.parts - 1, 0, part + 1))

        word = Value.cast(self.i.payload)
        if op.gathers:
            m.d.comb += [
                step.eq(pipeline.advance & self.i.valid),
                self.i.ready.eq(pipeline.i_ready),
            ]
            # The last part completes a beat; those before it are kept, and let in bubbles.
            m.d.comb += pipeline.i_valid.eq(step & (part == op.parts - 1))
            found = [
                self._kept(m, f"part{k}", word, pipeline.advance, step, beat, part == k)
                for k in range(op.parts - 1)
            ]
            found.append(pipeline.delay(word, op.depth, name="last"))
        else:
            # The first part passes with the beat that is taken, the others are kept for later.
            fresh = part == 0
            m.d.comb += [
                step.eq(pipeline.advance & (self.i.valid | ~fresh)),
                self.i.ready.eq(pipeline.i_ready & fresh),
                pipeline.i_valid.eq(step),
            ]
            found = [pipeline.delay(word[: op.part], op.depth, name="first")]
            if op.parts > 1:
                rest = word[op.part :]
                kept = self._kept(m, "parts", rest, pipeline.advance, step, beat, fresh)
                parts = [*found, *(kept.word_select(k, op.part) for k in range(op.parts - 1))]
                found = [Array(parts)[pipeline.delay(part, op.depth, name="part")]]
        m.d.comb += Value.cast(self.o.payload).eq(Cat(*found))
        return m

    def _kept(
        self, m: Module, name: str, word: Value, en: Value, step: Value, beat: Value, fresh: Value
    ) -> Value:
        """The words of the last time that it was `fresh`, `op.depth` cycles after the step."""
        m.submodules[name] = kept = Replay(self.op.beats, len(word), self.device)
        m.d.comb += [kept.en.eq(en), kept.step.eq(step), kept.fresh.eq(fresh)]
        m.d.comb += [kept.addr.eq(beat), kept.i.eq(word)]
        return kept.o

"""Crop: some of the elements along each axis, the others dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from amaranth.hdl import Cat, Module, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory import loop_nest
from cores.memory.loop_nest import LoopNest
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.sum.adder_tree import comparator
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Crop(Op):
    """Elements start, start + step, ... below stop of every axis.

    Parameters
    ----------
    shape : tuple of int
        Of the incoming frame, channels last.
    dtype : IntType
    starts, stops, steps : tuple of int
        One number for each axis, channels included.
    pe : int
        Channels per incoming beat; divides their number. Whole beats must be kept or dropped,
        unless a beat has all channels.

    Raises
    ------
    ValueError
        The numbers leave the frame or nothing of it, or `pe` does not suit the channels kept.
    """

    shape: tuple[int, ...]
    dtype: IntType
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        for name in ("starts", "stops", "steps"):
            if len(getattr(self, name)) != len(self.shape):
                raise ValueError(
                    f"{name} of Crop must have one number for each of the {len(self.shape)} axes, "
                    f"not {getattr(self, name)}"
                )
        axes = zip(self.starts, self.stops, self.steps, self.shape, strict=True)
        for start, stop, step, size in axes:
            if not (0 <= start < stop <= size and step >= 1):
                raise ValueError(
                    f"Crop must keep something within 0..{size} of every axis, "
                    f"not {start}..{stop} in steps of {step}"
                )
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(f"PE must divide the {self.channels} channels of Crop, not {self.pe}")
        if not self._whole(self.pe):
            raise ValueError(
                f"PE {self.pe} of Crop must keep or drop whole beats, which "
                f"channels {self.starts[-1]}..{self.stops[-1]} in steps of {self.steps[-1]} "
                f"do not: use PE 1 or PE {self.channels}"
            )

    def _whole(self, pe: int) -> bool:
        """Whether beats of `pe` channels are kept or dropped as a whole."""
        if pe in (1, self.channels):
            return True
        kept = np.isin(np.arange(self.channels), self.kept[-1]).reshape(-1, pe)
        return bool((kept.all(axis=1) | ~kept.any(axis=1)).all())

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def kept(self) -> tuple[np.ndarray, ...]:
        """Indices that are kept, for each axis."""
        ranges = zip(self.starts, self.stops, self.steps, strict=True)
        return tuple(np.arange(*numbers) for numbers in ranges)

    @property
    def lanes(self) -> tuple[int, ...]:
        """Lanes of an incoming beat that are kept."""
        return tuple(self.kept[-1].tolist() if self.pe == self.channels else range(self.pe))

    @property
    def turns(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Loops over the beats, innermost first: turns, and those whose beats are kept."""
        beats = tuple(dict.fromkeys((self.kept[-1] // self.pe).tolist()))
        space = zip(self.shape[:-1], self.kept[:-1], strict=True)
        outer = [(size, tuple(kept.tolist())) for size, kept in space]
        return ((self.channels // self.pe, beats), *reversed(outer))

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        shape = tuple(kept.size for kept in self.kept)
        return {"o": StreamType(shape, self.dtype, len(self.lanes))}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        ranges = zip(self.starts, self.stops, self.steps, strict=True)
        return np.array(tensors[0], np.int64)[(..., *(slice(*numbers) for numbers in ranges))]

    @property
    def stages(self) -> Stages:
        return Stages(1, skips=True)

    @property
    def timing(self) -> Timing:
        cycles = self.inputs["i"].beats
        return Timing(cycles=cycles, depth=self.stages, emits=self._kept)

    def _kept(self, port: str) -> np.ndarray:
        steps = np.zeros(1, np.int64)
        size = prod(count for count, _ in self.turns)
        for count, kept in reversed(self.turns):
            size //= count
            steps = (steps[:, None] + np.array(kept) * size).ravel()
        return steps

    def cost(self, device: Device) -> Count:
        # `ready` for beats that are dropped, and the step of the loops.
        total = self.stages.cost + Count(lut=2, ff=self.outputs["o"].width)
        total += loop_nest.cost([count for count, _ in self.turns], device)
        for count, kept in self.turns:
            bits = (count - 1).bit_length()
            if kept[-1] - kept[0] == len(kept) - 1:
                bounds = (kept[0] > 0) + (kept[-1] < count - 1)
                total += comparator(bits, device, times=bounds)
            else:
                total += Count(lut=-(-bits // 2))
        return total

    def foldings(self, device: Device) -> Iterator["Crop"]:
        for pe in divisors(self.channels):
            if self._whole(pe):
                yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Crop"]:
        s4 = IntType(-7, 7)
        return (
            cls((4, 5, 2), s4, (1, 0, 0), (3, 4, 2), (1, 1, 1)),
            cls((4, 5, 2), s4, (0, 1, 0), (4, 5, 2), (2, 3, 1), pe=2),
            cls((3, 8), s4, (0, 2), (3, 6), (1, 1), pe=2),
            cls((3, 8), s4, (0, 1), (3, 8), (1, 3)),
            cls((3, 8), s4, (1, 1), (2, 8), (1, 3), pe=8),
            cls((6,), s4, (5,), (6,), (1,)),
            cls((6,), s4, (0,), (6,), (1,), pe=3),
            cls((1, 1), IntType(0, 1), (0, 0), (1, 1), (1, 1)),
        )

    def core(self, device: Device | None = None) -> "Cropper":
        return Cropper(self, device)


class Cropper(Core):
    """Carries a `Crop`: counts the beats, and takes those it drops whatever the output does.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Crop
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        m.submodules.loops = loops = LoopNest([count for count, _ in op.turns])
        pipeline = Pipeline(m, op.stages, self.o)
        # A beat is kept where its number in every loop is one of those kept along that axis.
        kept = [
            _among(number, count, kept)
            for number, (count, kept) in zip(loops.numbers, op.turns, strict=True)
        ]
        m.d.comb += [
            pipeline.i_valid.eq(self.i.valid),
            pipeline.emits.eq(Cat(*kept).all()),
            self.i.ready.eq(pipeline.i_ready),
            loops.step.eq(pipeline.step),
        ]
        # The register follows the input also where nothing is kept: `valid` is 0 then.
        with m.If(pipeline.advance):
            for k, lane in enumerate(op.lanes):
                m.d.sync += self.o.payload[k].eq(self.i.payload[lane])
        return m


def _among(number: Value, count: int, kept: tuple[int, ...]) -> Value:
    """Whether a number below `count` is one of those."""
    if len(kept) == count:
        return Value.cast(1)
    if kept[-1] - kept[0] == len(kept) - 1:
        return (number >= kept[0]) & (number <= kept[-1])
    return Cat(*(number == value for value in kept)).any()

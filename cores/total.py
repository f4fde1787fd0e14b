"""Global pooling: the sum, or the largest, of all positions, per channel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory import line_buffer
from cores.memory.line_buffer import LineBuffer
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.pooling import FUNCTIONS, cost_of_next, of_many, of_two
from cores.silicon.family import silicon
from cores.sum.adder_tree import adder
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Total(Op):
    """y[c] = sum, or largest, of x[..., c] over all positions of a frame.

    Parameters
    ----------
    shape : tuple of int
        Of the incoming frame, channels last.
    dtype : IntType
        Range of each input element.
    fn : str
        ``"sum"`` or ``"max"``.
    pe : int
        Channels per beat; divides their number.

    Raises
    ------
    ValueError
        `fn` is unknown, or `pe` does not divide the channels.
    """

    shape: tuple[int, ...]
    dtype: IntType
    fn: str = field(default="sum", kw_only=True)
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if self.fn not in FUNCTIONS:
            raise ValueError(f"fn of Total must be one of {', '.join(FUNCTIONS)}, not {self.fn!r}")
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"shape of Total must be positive, not {self.shape}")
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(f"PE must divide the {self.channels} channels of Total, not {self.pe}")

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def groups(self) -> int:
        """Beats of one position."""
        return self.channels // self.pe

    @property
    def positions(self) -> int:
        return prod(self.shape[:-1])

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        dtype = of_many(self.fn, self.dtype, self.positions)
        return {"o": StreamType((self.channels,), dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = np.asarray(tensors[0], np.int64)
        space = tuple(range(x.ndim - len(self.shape), x.ndim - 1))
        return x.max(axis=space) if self.fn == "max" else x.sum(axis=space)

    @property
    def stages(self) -> Stages:
        return Stages(2 if self.stored else 1)  # a memory is read one cycle ahead

    @property
    def timing(self) -> Timing:
        cycles = self.positions * self.groups
        return Timing(
            cycles=cycles,
            depth=self.stages,
            emits=lambda port: np.arange(cycles - self.groups, cycles),
        )

    @property
    def stored(self) -> bool:
        """Whether the sums wait in a memory while other channels have their turn."""
        return self.groups > 1 and self.positions > 1

    def cost(self, device: Device) -> Count:
        width = self.outputs["o"].width
        position = (self.positions - 1).bit_length()
        # The counter of positions, its end, and whether a position is the first or the last one.
        total = self.stages.cost + Count(lut=2 + position // 2, ff=width + position + 2)
        total += adder(position, device)
        if self.positions > 1:
            total += self.pe * cost_of_next(self.fn, width // self.pe, device)
        if self.stored:
            group = (self.groups - 1).bit_length()
            # The counter of groups and the beat, and both a cycle later.
            total += Count(lut=group // 2, ff=2 * group + 2 + self.inputs["i"].width)
            total += adder(group, device)
            total += line_buffer.cost(self.groups, width, device)
            if silicon(device).carry.FOLDS_CHOICE:
                total += Count(lut=width)  # the sum also goes to the memory: no LUT is shared
        return total

    def foldings(self, device: Device) -> Iterator["Total"]:
        for pe in divisors(self.channels):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Total"]:
        u4, s4 = IntType(0, 15), IntType(-7, 7)
        return (
            cls((3, 2, 4), s4),
            cls((3, 2, 4), s4, fn="max", pe=2),
            cls((5, 4), u4, pe=2),
            cls((5, 4), u4, pe=4),
            cls((5, 3), IntType(-9, -4), fn="max", pe=3),
            cls((1, 4), s4, pe=2),
            cls((4,), s4),
            cls((2, 1), u4),
        )

    def core(self, device: Device | None = None) -> "GlobalAccumulator":
        return GlobalAccumulator(self, device)


class GlobalAccumulator(Core):
    """Computes a `Total`: one input beat per cycle.

    A single channel group is summed in the output register; several take turns in a memory that
    is read one cycle ahead.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Total
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
        group, round_done = self._counter(m, "group", op.groups, pipeline.step)
        _, last = self._counter(m, "position", op.positions, pipeline.step & round_done)
        # A register, so that no zero of a counter lies in front of the adders.
        first = Signal(init=1)
        with m.If(pipeline.step & round_done):
            m.d.sync += first.eq(last)
        if op.stored:
            self._memory(m, pipeline, group, first, last)
        else:
            # The only sum is in the output register, not valid before the last position.
            m.d.comb += pipeline.emits.eq(last)
            with m.If(pipeline.step):
                for lane in range(op.pe):
                    total, word = self.o.payload[lane], self.i.payload[lane]
                    m.d.sync += total.eq(Mux(first, word, of_two(op.fn, total, word)))
        return m

    def _memory(
        self, m: Module, pipeline: Pipeline, group: Signal, first: Value, last: Value
    ) -> None:
        """Sums that take turns: read with the step, added and written back one cycle later."""
        op = self.op
        out = op.outputs["o"]
        m.submodules.sums = sums = LineBuffer(op.groups, out.width, self.device)
        late = Signal.like(group, name="late")
        word = Signal.like(self.i.payload)
        begins, ends = Signal(), Signal()
        # A sum is written in the cycle in which the next group's is read: with more than one group
        # never the same word. It is written once, so not while the output waits, and not for a
        # bubble.
        m.d.comb += [
            sums.address.eq(group),
            sums.read.eq(pipeline.advance),
            sums.write.eq(pipeline.advance & pipeline.valid[1]),
            sums.write_address.eq(late),
            pipeline.emits.eq(ends),
        ]
        with m.If(pipeline.advance):
            m.d.sync += [late.eq(group), word.eq(self.i.payload), begins.eq(first), ends.eq(last)]
        for lane in range(op.pe):
            kept, total = Signal(out.dtype.shape), Signal(out.dtype.shape)
            place = slice(lane * out.dtype.width, (lane + 1) * out.dtype.width)
            m.d.comb += [
                kept.eq(sums.data[place]),
                total.eq(Mux(begins, word[lane], of_two(op.fn, kept, word[lane]))),
                sums.write_data[place].eq(total),
            ]
            with m.If(pipeline.advance):
                m.d.sync += self.o.payload[lane].eq(total)

    @staticmethod
    def _counter(m: Module, name: str, count: int, step: Value) -> tuple[Signal, Value]:
        """Counts steps modulo `count`; the count and whether it is the last one, a register."""
        number, last = Signal(range(count), name=name), Signal(name=f"{name}_last", init=count == 1)
        if count > 1:
            with m.If(step):
                m.d.sync += [number.eq(Mux(last, 0, number + 1)), last.eq(number == count - 2)]
        return number, last

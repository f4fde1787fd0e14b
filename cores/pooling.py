"""Pooling: the largest or the sum of the elements under a window, per channel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.silicon.family import silicon
from cores.sum import adder_tree
from cores.timing import Timing
from cores.types import IntType, StreamType, depthwise, divisors
from platforms.device import Device

FUNCTIONS = ("max", "sum")


def of_many(fn: str, dtype: IntType, count: int) -> IntType:
    """Range of the result for `count` elements."""
    return dtype if fn == "max" else IntType(count * dtype.lo, count * dtype.hi)


def of_two(fn: str, a: Value, b: Value) -> Value:
    return Mux(a > b, a, b) if fn == "max" else a + b


def cost_of_two(fn: str, width: int, device: Device) -> Count:
    """Of one adder, or of one comparison and its choice, both without a register."""
    if fn == "max":
        return adder_tree.comparator(width, device) + Count(lut=width)
    return adder_tree.adder(width, device)


def cost_of_next(fn: str, width: int, device: Device) -> Count:
    """Of what an accumulator takes next: the result of two, or the first word alone."""
    # That choice shares a LUT with the other of `max`, and with an adder where there is room.
    shared = fn == "max" or silicon(device).carry.FOLDS_CHOICE
    return cost_of_two(fn, width, device) + Count(lut=0 if shared else width)


@dataclass(frozen=True, eq=False)
class Reduce(Op):
    """y[..., c] = largest, or sum, of x[..., k*C + c] over k.

    Parameters
    ----------
    channels, taps : int
        C, and how many elements of each make one.
    dtype : IntType
        Range of each input element.
    fn : str
        ``"max"`` or ``"sum"``.
    positions : tuple of int
        Leading axes of a frame.
    pe, simd : int
        Channels and taps computed per cycle; divide their numbers.

    Raises
    ------
    ValueError
        A number is not positive or does not divide, or `fn` is unknown.
    """

    channels: int
    taps: int
    dtype: IntType
    fn: str = field(kw_only=True)
    positions: tuple[int, ...] = field(default=(), kw_only=True)
    pe: int = field(default=1, kw_only=True)
    simd: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if self.fn not in FUNCTIONS:
            raise ValueError(f"fn of Reduce must be one of {', '.join(FUNCTIONS)}, not {self.fn!r}")
        for name in ("channels", "taps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of Reduce must be positive, not {getattr(self, name)}")
        if self.positions and min(self.positions) < 1:
            raise ValueError(f"positions of Reduce must be positive, not {self.positions}")
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(
                f"PE must divide the {self.channels} channels of Reduce, not {self.pe}"
            )
        if self.simd < 1 or self.taps % self.simd:
            raise ValueError(f"SIMD must divide the {self.taps} taps of Reduce, not {self.simd}")

    @property
    def beats(self) -> int:
        """Input beats of one channel group."""
        return self.taps // self.simd

    @property
    def inputs(self) -> dict[str, StreamType]:
        order = depthwise(self.taps, self.channels, self.pe)
        shape = (*self.positions, self.taps * self.channels)
        return {"i": StreamType(shape, self.dtype, self.pe * self.simd, order=order)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        dtype = of_many(self.fn, self.dtype, self.taps)
        return {"o": StreamType((*self.positions, self.channels), dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = np.asarray(tensors[0], np.int64)
        x = x.reshape(*x.shape[:-1], self.taps, self.channels)
        return x.max(axis=-2) if self.fn == "max" else x.sum(axis=-2)

    @property
    def stages(self) -> Stages:
        # Of a tree, and of what accumulates; the tree's last register can be the output's.
        return Stages(adder_tree.levels(self.simd) + self.accumulates)

    @property
    def accumulates(self) -> bool:
        """Whether a register behind the trees keeps what the beats of a channel group make."""
        return self.beats > 1 or self.simd == 1

    @property
    def timing(self) -> Timing:
        cycles = prod(self.positions) * (self.channels // self.pe) * self.beats
        return Timing(
            cycles=cycles,
            depth=self.stages,
            emits=lambda port: np.arange(self.beats - 1, cycles, self.beats),
        )

    def cost(self, device: Device) -> Count:
        # `stages` as ECP5 has them: on iCE40 the figure is one LUT short.
        total = Count(lut=1, ff=self.stages.cost.ff)
        if self.beats > 1:
            turn = (self.beats - 1).bit_length()
            total += Count(lut=1 + turn // 2, add=turn, ff=turn + 1)
        taps = [1] * self.simd
        while len(taps) > 1:
            pairs = [a + b for a, b in zip(taps[::2], taps[1::2], strict=False)]
            for count in pairs:
                width = of_many(self.fn, self.dtype, count).width
                total += self.pe * cost_of_two(self.fn, width, device)
            taps = pairs + taps[len(taps) & ~1 :]
            widths = (of_many(self.fn, self.dtype, count).width for count in taps)
            total += Count(ff=self.pe * sum(widths))
        width = self.outputs["o"].dtype.width
        if self.beats > 1:
            one = cost_of_next(self.fn, width, device) + Count(ff=width)
            total += self.pe * one
        elif self.simd == 1:
            total += Count(ff=self.pe * width)
        return total

    def foldings(self, device: Device) -> Iterator["Reduce"]:
        for pe, simd in product(divisors(self.channels), divisors(self.taps)):
            yield replace(self, pe=pe, simd=simd)

    def binding(self) -> str:
        return f"PE {self.pe} x SIMD {self.simd}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Reduce"]:
        u4, s4 = IntType(0, 15), IntType(-7, 7)
        return (
            cls(4, 9, s4, fn="max", positions=(2, 3), pe=2),
            cls(4, 9, s4, fn="sum", positions=(2, 3), pe=2),
            cls(4, 4, u4, fn="max", positions=(3,), pe=4, simd=4),
            cls(4, 9, s4, fn="sum", positions=(3,), simd=3),
            cls(2, 9, s4, fn="sum", pe=2, simd=9),
            cls(2, 5, IntType(-9, -3), fn="max", simd=5, positions=(2,)),
            cls(3, 6, s4, fn="max", simd=3, positions=(2,)),
            cls(3, 1, u4, fn="max", positions=(2,)),
            cls(1, 1, IntType(0, 1), fn="sum"),
            cls(1, 2, u4, fn="sum", positions=(4,)),
        )

    def core(self, device: Device | None = None) -> "Pool":
        return Pool(self, device)


class Pool(Core):
    """Computes a `Reduce`: one input beat per cycle.

    The taps of a beat meet in a tree with a register per level, the beats of a channel group in
    one accumulator per lane, which is the output register.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Reduce
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
        words = [self._tree(m, lane, pipeline.advance) for lane in range(op.pe)]
        if not op.accumulates:
            m.d.comb += [self.o.payload[lane].eq(word) for lane, word in enumerate(words)]
            return m
        # Beats are counted where they are accumulated: a bubble is none.
        arrives = pipeline.advance & pipeline.valid[-2]
        first, last = self._turn(m, arrives)
        m.d.comb += pipeline.emits.eq(last)
        with m.If(arrives):
            for lane, word in enumerate(words):
                total = self.o.payload[lane]
                m.d.sync += total.eq(Mux(first, word, of_two(op.fn, total, word)))
        return m

    def _tree(self, m: Module, lane: int, advance: Value) -> Value:
        """What the taps of a beat make, after a register per level."""
        op = self.op
        row: list[tuple[Value, int]] = [
            (self.i.payload[tap * op.pe + lane], 1) for tap in range(op.simd)
        ]
        level = 0
        while len(row) > 1:
            level += 1
            pairs = zip(row[::2], row[1::2], strict=False)
            found = [(of_two(op.fn, a, b), p + q) for (a, p), (b, q) in pairs]
            row = [*found, *row[len(row) & ~1 :]]
            for k, (value, count) in enumerate(row):
                shape = of_many(op.fn, op.dtype, count).shape
                register = Signal(shape, name=f"level{lane}_{level}_{k}", reset_less=True)
                with m.If(advance):
                    m.d.sync += register.eq(value)
                row[k] = register, count
        return row[0][0]

    def _turn(self, m: Module, step: Value) -> tuple[Value, Value]:
        """Whether a beat is the first, and the last, of its channel group."""
        count = self.op.beats
        if count == 1:
            return Value.cast(1), Value.cast(1)
        turn, first, last = Signal(range(count)), Signal(init=1), Signal()
        with m.If(step):
            m.d.sync += [
                first.eq(last),
                turn.eq(Mux(last, 0, turn + 1)),
                last.eq(turn == count - 2),
            ]
        return first, last

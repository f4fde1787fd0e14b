"""Upsampling: every position several times in a row, or fill between neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory import line_buffer, loop_nest
from cores.memory.line_buffer import LineBuffer
from cores.memory.loop_nest import LoopNest
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


def _check(op: "Repeat | Dilate", name: str) -> None:
    space = len(op.shape) - 1
    if space not in (1, 2) or min(op.shape) < 1:
        raise ValueError(
            f"shape of {name} must be one or two positive axes and channels, not {op.shape}"
        )
    if len(op.factors) != space or min(op.factors) < 1:
        raise ValueError(
            f"factors of {name} must be positive, one for each of the {space} axes in front of the "
            f"channels, not {op.factors}"
        )
    if op.pe < 1 or op.shape[-1] % op.pe:
        raise ValueError(f"PE must divide the {op.shape[-1]} channels of {name}, not {op.pe}")


@dataclass(frozen=True, eq=False)
class Repeat(Op):
    """Every position `factors[axis]` times in a row along each axis in front of the channels.

    Parameters
    ----------
    shape : tuple of int
        Of the incoming frame: length or height and width, then channels.
    dtype : IntType
    factors : tuple of int
    pe : int
        Channels per beat; divides their number.

    Raises
    ------
    ValueError
        `shape`, `factors` or `pe` is wrong.
    """

    shape: tuple[int, ...]
    dtype: IntType
    factors: tuple[int, ...]
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        _check(self, "Repeat")

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        space = (n * f for n, f in zip(self.shape, self.factors, strict=False))
        return {"o": StreamType((*space, self.shape[-1]), self.dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        y = np.array(tensors[0], np.int64)
        for axis, factor in enumerate(reversed(self.factors), 2):
            y = np.repeat(y, factor, axis=y.ndim - axis)
        return y

    @property
    def turns(self) -> tuple[int, ...]:
        """Loops over the outgoing beats, innermost first: channel groups, repeats of a position,
        positions of a row, repeats of a row, rows."""
        rows, (*_, columns, _) = self.shape[0], (1, *self.shape)
        tall, wide = self.factors[0], self.factors[-1]
        if len(self.factors) == 1:
            rows, columns, tall = 1, self.shape[0], 1
        return self.shape[-1] // self.pe, wide, columns, tall, rows

    @property
    def stages(self) -> Stages:
        return Stages(2)  # of the memory, or past it, and of the output

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.outputs["o"].beats, depth=self.stages, reads=self._first_uses)

    def _first_uses(self, port: str) -> np.ndarray:
        groups, wide, columns, tall, rows = self.turns
        steps = np.arange(self.cycles).reshape(rows, tall, columns, wide, groups)
        return steps[:, 0, :, 0].ravel()

    @property
    def words(self) -> int:
        """Beats that come again: a row, or a position if rows do not."""
        groups, _, columns, tall, _ = self.turns
        return groups * columns if tall > 1 else groups

    def cost(self, device: Device) -> Count:
        width = self.inputs["i"].width
        # As synthesised: whether a beat is taken, the choice of its register or the memory's.
        total = self.stages.cost + Count(lut=4, ff=2 + 2 * width)
        if line_buffer.storage(self.words, width, device) != "lutram":
            total += Count(lut=width)  # else the choice shares LUTs with that of the banks
        total += loop_nest.cost(self.turns, device)
        total += loop_nest.cost_of_sum(1 << (self.words - 1).bit_length(), device)
        return total + line_buffer.cost(self.words, width, device)

    def foldings(self, device: Device) -> Iterator["Repeat"]:
        for pe in divisors(self.shape[-1]):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Repeat"]:
        s4 = IntType(-7, 7)
        return (
            cls((2, 3, 2), s4, (2, 2)),
            cls((2, 3, 4), s4, (3, 2), pe=2),
            cls((3, 2, 2), s4, (1, 3), pe=2),
            cls((2, 3, 2), s4, (2, 1)),
            cls((4, 3), s4, (2,)),
            cls((3, 1), s4, (3,)),
            cls((2, 2), IntType(0, 1), (1,)),
        )

    def core(self, device: Device | None = None) -> "Repeater":
        return Repeater(self, device)


class Repeater(Core):
    """Carries a `Repeat`: a beat is kept when it comes, and read again for its repeats.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Repeat
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        groups, _, _, tall, _ = op.turns
        m.submodules.loops = loops = LoopNest(op.turns)
        m.submodules.kept = kept = LineBuffer(op.words, op.inputs["i"].width, self.device)
        pipeline = Pipeline(m, op.stages, self.o)
        # A beat is taken with the first repeat of its position in the first repeat of its row; all
        # other steps need none.
        fresh = Signal()
        m.d.comb += [
            fresh.eq((loops.numbers[1] == 0) & (loops.numbers[3] == 0)),
            pipeline.i_valid.eq(pipeline.advance & (self.i.valid | ~fresh)),
            self.i.ready.eq(pipeline.i_ready & fresh),
            loops.step.eq(pipeline.i_valid),
        ]
        # Addresses go through the positions of a row and begin again with each row.
        strides = [1, 0, groups if tall > 1 else 0, 0, 0]
        address = Signal.like(kept.address)
        with m.If(pipeline.i_valid):
            m.d.sync += address.eq(address + loops.change(strides, 0, 1 << len(address)))
        m.d.comb += [
            kept.address.eq(address),
            kept.read.eq(pipeline.advance),
            kept.write.eq(pipeline.i_valid & fresh),
            kept.write_address.eq(address),
            kept.write_data.eq(self.i.payload),
        ]
        # A beat that comes is written in this cycle, and the memory does not say what it reads
        # meanwhile: the beat passes beside it.
        word, passed = Signal(op.inputs["i"].width), Signal()
        with m.If(pipeline.advance):
            m.d.sync += [
                word.eq(self.i.payload),
                passed.eq(fresh),
                self.o.payload.eq(Mux(passed, word, kept.data)),
            ]
        return m


@dataclass(frozen=True, eq=False)
class Dilate(Op):
    """`factors[axis]` - 1 times `fill` between neighbours along each axis in front of the channels.

    Parameters
    ----------
    shape : tuple of int
        Of the incoming frame: length or height and width, then channels.
    dtype : IntType
    factors : tuple of int
    fill : int array, (channels,)
        A scalar stands for all channels.
    pe : int
        Channels per beat; divides their number.

    Raises
    ------
    ValueError
        `shape`, `factors`, `fill` or `pe` is wrong.
    TypeError
        `fill` is not integer.
    """

    shape: tuple[int, ...]
    dtype: IntType
    factors: tuple[int, ...]
    fill: np.ndarray = field(default_factory=lambda: np.zeros((), np.int64), kw_only=True)
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        _check(self, "Dilate")
        fill, channels = np.asarray(self.fill), self.shape[-1]
        if fill.dtype.kind not in "iu":
            raise TypeError(f"fill of Dilate must be integers, not {fill.dtype}")
        if fill.shape not in ((), (channels,)):
            raise ValueError(
                f"fill of Dilate must have {channels} channels, not shape {fill.shape}"
            )
        object.__setattr__(self, "fill", np.broadcast_to(fill, (channels,)).astype(np.int64))

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        space = tuple((n - 1) * f + 1 for n, f in zip(self.shape, self.factors, strict=False))
        dtype = self.dtype
        if space != self.shape[:-1]:
            dtype = dtype.union(IntType(int(self.fill.min()), int(self.fill.max())))
        return {"o": StreamType((*space, self.shape[-1]), dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = np.asarray(tensors[0], np.int64)
        y = np.empty((*x.shape[: x.ndim - len(self.shape)], *self.outputs["o"].shape), np.int64)
        y[...] = self.fill
        y[(..., *(slice(None, None, f) for f in self.factors), slice(None))] = x
        return y

    @property
    def turns(self) -> tuple[int, ...]:
        """Loops over the outgoing beats, innermost first: channel groups, then positions."""
        return self.shape[-1] // self.pe, *reversed(self.outputs["o"].shape[:-1])

    @property
    def stages(self) -> Stages:
        return Stages(1)

    @property
    def timing(self) -> Timing:
        return Timing(cycles=prod(self.turns), depth=self.stages, reads=self._places)

    def _places(self, port: str) -> np.ndarray:
        steps = np.arange(self.cycles).reshape(self.turns[::-1])
        return steps[tuple(slice(None, None, f) for f in self.factors)].ravel()

    def cost(self, device: Device) -> Count:
        out = self.outputs["o"]
        total = self.stages.cost + Count(lut=out.width, ff=out.width)
        for factor in self.factors:
            bits = (factor - 1).bit_length()
            total += Count(lut=2 * bits, ff=bits)
        return total + loop_nest.cost(self.turns, device)

    def foldings(self, device: Device) -> Iterator["Dilate"]:
        for pe in divisors(self.shape[-1]):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Dilate"]:
        s4 = IntType(-7, 7)
        return (
            cls((2, 3, 2), s4, (2, 2)),
            cls((3, 3, 4), s4, (3, 2), fill=np.array([-9, 0, 1, 2]), pe=2),
            cls((3, 2, 2), s4, (1, 3), fill=np.array([1, 2]), pe=2),
            cls((4, 3), s4, (2,), fill=np.array(9)),
            cls((3, 2), IntType(0, 1), (1,), fill=np.array(5)),
            cls((1, 1, 1), s4, (4, 4)),
        )

    def core(self, device: Device | None = None) -> "Dilator":
        return Dilator(self, device)


class Dilator(Core):
    """Carries a `Dilate`: takes a beat where one belongs, and else gives fill.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Dilate
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        m.submodules.loops = loops = LoopNest(op.turns)
        pipeline = Pipeline(m, op.stages, self.o)
        step = pipeline.i_valid
        # Along each axis, a beat belongs where the phase is 0. The last position of an axis is
        # followed by no fill: the phase begins again with the loop inside which it is counted.
        zero = []
        for k, factor in enumerate(reversed(op.factors), 1):
            phase = Signal(range(factor), name=f"phase{k}")
            with m.If(step & loops.done[k]):
                m.d.sync += phase.eq(0)
            with m.Elif(step & loops.done[k - 1]):
                m.d.sync += phase.eq(Mux(phase == factor - 1, 0, phase + 1))
            zero.append(phase == 0)
        fresh = Signal()
        m.d.comb += [
            fresh.eq(Cat(*zero).all()),
            pipeline.i_valid.eq(pipeline.advance & (self.i.valid | ~fresh)),
            self.i.ready.eq(pipeline.i_ready & fresh),
            loops.step.eq(step),
        ]
        fill = self._fill(loops.numbers[0])
        with m.If(pipeline.advance):
            for lane in range(op.pe):
                m.d.sync += self.o.payload[lane].eq(Mux(fresh, self.i.payload[lane], fill[lane]))
        return m

    def _fill(self, group: Signal) -> list[Value]:
        """What stands between neighbours in each lane of a channel group."""
        op = self.op
        if op.outputs["o"].shape == op.shape:
            return [Const(0)] * op.pe
        shape = op.outputs["o"].dtype.shape
        columns = op.fill.reshape(-1, op.pe).T.tolist()
        return [Array([Const(number, shape) for number in column])[group] for column in columns]

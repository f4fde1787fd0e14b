"""Sliding windows: the elements under a kernel at each of its places, from a line buffer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores import line_buffer, loop_nest
from cores.adder_tree import carry_cells
from cores.cost import Count
from cores.line_buffer import LineBuffer
from cores.loop_nest import LoopNest
from cores.op import Core, Op
from cores.types import IntType, StreamType, depthwise, divisors
from cores.window_schedule import Axis, WindowSchedule
from platforms.device import Device

ORDERS = ("dense", "depthwise")


@dataclass(frozen=True, eq=False)
class SlidingWindow(Op):
    """y[..., k * C + c] = x[place of tap k, c], or fill[c] where the tap lies in the padding.

    Taps are counted in row-major order over the kernel.

    Parameters
    ----------
    shape : tuple of int
        Of a frame: length or height and width, then channels.
    dtype : IntType
        Range of each input element.
    kernel : tuple of int
        One number for each axis in front of the channels; so for `strides` and `dilations`, which
        are 1 if not given.
    pads : tuple of (int, int)
        Elements before and after, for each such axis.
    fill : int array, (channels,)
        What padding holds; a scalar stands for all channels.
    order : str
        ``"dense"``, or ``"depthwise"``: all taps of `pe` channels, then of the next.
    pe : int
        Channels at once; divides their number.

    Raises
    ------
    ValueError
        A length, a number or `order` is wrong, or no window fits or touches the input.
    TypeError
        `fill` is not integer.
    """

    shape: tuple[int, ...]
    dtype: IntType
    kernel: tuple[int, ...]
    strides: tuple[int, ...] = field(default=(), kw_only=True)
    dilations: tuple[int, ...] = field(default=(), kw_only=True)
    pads: tuple[tuple[int, int], ...] = field(default=(), kw_only=True)
    fill: np.ndarray = field(default_factory=lambda: np.zeros((), np.int64), kw_only=True)
    order: str = field(default="dense", kw_only=True)
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise ValueError(
                "shape of SlidingWindow must be one or two positive axes and channels, "
                f"not {self.shape}"
            )
        space = len(self.shape) - 1
        for name, default in (("strides", 1), ("dilations", 1), ("pads", (0, 0))):
            object.__setattr__(self, name, getattr(self, name) or (default,) * space)
        for name in ("kernel", "strides", "dilations", "pads"):
            numbers = getattr(self, name)
            if len(numbers) != space:
                raise ValueError(
                    f"{name} of SlidingWindow must have one entry for each of the {space} axes in "
                    f"front of the channels, not {numbers}"
                )
            if name != "pads" and min(numbers) < 1:
                raise ValueError(f"{name} of SlidingWindow must be positive, not {numbers}")
        if min(min(pair) for pair in self.pads) < 0:
            raise ValueError(f"pads of SlidingWindow must not be negative, not {self.pads}")
        fill = np.asarray(self.fill)
        if fill.dtype.kind not in "iu":
            raise TypeError(f"fill of SlidingWindow must be integers, not {fill.dtype}")
        if fill.shape not in ((), (self.channels,)):
            raise ValueError(
                f"fill of SlidingWindow must have {self.channels} channels, not shape {fill.shape}"
            )
        fill = np.broadcast_to(fill, (self.channels,)).astype(np.int64)
        object.__setattr__(self, "fill", fill)
        if self.order not in ORDERS:
            raise ValueError(
                f"order of SlidingWindow must be one of {', '.join(ORDERS)}, not {self.order!r}"
            )
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(
                f"PE must divide the {self.channels} channels of SlidingWindow, not {self.pe}"
            )
        if min(axis.windows for axis in self.axes) < 1:
            raise ValueError(
                f"kernel {self.kernel} of SlidingWindow does not fit into {self.shape[:-1]} with "
                f"dilations {self.dilations} and pads {self.pads}"
            )
        if not all(axis.inside.any() for axis in self.axes):
            raise ValueError(
                f"windows of SlidingWindow must touch the input {self.shape[:-1]}; "
                f"with pads {self.pads} none does"
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        numbers = zip(
            self.shape[:-1], self.kernel, self.strides, self.dilations, self.pads, strict=True
        )
        return tuple(Axis(n, k, s, d, *pad) for n, k, s, d, pad in numbers)

    @property
    def padded(self) -> bool:
        """Whether any tap lies in the padding."""
        return not all(axis.inside.all() for axis in self.axes)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        shape = (*(axis.windows for axis in self.axes), self.taps * self.channels)
        order = "dense"
        if self.order == "depthwise":
            order = depthwise(self.taps, self.channels, self.pe)
        return {"o": StreamType(shape, self._range, self.pe, order=order)}

    @property
    def _range(self) -> IntType:
        if not self.padded:
            return self.dtype
        return self.dtype.union(IntType(int(self.fill.min()), int(self.fill.max())))

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        space = len(self.kernel)
        x = np.asarray(tensors[0], np.int64)
        frames = x.shape[: x.ndim - space - 1]
        sizes = [n + sum(pad) for n, pad in zip(self.shape, self.pads, strict=False)]
        wide = np.empty((*frames, *sizes, self.channels), np.int64)
        wide[...] = self.fill
        inside = [slice(a, a + n) for (a, _), n in zip(self.pads, self.shape, strict=False)]
        wide[(..., *inside, slice(None))] = x
        taps = []
        for tap in np.ndindex(*self.kernel):
            cut = []
            for n, t, k, s, d in zip(
                sizes, tap, self.kernel, self.strides, self.dilations, strict=True
            ):
                count = (n - (k - 1) * d - 1) // s + 1
                cut.append(slice(t * d, t * d + (count - 1) * s + 1, s))
            taps.append(wide[(..., *cut, slice(None))])
        return np.concatenate(taps, axis=-1)

    @property
    def groups(self) -> int:
        """Input beats of a position."""
        return self.channels // self.pe

    @property
    def group_loop(self) -> int:
        """Place of the loop over channel groups, among taps and groups, innermost first."""
        return 0 if self.order == "dense" else 2

    @cached_property
    def schedule(self) -> WindowSchedule:
        rows = self.axes[0] if len(self.axes) == 2 else Axis(1, 1)
        return WindowSchedule(rows, self.axes[-1], self.groups, self.taps * self.groups)

    @property
    def cycles(self) -> int:
        return self.schedule.cycles

    def reads(self, port: str) -> np.ndarray:
        return self.schedule.reads

    def emits(self, port: str) -> np.ndarray:
        return self.schedule.emits

    def needed(self, port: str) -> dict[str, np.ndarray]:
        # The core reads ahead: not all that is read by the step of a beat is needed for it.
        return {"i": np.repeat(self.schedule.need, self.taps * self.groups)}

    @property
    def depth(self) -> int:
        return 2

    def cost(self, device: Device) -> Count:
        plan, width = self.schedule, self.inputs["i"].width
        words = line_buffer.rounded(plan.words, width, device)
        total = line_buffer.cost(words, width, device)
        total += loop_nest.cost([loop.count for loop in _loops(self)], device)
        total += loop_nest.cost_of_sum(words, device)
        for highest in (words - 1, plan.most_ahead, plan.most_owed):
            # An adder each, and for the last two another number that is chosen.
            bits = highest.bit_length() + 1
            total += Count(lut=bits // 2, add=carry_cells(bits, device), ff=bits)
        total += Count(lut=20, ff=2 + self.outputs["o"].width)
        if self.padded:
            for axis in (plan.rows, plan.columns):
                if not axis.inside.all():
                    total += loop_nest.cost_of_sum(axis.span, device)
                    total += Count(lut=2)
            # One fill for all groups sets and clears the output registers.
            groups = self.fill.reshape(self.groups, self.pe)
            varies = bool((groups != groups[0]).any())
            total += Count(lut=varies * self.outputs["o"].width, ff=1)
        return total

    def foldings(self, device: Device) -> Iterator["SlidingWindow"]:
        for pe in divisors(self.channels):
            yield replace(self, pe=pe)

    def emitting(self, wanted: StreamType) -> "SlidingWindow":
        return replace(self, pe=self.channels if wanted.order == "dense" else wanted.taps[1])

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["SlidingWindow"]:
        u4, s4 = IntType(0, 15), IntType(-7, 7)
        same = ((1, 1), (1, 1))
        fill = np.array([-8, 0, 3, 7])
        return (
            cls((4, 5, 2), u4, (3, 3), pads=same),
            cls((4, 5, 4), s4, (3, 3), pads=same, fill=fill, pe=2),
            cls((4, 5, 4), s4, (3, 3), pads=same, fill=fill, pe=2, order="depthwise"),
            cls((5, 6, 2), u4, (3, 3)),
            cls((5, 6, 2), u4, (3, 3), order="depthwise"),
            cls((6, 6, 2), s4, (3, 3), strides=(2, 2), pads=((0, 1), (0, 1)), pe=2),
            cls((4, 6, 3), s4, (2, 2), strides=(2, 2), order="depthwise"),
            cls((5, 4, 2), s4, (1, 1), strides=(2, 2)),
            cls((5, 4, 1), s4, (1, 1)),
            cls((7, 5, 2), u4, (2, 3), dilations=(3, 2), pads=((2, 1), (0, 2)), strides=(1, 2)),
            cls((6, 5, 1), s4, (4, 2), strides=(2, 1), pads=((1, 2), (0, 1)), fill=np.array(-9)),
            cls((3, 3, 2), u4, (3, 3)),
            cls((2, 3, 2), u4, (3, 3), pads=((2, 2), (3, 2)), fill=np.array(1)),
            cls((9, 2), s4, (3,), pads=((1, 1),)),
            cls((9, 2), s4, (4,), strides=(3,), dilations=(2,), pads=((0, 3),), pe=2),
            cls((12, 1), s4, (2,), strides=(4,)),
            cls((1, 1, 1), IntType(0, 1), (1, 1)),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        ends = [np.full(self.shape, end) for end in (self.dtype.lo, self.dtype.hi)]
        return (np.stack(ends),)

    def core(self, device: Device | None = None) -> "SWG":
        return SWG(self, device)


class SWG(Core):
    """Carries a `SlidingWindow` at one tap of `pe` channels per cycle.

    Input beats go into a ring of as few words as the schedule allows, whenever there is credit.
    The reader goes through it by steps that are constant for each loop; what lies in the padding
    is read too, from anywhere, and replaced.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: SlidingWindow
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op, plan = self.op, self.op.schedule
        m = Module()
        width = op.inputs["i"].width
        words = line_buffer.rounded(plan.words, width, self.device)
        m.submodules.lines = lines = LineBuffer(words, width, self.device)
        loops = _loops(op)
        m.submodules.loops = nest = LoopNest([loop.count for loop in loops])
        advance, step = Signal(), Signal()
        have, owed = self._levels(m, nest, step, lines.write)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            step.eq(advance & ~have[-1]),
            nest.step.eq(step),
            self.i.ready.eq(~owed[-1]),
            lines.write.eq(self.i.valid & self.i.ready),
            lines.write_data.eq(self.i.payload),
            lines.read.eq(advance),
        ]
        start = -(plan.rows.before * plan.columns.size + plan.columns.before) * op.groups
        strides = [loop.beats for loop in loops]
        address = Signal.like(lines.address, init=start % words)
        m.d.comb += lines.address.eq(address)
        with m.If(step):
            change = nest.change(strides, plan.beats, words)
            m.d.sync += address.eq(_add(address, change, words))
        with m.If(lines.write):
            m.d.sync += lines.write_address.eq(_add(lines.write_address, Const(1), words))

        outside, fill = self._padding(m, nest, loops, step)
        fetched = Signal()
        with m.If(advance):
            m.d.sync += [fetched.eq(step), self.o.valid.eq(fetched)]
            for lane in range(op.pe):
                element = Signal(op.dtype.shape, name=f"element{lane}")
                m.d.comb += element.eq(lines.data.word_select(lane, op.dtype.width))
                m.d.sync += self.o.payload[lane].eq(Mux(outside, fill[lane], element))
        return m

    def _levels(
        self, m: Module, nest: LoopNest, step: Value, write: Value
    ) -> tuple[Signal, Signal]:
        """Beats written beyond what the position needs, and credit less one: not to go on when
        negative."""
        plan = self.op.schedule
        shape = plan.rows.windows, plan.columns.windows
        *_, column, row = nest.numbers
        complete = step & nest.done[-3]
        needed = _lookup(m, plan.needed.reshape(shape), row, column)
        handed = _lookup(m, plan.handed.reshape(shape), row, column)
        digits = np.unravel_index(plan.grant, nest.counts[::-1])[::-1]
        grant = (
            step
            & Cat(
                number == int(digit) for number, digit in zip(nest.numbers, digits, strict=True)
            ).all()
        )
        bound = IntType(-int(plan.needed.max()), plan.most_ahead)
        have = Signal(bound.shape, init=-int(plan.need[0]))
        owed = Signal(IntType(-1, plan.most_owed).shape, init=plan.credit - 1)
        m.d.sync += [
            have.eq(have - Mux(complete, needed, 0) + write),
            owed.eq(owed + Mux(grant, plan.granted, Mux(complete, handed, 0)) - write),
        ]
        return have, owed

    def _padding(
        self, m: Module, nest: LoopNest, loops: Sequence["_Loop"], step: Value
    ) -> tuple[Value, list[Value]]:
        """Whether the beat that was read last lies in the padding, and what stands there."""
        op, plan = self.op, self.op.schedule
        if not op.padded:
            return Const(0), [Const(0)] * op.pe
        found: list[Value] = []
        for name, axis, strides in (
            ("row", plan.rows, [loop.rows for loop in loops]),
            ("column", plan.columns, [loop.columns for loop in loops]),
        ):
            if axis.inside.all():
                continue
            modulus = axis.span
            place = Signal(range(modulus), name=name, init=-axis.before % modulus)
            with m.If(step):
                m.d.sync += place.eq(place + nest.change(strides, 0, modulus))
            found.append(place >= axis.size)
        outside = Signal()
        with m.If(step):
            m.d.sync += outside.eq(Cat(*found).any())
        fills = op.fill.reshape(op.groups, op.pe)
        if (fills == fills[0]).all():
            return outside, [Const(int(number), op.outputs["o"].dtype.shape) for number in fills[0]]
        group = Signal.like(nest.numbers[op.group_loop])
        with m.If(step):
            m.d.sync += group.eq(nest.numbers[op.group_loop])
        shape = op.outputs["o"].dtype.shape
        return outside, [
            Array([Const(int(number), shape) for number in column])[group] for column in fills.T
        ]


@dataclass(frozen=True)
class _Loop:
    """Turns of one loop of the reader, and how far a turn goes in beats, rows and columns."""

    count: int
    beats: int = 0
    rows: int = 0
    columns: int = 0


def _loops(op: SlidingWindow) -> list[_Loop]:
    """The reader's loops, innermost first: taps and channel groups, then columns and rows."""
    rows, columns = op.schedule.rows, op.schedule.columns
    line = columns.size * op.groups
    group = _Loop(op.groups, 1)
    taps = [
        _Loop(columns.kernel, columns.dilation * op.groups, columns=columns.dilation),
        _Loop(rows.kernel, rows.dilation * line, rows=rows.dilation),
    ]
    return [
        *([group, *taps] if op.order == "dense" else [*taps, group]),
        _Loop(columns.windows, columns.stride * op.groups, columns=columns.stride),
        _Loop(rows.windows, rows.stride * line, rows=rows.stride),
    ]


def _add(address: Value, change: Value, words: int) -> Value:
    """The sum modulo `words`; both are below."""
    total = address + change
    if words & words - 1 == 0:
        return total[: len(address)]
    return Mux(total >= words, total - words, total)


def _lookup(m: Module, table: np.ndarray, row: Value, column: Value) -> Value:
    """The entry of a table most of which repeats: only what differs is decoded."""
    found = Signal(range(int(table.max()) + 1))
    patterns, which, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    usual = int(counts.argmax())
    which = which.ravel()
    with m.Switch(row):
        for number in range(len(patterns)):
            if number != usual:
                with m.Case(*map(int, np.flatnonzero(which == number))):
                    _choose(m, found, patterns[number], column)
        with m.Default():
            _choose(m, found, patterns[usual], column)
    return found


def _choose(m: Module, found: Signal, entries: np.ndarray, number: Value) -> None:
    values, which, counts = np.unique(entries, return_inverse=True, return_counts=True)
    usual = int(counts.argmax())
    with m.Switch(number):
        for k, value in enumerate(values.tolist()):
            if k != usual:
                with m.Case(*map(int, np.flatnonzero(which == k))):
                    m.d.comb += found.eq(value)
        with m.Default():
            m.d.comb += found.eq(int(values[usual]))

"""Windows one tap after the other, from a ring of input beats.

Input beats go into a ring of as few words as the schedule allows, whenever there is credit. The
reader goes through it by steps that are constant for each of its loops; what lies in the padding is
read too, from anywhere, and said to be outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Member, Out

from cores.cost import Count
from cores.memory import line_buffer, loop_nest
from cores.memory.line_buffer import LineBuffer
from cores.memory.loop_nest import LoopNest, add_modulo
from cores.memory.sparse_table import lookup
from cores.stalling import Reading, Stalling
from cores.sum.adder_tree import adder
from cores.types import IntType
from cores.window.window_schedule import WindowSchedule
from platforms.device import Device


def window_ports(taps: int, width: int, groups: int) -> dict[str, Member]:
    """Ports of what makes windows of beats of `width` bits, `taps` at once.

    ``en`` moves every register on the way to the output. ``valid``, ``i`` and ``ready`` are the
    input stream. ``emits`` says that there will be taps once the registers have moved: ``o`` has
    them then, ``inside`` says which do not lie in the padding, and ``group`` of which channel group
    they are.
    """
    return {
        "en": In(1),
        "valid": In(1),
        "i": In(width),
        "ready": Out(1),
        "emits": Out(1),
        "o": Out(taps * width),
        "inside": Out(taps),
        "group": Out(range(groups)),
    }


@dataclass(frozen=True)
class Loop:
    """Turns of one loop of the reader, and how far a turn goes in beats, rows and columns."""

    count: int
    beats: int = 0
    rows: int = 0
    columns: int = 0


@dataclass(frozen=True, eq=False)
class ReaderPlan:
    """What a `WindowReader` stores and goes through.

    Parameters
    ----------
    schedule : WindowSchedule
    width : int
        Bits of a beat.
    depthwise : bool
        All taps of a channel group in turn, instead of all groups of a tap.
    """

    schedule: WindowSchedule
    width: int
    depthwise: bool

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """Innermost first: taps and channel groups, then columns and rows."""
        rows, columns, groups = self.schedule.rows, self.schedule.columns, self.schedule.groups
        line = columns.size * groups
        group = Loop(groups, 1)
        taps = (
            Loop(columns.kernel, columns.dilation * groups, columns=columns.dilation),
            Loop(rows.kernel, rows.dilation * line, rows=rows.dilation),
        )
        return (
            *((*taps, group) if self.depthwise else (group, *taps)),
            Loop(columns.windows, columns.stride * groups, columns=columns.stride),
            Loop(rows.windows, rows.stride * line, rows=rows.stride),
        )

    @property
    def group_loop(self) -> int:
        """Place of the loop over channel groups."""
        return 2 if self.depthwise else 0

    @property
    def cycles(self) -> int:
        return self.schedule.cycles

    @property
    def reads(self) -> np.ndarray:
        return self.schedule.reads

    @property
    def emits(self) -> np.ndarray:
        return self.schedule.emits

    @property
    def needed(self) -> np.ndarray:
        """Input beats that must have come for each output beat."""
        return np.repeat(self.schedule.need, self.schedule.taps)

    @property
    def stalling(self) -> Stalling:
        return Reading(self.needed, self.schedule.credits_at)

    def words(self, device: Device | None) -> int:
        """Words of the ring."""
        return line_buffer.rounded(self.schedule.words, self.width, device)

    def cost(self, device: Device) -> Count:
        plan, words = self.schedule, self.words(device)
        total = line_buffer.cost(words, self.width, device)
        total += loop_nest.cost([loop.count for loop in self.loops], device)
        total += loop_nest.cost_of_sum(words, device)
        for highest in (words - 1, plan.most_ahead, plan.most_owed):
            # An adder each, and for the last two another number that is chosen.
            bits = highest.bit_length() + 1
            total += adder(bits, device) + Count(lut=bits // 2, ff=bits)
        for axis in (plan.rows, plan.columns):
            if not axis.inside.all():
                total += loop_nest.cost_of_sum(axis.span, device) + Count(lut=2)
        # What takes, steps and waits, in one number: `tests/cores/test_cost.py` compares the whole
        # with netlists. For the smallest windows it is too much: 46 LUTs for 16 on UP5K.
        return total + Count(lut=28, ff=1)

    def unit(self, device: Device | None) -> "WindowReader":
        return WindowReader(self, device)


class WindowReader(Component):
    """Carries a `ReaderPlan`; ports as in `window_ports`."""

    en: Signal
    valid: Signal
    i: Signal
    ready: Signal
    emits: Signal
    o: Signal
    inside: Signal
    group: Signal

    def __init__(self, plan: ReaderPlan, device: Device | None = None):
        self.plan, self.device = plan, device
        super().__init__(window_ports(1, plan.width, plan.schedule.groups))

    def elaborate(self, platform) -> Module:
        m = Module()
        plan, schedule = self.plan, self.plan.schedule
        words = plan.words(self.device)
        m.submodules.ring = ring = LineBuffer(words, plan.width, self.device)
        m.submodules.loops = loops = LoopNest([loop.count for loop in plan.loops])
        step = Signal()
        have, owed = self._levels(m, loops, step, ring.write)
        m.d.comb += [
            step.eq(self.en & ~have[-1]),
            loops.step.eq(step),
            self.ready.eq(~owed[-1]),
            ring.write.eq(self.valid & self.ready),
            ring.write_data.eq(self.i),
            ring.read.eq(self.en),
            self.o.eq(ring.data),
        ]
        first = -(schedule.rows.before * schedule.columns.size + schedule.columns.before)
        address = Signal.like(ring.address, init=first * schedule.groups % words)
        m.d.comb += ring.address.eq(address)
        with m.If(step):
            change = loops.change([loop.beats for loop in plan.loops], schedule.beats, words)
            m.d.sync += address.eq(add_modulo(address, change, words))
        with m.If(ring.write):
            m.d.sync += ring.write_address.eq(add_modulo(ring.write_address, Const(1), words))

        # What is read from the memory has one register; all that is said of it, too.
        m.d.comb += self.emits.eq(step)
        with m.If(step):
            m.d.sync += self.group.eq(loops.numbers[plan.group_loop])
            m.d.sync += self.inside.eq(self._inside(m, loops, step))
        return m

    def _levels(
        self, m: Module, loops: LoopNest, step: Value, write: Value
    ) -> tuple[Signal, Signal]:
        """Beats written beyond what the position needs, and credit less one: not to go on when
        negative."""
        plan = self.plan.schedule
        shape = plan.rows.windows, plan.columns.windows
        *_, column, row = loops.numbers
        complete = step & loops.done[-3]
        needed = lookup(m, plan.needed.reshape(shape), row, column)
        handed = lookup(m, plan.handed.reshape(shape), row, column)
        digits = np.unravel_index(plan.grant, loops.counts[::-1])[::-1]
        turns = zip(loops.numbers, map(int, digits), strict=True)
        grant = step & Cat(number == digit for number, digit in turns).all()
        bound = IntType(-int(plan.needed.max()), plan.most_ahead)
        have = Signal(bound.shape, init=-int(plan.need[0]))
        owed = Signal(IntType(-1, plan.most_owed).shape, init=plan.credit - 1)
        m.d.sync += [
            have.eq(have - Mux(complete, needed, 0) + write),
            owed.eq(owed + Mux(grant, plan.granted, Mux(complete, handed, 0)) - write),
        ]
        return have, owed

    def _inside(self, m: Module, loops: LoopNest, step: Value) -> Value:
        """Whether the beat of a step does not lie in the padding."""
        plan = self.plan.schedule
        found: list[Value] = []
        axes: Sequence = (
            ("row", plan.rows, [loop.rows for loop in self.plan.loops]),
            ("column", plan.columns, [loop.columns for loop in self.plan.loops]),
        )
        for name, axis, strides in axes:
            if axis.inside.all():
                continue
            place = Signal(range(axis.span), name=name, init=-axis.before % axis.span)
            with m.If(step):
                m.d.sync += place.eq(place + loops.change(strides, 0, axis.span))
            found.append(place < axis.size)
        return Cat(*found).all() if found else Const(1)

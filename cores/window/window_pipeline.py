"""Whole windows from rows above and columns before: each element of the input passes once.

A *scan* is one input beat that passes: the beats of the rows above it come from a memory of
columns, and the columns before it from shift registers. A window is complete with the scan of its
last tap, counted on beyond the end of a row or frame where that tap lies in the padding: there the
next beats pass already, and the taps in the padding show fill. The scans behind the last beat of a
frame, its *tail*, go on without input if the next frame has not come; the beats that follow are
loaded without being scanned again. A scan that is whole rows ahead of them finds what lies above in
places of rows nearer by, as none was loaded in between. In its last part, the columns behind the
last one, the tail never takes beats: shift registers would hold some of them apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component

from cores.cost import Count
from cores.memory import line_buffer, loop_nest
from cores.memory.line_buffer import LineBuffer
from cores.memory.loop_nest import LoopNest
from cores.memory.sparse_table import lookup
from cores.stalling import Scanning, Stalling
from cores.sum.adder_tree import adder
from cores.window.window_reader import window_ports
from cores.window.window_schedule import Axis
from platforms.device import Device

_SHIFTED = 3
"""Words up to which a delay is a shift register."""


@dataclass(frozen=True, eq=False)
class WindowPipeline:
    """When windows over rows and columns are complete, `groups` beats per input position.

    Parameters
    ----------
    rows, columns : Axis
    groups : int
    width : int
        Bits of a beat.
    """

    rows: Axis
    columns: Axis
    groups: int
    width: int

    @staticmethod
    def suits(rows: Axis, columns: Axis) -> bool:
        """Whether no scan completes two windows: padding is of at most what the kernel reaches,
        behind the input of less than its size."""
        return all(a.before + a.after <= a.reach and a.after < a.size for a in (rows, columns))

    @property
    def beats(self) -> int:
        """Input beats of a frame."""
        return self.rows.size * self.columns.size * self.groups

    @cached_property
    def scans(self) -> np.ndarray:
        """Position, counted on from the first of the frame, whose scan completes each window."""
        rows, columns = (
            np.arange(axis.windows) * axis.stride - axis.before + axis.reach
            for axis in (self.rows, self.columns)
        )
        return (rows[:, None] * self.columns.size + columns).ravel()

    @property
    def tail(self) -> int:
        """Scans behind the last beat of a frame."""
        last = int(self.scans[-1]) + 1
        return max(0, last * self.groups - self.beats)

    @property
    def over(self) -> int:
        """Scans of the tail that no beat takes part in: those of columns behind the last."""
        last = int(self.columns.places.max()) + 1
        return max(0, last - self.columns.size) * self.groups if self.tail else 0

    @property
    def ahead(self) -> int:
        """Whole rows by which scans can be ahead of beats."""
        return max(0, self.tail - 1) // self.line

    @property
    def cycles(self) -> int:
        return self.beats + self.over

    @property
    def reads(self) -> np.ndarray:
        """Step of each input beat: the tail of the frame before interrupts them."""
        beats = np.arange(self.beats)
        return beats + np.where(beats >= self.tail - self.over, self.over, 0)

    @cached_property
    def _ends(self) -> np.ndarray:
        """Scan of each window of each channel group."""
        return (self.scans[:, None] * self.groups + np.arange(self.groups)).ravel()

    @property
    def emits(self) -> np.ndarray:
        """Step of each of them."""
        return self._ends + self.over

    @property
    def needed(self) -> np.ndarray:
        """Input beats that must have come for each of them."""
        return np.minimum(self._ends + 1, self.beats)

    @cached_property
    def gaps(self) -> np.ndarray:
        """Positions to pass from each window to the next."""
        following = np.append(self.scans[1:], self.rows.size * self.columns.size + self.scans[0])
        return following - self.scans

    @property
    def stalling(self) -> Stalling:
        first, gaps = int(self.scans[0]), self.gaps
        return Scanning(self.beats, self.groups, self.tail, self.over, first, gaps)

    @property
    def line(self) -> int:
        """Beats of a row."""
        return self.columns.size * self.groups

    @property
    def column(self) -> int:
        """Bits of the taps of one column."""
        return self.rows.kernel * self.width

    @property
    def delay(self) -> int:
        """Scans from one tap to the next in a row."""
        return self.columns.dilation * self.groups

    @property
    def tapped(self) -> range:
        """Which rows above the beat, the nearest 0, hold taps."""
        reach, dilation = self.rows.reach, self.rows.dilation
        return range(dilation - 1, reach, dilation)

    def cost(self, device: Device) -> Count:
        windows = self.columns.windows, self.rows.windows
        total = loop_nest.cost((self.groups,), device) + loop_nest.cost(windows, device)
        gap = int(max(self.gaps.max(), self.scans[0])).bit_length()
        total += adder(gap, device) + Count(lut=gap + 8, ff=gap + 4 + self.width)
        if self.tail:
            bits = self.tail.bit_length()
            total += loop_nest.cost((self.line, self.rows.size), device)
            total += adder(bits, device, times=2) + Count(lut=4 * bits, ff=2 * bits + 3)
        if self.rows.reach:
            total += line_buffer.cost(self.line, self.rows.reach * self.width, device)
            place = (self.line - 1).bit_length()
            pointers = 2 if self.tail else 1
            total += adder(place, device, times=pointers)
            total += Count(lut=place + 2 * pointers, ff=(1 + pointers) * place)
        for row in self.tapped:
            total += Count(mux=min(self.ahead, row) * self.width)
        for _ in range(self.columns.kernel - 1):
            if self.delay <= _SHIFTED:
                total += Count(ff=self.delay * self.column)
            else:
                words = (self.delay - 1).bit_length()
                total += line_buffer.cost(self.delay, self.column, device)
                total += adder(words, device) + Count(lut=words, ff=2 * words)
        return total

    def unit(self, device: Device | None) -> "Windows":
        return Windows(self, device)


class Windows(Component):
    """Carries a `WindowPipeline`; ports as in `window_ports`."""

    en: Signal
    valid: Signal
    i: Signal
    ready: Signal
    emits: Signal
    o: Signal
    inside: Signal
    group: Signal

    def __init__(self, plan: WindowPipeline, device: Device | None = None):
        self.plan, self.device = plan, device
        self._catching_up = Signal()
        self._ahead = Signal(range(plan.ahead + 1))
        taps = plan.rows.kernel * plan.columns.kernel
        super().__init__(window_ports(taps, plan.width, plan.groups))

    def elaborate(self, platform) -> Module:
        m = Module()
        plan = self.plan
        scan, load = self._steps(m)
        self._count(m, scan)

        # The beat itself, and those above it.
        moved, word = Signal(), Signal(plan.width)
        with m.If(self.en):
            m.d.sync += [moved.eq(scan | load), word.eq(self.i)]
        above = self._above(m, scan, load, word)
        pushed = self.en & moved
        kept = [word, *(self._at(above, row) for row in plan.tapped)]
        columns: list[Value] = [Cat(*reversed(kept))]
        for k in range(plan.columns.kernel - 1):
            columns.insert(0, self._delay(m, f"column{k}", columns[0], pushed))
        for r in range(plan.rows.kernel):
            for c, column in enumerate(columns):
                tap = r * plan.columns.kernel + c
                m.d.comb += self.o.word_select(tap, plan.width).eq(
                    column.word_select(r, plan.width)
                )
        return m

    def _steps(self, m: Module) -> tuple[Value, Value]:
        """Whether something is scanned, and whether a beat is taken."""
        plan = self.plan
        scan, load = Signal(), Signal()
        if not plan.tail:
            m.d.comb += [self.ready.eq(self.en), load.eq(self.en & self.valid), scan.eq(load)]
            return scan, load
        # Scans still to be done behind a frame, and how many were done without their beats. The
        # first frame behaves as if one went before.
        left, ahead = Signal(range(plan.tail + 1), init=plan.tail), Signal(range(plan.tail + 1))
        left_next, ahead_next = Signal.like(left), Signal.like(ahead)
        alone, late = Signal(init=1), Signal()
        closed = Signal(init=plan.tail <= plan.over)  # to beats, but for those behind
        m.d.comb += [
            self.ready.eq(self.en & Mux(alone, ~late & ~closed, 1)),
            load.eq(self.valid & self.ready),
            scan.eq(self.en & Mux(alone, 1, self.valid & ~late)),
            self._catching_up.eq(late & ~alone),
            left_next.eq(left),
            ahead_next.eq(ahead),
        ]
        m.submodules.loads = loads = LoopNest((plan.line, plan.rows.size))
        m.d.comb += loads.step.eq(load)
        with m.If(load & loads.done[-1]):
            m.d.comb += left_next.eq(plan.tail)
        with m.Elif(scan & alone):
            m.d.comb += left_next.eq(left - 1)
        with m.If(scan & ~load):
            m.d.comb += ahead_next.eq(ahead + 1)
        with m.Elif(load & ~scan):
            m.d.comb += ahead_next.eq(ahead - 1)
        m.d.sync += [
            left.eq(left_next),
            ahead.eq(ahead_next),
            alone.eq(left_next != 0),
            late.eq(ahead_next != 0),
            closed.eq(left_next <= plan.over),
        ]
        if plan.ahead:
            rows = sum((ahead >= k * plan.line for k in range(1, plan.ahead + 1)), Const(0))
            with m.If(self.en):
                m.d.sync += self._ahead.eq(Mux(alone, rows, 0))
        return scan, load

    def _count(self, m: Module, scan: Value) -> None:
        """Which scans complete a window, of which group, and which taps are inside."""
        plan = self.plan
        m.submodules.groups = groups = LoopNest((plan.groups,))
        m.submodules.windows = windows = LoopNest((plan.columns.windows, plan.rows.windows))
        column, row = windows.numbers
        most = max(int(plan.gaps.max()) - 1, int(plan.scans[0]))
        wait = Signal(range(most + 1), init=int(plan.scans[0]))
        here = wait == 0
        gaps = (plan.gaps - 1).reshape(plan.rows.windows, plan.columns.windows)
        gap = lookup(m, gaps, row, column)
        passed = scan & groups.done[-1]
        m.d.comb += [groups.step.eq(scan), windows.step.eq(passed & here)]
        with m.If(passed):
            m.d.sync += wait.eq(Mux(here, gap, wait - 1))
        inside = plan.rows.inside[:, None, :, None] & plan.columns.inside[:, None, :]
        inside = inside.reshape(plan.rows.windows, plan.columns.windows, -1)
        flags = Signal(inside.shape[-1])
        for tap, table in enumerate(np.moveaxis(inside.astype(np.int64), -1, 0)):
            m.d.comb += flags[tap].eq(lookup(m, table, row, column))
        m.d.comb += self.emits.eq(scan & here)
        with m.If(self.en):
            m.d.sync += [
                self.inside.eq(flags),
                self.group.eq(groups.numbers[0]),
            ]

    def _above(self, m: Module, scan: Value, load: Value, word: Value) -> list[Value]:
        """The beats above the one that was scanned or loaded last, the nearest first."""
        plan = self.plan
        count = plan.rows.reach
        if not count:
            return []
        width = count * plan.width
        loaded = Signal()
        with m.If(self.en):
            m.d.sync += loaded.eq(load)
        if plan.line == 1:
            rows = Signal(width)
            with m.If(self.en & loaded):
                m.d.sync += rows.eq(Cat(word, rows))
            return [rows.word_select(k, plan.width) for k in range(count)]
        m.submodules.above = above = LineBuffer(plan.line, width, self.device)
        place = self._pointer(m, "load_place", load)
        m.d.comb += above.address.eq(place)
        if plan.tail:
            with m.If(~self._catching_up):
                m.d.comb += above.address.eq(self._pointer(m, "scan_place", scan))
        late = Signal.like(place)
        with m.If(self.en):
            m.d.sync += late.eq(place)
        m.d.comb += [
            above.read.eq(self.en),
            above.write.eq(self.en & loaded),
            above.write_address.eq(late),
            above.write_data.eq(Cat(word, above.data)),
        ]
        return [above.data.word_select(k, plan.width) for k in range(count)]

    def _at(self, above: list[Value], row: int) -> Value:
        """A row above the beat, the nearest 0; of the padding between, none was loaded."""
        if not self.plan.ahead or not row:
            return above[row]
        return Array([above[max(row - k, 0)] for k in range(self.plan.ahead + 1)])[self._ahead]

    def _pointer(self, m: Module, name: str, step: Value) -> Signal:
        """Place in the row of the next step."""
        place = Signal(range(self.plan.line), name=name)
        with m.If(step):
            m.d.sync += place.eq(Mux(place == self.plan.line - 1, 0, place + 1))
        return place

    def _delay(self, m: Module, name: str, column: Value, pushed: Value) -> Value:
        """A column as it was `delay` scans ago."""
        plan = self.plan
        if plan.delay <= _SHIFTED:
            for k in range(plan.delay):
                late = Signal(plan.column, name=f"{name}_{k}", reset_less=True)
                with m.If(pushed):
                    m.d.sync += late.eq(column)
                column = late
            return column
        m.submodules[name] = ring = LineBuffer(plan.delay, plan.column, self.device)
        # The next word is read while this one is written, so that it is there with the next scan.
        place = Signal.like(ring.address, name=f"{name}_place")
        after = Mux(place == plan.delay - 1, 0, place + 1)
        m.d.comb += [
            ring.write.eq(pushed),
            ring.write_address.eq(place),
            ring.write_data.eq(column),
            ring.read.eq(pushed),
            ring.address.eq(after),
        ]
        with m.If(pushed):
            m.d.sync += place.eq(after)
        return ring.data

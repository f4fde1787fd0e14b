"""Thresholding by parallel comparators: one for each step."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory.rows import Column, rows_cost, rows_from_block, rows_from_logic
from cores.memory.weight_memory import DEPTH as BLOCK_DEPTH
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.steps.comparison import at_least
from cores.steps.thermometer import Lane, result
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Comparators:
    """The unit for all lanes.

    Parameters
    ----------
    dtype, out : IntType
        Of inputs and results.
    lanes : tuple of Lane
    block : bool
        Rows in block RAM, where they differ along a lane.
    """

    dtype: IntType
    out: IntType
    lanes: tuple[Lane, ...]
    block: bool

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The constants that differ between the channels of a lane, each once."""
        return tuple(dict.fromkeys(column for lane in self.lanes for column in lane.word))

    @property
    def in_block(self) -> bool:
        """Whether rows are read from block RAM: asked for, and rows differ along a lane."""
        return self.block and bool(self.columns)

    @property
    def fetch(self) -> int:
        """Cycles from a beat to its row."""
        return BLOCK_DEPTH if self.in_block else 0

    @property
    def stages(self) -> Stages:
        return Stages(self.fetch + 2)  # of the comparators, and of the results

    def cost(self, device: Device) -> Count:
        # What takes a row, and what enables the rows that come later.
        total = self.stages.cost + Count(lut=2)
        total += Count(ff=self.fetch * len(self.lanes) * self.dtype.width)
        for lane in self.lanes:
            total += lane.cost(self.dtype, self.out, device)
        return total + rows_cost(self.columns, device, block=self.in_block)


class Thresholding(Core):
    """Computes a step function per channel by `Comparators`, one beat per cycle.

    First stage: comparators into a thermometer code. Second stage: the result. Rows that change
    from beat to beat stand ready in registers; from block RAM they take two cycles more, and the
    data waits for them.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, op: Op, comparators: Comparators, device: Device | None = None):
        self.comparators = comparators
        super().__init__(op, device)

    def elaborate(self, platform):
        m = Module()
        plan = self.comparators
        pipeline = Pipeline(m, plan.stages, self.o)
        taken = Signal()
        m.d.comb += [
            pipeline.i_valid.eq(self.i.valid),
            self.i.ready.eq(pipeline.i_ready),
            taken.eq(pipeline.step),
        ]
        rows: dict[Column, Value] = {}
        if plan.in_block:
            enable = pipeline.advance
            rows = rows_from_block(m, plan.columns, taken, enable=enable, device=self.device)
        elif plan.columns:
            rows = rows_from_logic(m, plan.columns, taken)
        data = pipeline.delay(self.i.payload, plan.fetch, name="data")

        with m.If(pipeline.advance):
            # The constants of a result are needed one stage behind those compared with: by then
            # the next beat's row stands in the registers.
            late: dict[Column, Value] = {}
            for column in plan.columns:
                if any(column in (lane.base, *(lane.changes or ())) for lane in plan.lanes):
                    late[column] = Signal(column.shape)
                    m.d.sync += late[column].eq(rows[column])
            for p, lane in enumerate(plan.lanes):
                reached = self._compare(m, lane, data[p], rows)
                m.d.sync += self.o.payload[p].eq(result(lane, reached, late, plan.out))
        return m

    def _compare(self, m: Module, lane: Lane, x: Value, rows: dict[Column, Value]) -> list[Value]:
        """Registered outcome of x >= start, for each start."""
        dtype = self.comparators.dtype
        found: dict[Column, Value] = {}
        for column in lane.starts:
            # Equal starts are one comparator.
            if column in found:
                continue
            found[column] = Signal()
            if not column.fixed:
                m.d.sync += found[column].eq(x >= rows[column])
            elif not dtype.lo < column.entries[0] <= dtype.hi:
                # No input of the range decides it.
                found[column] = Const(column.entries[0] <= dtype.lo, 1)
            else:
                m.d.sync += found[column].eq(at_least(x, column.entries[0], dtype))
        return [found[column] for column in lane.starts]

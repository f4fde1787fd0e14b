"""Thresholding by parallel comparators: one for each step."""

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream

from cores.memory.rows import Column, rows_from_block, rows_from_logic
from cores.op import Core
from cores.steps.comparison import at_least
from cores.steps.thermometer import Lane, result

if TYPE_CHECKING:
    from cores.thresholding import MultiThreshold


class Thresholding(Core):
    """Computes a step function per channel, one beat per cycle.

    First stage: comparators into a thermometer code. Second stage: the result. Rows that change
    from beat to beat stand ready in registers; from block RAM they take two cycles more, and the
    data waits for them.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: "MultiThreshold"
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform):
        m = Module()
        op = self.op
        out = op.outputs["o"].dtype
        advance = Signal()
        taken = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(advance),
            taken.eq(advance & self.i.valid),
        ]
        valid, data = self.i.valid, self.i.payload
        columns = op.columns
        rows: dict[Column, Value] = {}
        if op.in_block:
            valid, data, rows = self._read_block(m, columns, advance=advance, taken=taken)
        elif columns:
            rows = rows_from_logic(m, columns, taken)

        compared = Signal()
        with m.If(advance):
            m.d.sync += [compared.eq(valid), self.o.valid.eq(compared)]
            late: dict[Column, Value] = {}
            for column in columns:
                if any(column in (lane.base, *(lane.changes or ())) for lane in op.lanes):
                    late[column] = Signal(column.shape)
                    m.d.sync += late[column].eq(rows[column])
            for p, lane in enumerate(op.lanes):
                reached = self._compare(m, lane, data[p], rows)
                m.d.sync += self.o.payload[p].eq(result(lane, reached, late, out))
        return m

    def _compare(self, m: Module, lane: Lane, x: Value, rows: dict[Column, Value]) -> list[Value]:
        """Registered outcome of x >= start, for each start."""
        dtype = self.op.dtype
        found: dict[Column, Value] = {}
        for column in lane.starts:
            if column in found:
                continue
            found[column] = Signal()
            if not column.fixed:
                m.d.sync += found[column].eq(x >= rows[column])
            elif not dtype.lo < column.entries[0] <= dtype.hi:
                found[column] = Const(column.entries[0] <= dtype.lo, 1)
            else:
                m.d.sync += found[column].eq(at_least(x, column.entries[0], dtype))
        return [found[column] for column in lane.starts]

    def _read_block(
        self, m: Module, columns: tuple[Column, ...], *, advance: Value, taken: Value
    ) -> tuple[Value, list[Value], dict[Column, Value]]:
        """Valid, lanes and row of a beat, two cycles after it came."""
        rows = rows_from_block(m, columns, taken, enable=advance, device=self.device)
        read_valid, valid = Signal(), Signal()
        read_data, data = Signal.like(self.i.payload), Signal.like(self.i.payload)
        with m.If(advance):
            m.d.sync += [
                Cat(read_valid, valid).eq(Cat(self.i.valid, read_valid)),
                read_data.eq(self.i.payload),
                data.eq(read_data),
            ]
        return valid, list(data), rows

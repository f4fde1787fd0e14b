"""Thresholding by multiply, add and shift: step functions that are a line in integers. Where all
slopes are 1, nothing is multiplied."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.dot.multiplier import DEPTH as PRODUCT_DEPTH
from cores.dot.multiplier import HardMultiplier, product
from cores.memory.rows import Column, rows_cost, rows_from_block, rows_from_logic
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.steps.comparison import at_least, constant_luts
from cores.steps.linear_fit import Lines
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.types import IntType
from platforms.device import Device

BLOCK_DEPTH = 2
"""Cycles from a beat to its constants from block RAM."""


@dataclass(frozen=True)
class Digit:
    """Bits `shift` and up of a number, as an operand of a multiplier."""

    dtype: IntType
    shift: int


def digits(dtype: IntType, width: int) -> tuple[Digit, ...]:
    """The number in digits of at most `width` bits; the highest has the sign."""
    found, shift = [], 0
    while dtype.width > width:
        found.append(Digit(IntType.bits(width, signed=False), shift))
        dtype = IntType(dtype.lo >> width, dtype.hi >> width)
        shift += width
    return (*found, Digit(dtype, shift))


@dataclass(frozen=True, eq=False)
class Scaling:
    """The unit for all lanes.

    Parameters
    ----------
    dtype, out : IntType
        Of inputs and results.
    lines : Lines
        One for each channel.
    pe : int
    width : int
        Most bits of a multiplier's operand; 0 if all slopes are 1 and there is no multiplier.
    block : bool
        Slopes and offsets in block RAM where they differ along a lane.
    """

    dtype: IntType
    out: IntType
    lines: Lines
    pe: int
    width: int
    block: bool

    @cached_property
    def slopes(self) -> tuple[Column, ...]:
        """Of each lane."""
        return self._columns(self.lines.slopes)

    @cached_property
    def offsets(self) -> tuple[Column, ...]:
        return self._columns(self.lines.offsets)

    def _columns(self, entries: Sequence[int]) -> tuple[Column, ...]:
        return tuple(Column(tuple(entries[p :: self.pe])) for p in range(self.pe))

    @cached_property
    def slope(self) -> IntType:
        return IntType(min(self.lines.slopes), max(self.lines.slopes))

    @cached_property
    def offset(self) -> IntType:
        return IntType(min(self.lines.offsets), max(self.lines.offsets))

    @cached_property
    def products(self) -> tuple[tuple[Digit, Digit], ...]:
        if not self.width:
            return ()
        return tuple(
            (x, slope)
            for x in digits(self.dtype, self.width)
            for slope in digits(self.slope, self.width)
        )

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Products, or the input itself, and the offset."""
        found = [Term(product(x.dtype, s.dtype), x.shift + s.shift) for x, s in self.products]
        return (*(found or [Term(self.dtype)]), Term(self.offset))

    @cached_property
    def level(self) -> IntType:
        """Range of the results before they are clamped."""
        total = adder_tree.plan(self.terms)[-1][0].range
        return IntType(total.lo >> self.lines.shift, total.hi >> self.lines.shift)

    @cached_property
    def varying(self) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
        """Slopes and offsets that differ along a lane, each once."""
        slopes, offsets = (
            tuple(dict.fromkeys(c for c in columns if not c.fixed))
            for columns in (self.slopes, self.offsets)
        )
        return slopes, offsets

    @property
    def fetch(self) -> int:
        """Cycles from a beat to its slope, or without products to its offset."""
        waits = self.varying[0] or (self.varying[1] and not self.products)
        return BLOCK_DEPTH if self.block and waits else 0

    @property
    def summed(self) -> int:
        """Cycles from a beat to the operands of its sum."""
        return self.fetch + (PRODUCT_DEPTH if self.products else 0)

    @property
    def stages(self) -> Stages:
        # Of products and their operands, of the sum, and the one that clamps it.
        return Stages(self.summed + adder_tree.levels(len(self.terms)) + 1)

    def cost(self, device: Device) -> Count:
        # What takes a row, and what enables the rows that come later.
        total = self.stages.cost + Count(lut=2, ff=self.fetch * self.pe * self.dtype.width)
        lane = adder_tree.cost(self.terms, device) + Count(dsp=len(self.products))
        ends = sum(constant_luts(end, self.level) for end in (self.out.lo, self.out.hi + 1))
        ties = -(-self.lines.shift // 3) if self.lines.late else 0
        lane += Count(lut=self.out.width + ends + ties, ff=self.out.width)
        for columns in self.varying:
            total += rows_cost(columns, device, block=self.block)
        return total + self.pe * lane

    @property
    def hard(self) -> int:
        """Multipliers of all lanes."""
        return self.pe * len(self.products)


class Requantize(Core):
    """Computes a step function per channel by `Scaling`, one beat per cycle.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, op: Op, scaling: Scaling, device: Device | None = None):
        self.scaling = scaling
        super().__init__(op, device)

    def elaborate(self, platform: object) -> Module:
        plan = self.scaling
        m = Module()
        pipeline = Pipeline(m, plan.stages, self.o)
        m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
        advance = pipeline.advance

        # Slopes are needed by the products, offsets by the sums behind them: each row turns when a
        # beat reaches the stage where it is read, so none is carried along.
        slopes, offsets = plan.varying
        late = plan.summed
        read = late - BLOCK_DEPTH if plan.block else late
        slope_of = self._rows(m, slopes, advance, pipeline.valid[0])
        offset_of = self._rows(m, offsets, advance, pipeline.valid[read])
        data = pipeline.delay(self.i.payload, plan.fetch, name="data")
        for p in range(plan.pe):
            slope, offset = (
                columns[p].entries[0] if columns[p].fixed else None
                for columns in (plan.slopes, plan.offsets)
            )
            self._lane(
                m,
                p,
                x=data[p],
                slope=slope_of[plan.slopes[p]] if slope is None else Const(slope),
                offset=offset_of[plan.offsets[p]] if offset is None else Const(offset),
                advance=advance,
            )
        return m

    def _rows(
        self, m: Module, columns: tuple[Column, ...], advance: Value, valid: Value
    ) -> dict[Column, Value]:
        """Constants of the beat that is there: in logic, of the one at `valid`; in block RAM, of
        the one that was there `BLOCK_DEPTH` cycles ago."""
        if not columns:
            return {}
        taken = Signal()
        m.d.comb += taken.eq(advance & valid)
        part = Module()
        m.submodules += part
        if self.scaling.block:
            return rows_from_block(part, columns, taken, enable=advance, device=self.device)
        return rows_from_logic(part, columns, taken)

    def _lane(
        self, m: Module, p: int, *, x: Value, slope: Value, offset: Value, advance: Value
    ) -> None:
        plan = self.scaling
        # Digits are cut from numbers of the full width: a lane's constant can be narrower.
        numbers = Signal(plan.dtype.shape, name=f"x{p}"), Signal(plan.slope.shape, name=f"slope{p}")
        m.d.comb += [numbers[0].eq(x), numbers[1].eq(slope)]
        m.submodules[f"sum{p}"] = tree = AdderTree(plan.terms)
        m.d.comb += [tree.en.eq(advance), tree.i[str(len(plan.terms) - 1)].eq(offset)]
        if not plan.products:
            m.d.comb += tree.i["0"].eq(x)
        for k, pair in enumerate(plan.products):
            a, b = pair
            unit = HardMultiplier(a.dtype, b.dtype, self.device)
            m.submodules[f"product{p}_{k}"] = unit
            m.d.comb += [
                unit.en.eq(advance),
                unit.a.eq(numbers[0] >> a.shift),
                unit.b.eq(numbers[1] >> b.shift),
                tree.i[str(k)].eq(unit.o),
            ]
        scaled = Signal((tree.total.range).shape, name=f"scaled{p}")
        level = Signal(plan.level.shape, name=f"level{p}")
        m.d.comb += scaled.eq(tree.o << tree.total.shift)
        m.d.comb += level.eq(scaled >> plan.lines.shift)
        if plan.lines.late:
            # Of an odd result whose remainder is below `late`, a tie, the last bit falls: it stays
            # where a bit from that place on is set.
            shift, lowest = plan.lines.shift, plan.lines.late.bit_length() - 1
            m.d.comb += level[0].eq(scaled[shift] & scaled[lowest:shift].any())
        lo, hi = plan.out.lo, plan.out.hi
        # The line goes on beyond the steps; the lowest and the highest one are its ends.
        above = at_least(level, hi + 1, plan.level)
        low = Mux(at_least(level, lo, plan.level), level, lo)
        with m.If(advance):
            m.d.sync += self.o.payload[p].eq(Mux(above, hi, low))

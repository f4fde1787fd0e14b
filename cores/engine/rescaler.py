"""Multiply, add and shift of one sum after the other, a digit of the slope per cycle."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.engine.parameters import WORD, Parameters
from cores.engine.program import Program
from cores.engine.table import by_layer
from cores.engine.timing import SUM
from cores.memory.line_buffer import LineBuffer
from cores.memory.line_buffer import cost as memory_cost
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term, adder
from cores.types import IntType
from platforms.device import Device


def _terms(parameters: Parameters, sums: IntType) -> tuple[Term, ...]:
    """The sum under each bit of a digit, and what is added beside it."""
    gated = IntType(min(sums.lo, 0), max(sums.hi, 0))
    return (*(Term(gated, k) for k in range(parameters.digit)), Term(parameters.tops))


def partial(parameters: Parameters, sums: IntType) -> IntType:
    """Of what is left of the digits so far, with the next one."""
    step = adder_tree.plan(_terms(parameters, sums))[-1][0].range
    # What is left over is (before >> digit) + step, so it stays below the sum of step / base^k,
    # which is step * base / (base - 1); 2 below that, as each shift rounds down.
    base = 1 << parameters.digit
    lo, hi = (-(-end * base // (base - 1)) for end in (step.lo, step.hi))
    return IntType(min(lo, step.lo) - 2, max(hi, step.hi))


class Rescaler(Component):
    """Takes over sums when they are there and makes results of them.

    Parameters
    ----------
    program : Program
    sums : IntType

    Members
    -------
    layer : In
    write, write_more, write_address, write_data : In
        Fills the memory of slopes and offsets; see `Parameters`.
    capture : In(1)
        The first of new sums is at `sum` from the next cycle on.
    single : In(1)
        Each result waits for `taken` of the one before.
    taken : In(1)
    sum : In(sums.shape)
    shift : Out(1)
        `sum` is done with.
    busy : Out(1)
        Sums are left, or results on their way.
    result : Out(partial)
        Of the layer's range, or not yet shifted where the layer has none.
    valid : Out(1)
    """

    layer: Signal
    write: Signal
    write_more: Signal
    write_address: Signal
    write_data: Signal
    capture: Signal
    single: Signal
    taken: Signal
    sum: Signal
    shift: Signal
    busy: Signal
    result: Signal
    valid: Signal

    def __init__(self, program: Program, sums: IntType, device: Device | None = None):
        self.program, self.sums, self.device = program, sums, device
        self.partial = partial(program.parameters, sums)
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "write": In(1),
                "write_more": In(1),
                "write_address": In(range(max(program.places))),
                "write_data": In(WORD),
                "capture": In(1),
                "single": In(1),
                "taken": In(1),
                "sum": In(sums.shape),
                "shift": Out(1),
                "busy": Out(1),
                "result": Out(self.partial.shape),
                "valid": Out(1),
            }
        )

    @staticmethod
    def cost(program: Program, sums: IntType, device: Device) -> Count:
        parameters, places = program.parameters, max(program.places)
        terms, width = _terms(parameters, sums), partial(parameters, sums).width
        total = (
            adder_tree.cost(terms, device)
            + adder(width, device)
            + Count(lut=parameters.digit * sums.width + 2 * width + 30, ff=2 * width + 30)
            + memory_cost(places, WORD, device)
        )
        if parameters.more:
            total += memory_cost(places, parameters.more, device)
        return total

    def elaborate(self, platform: object) -> Module:
        m = Module()
        program, parameters = self.program, self.program.parameters
        digits = parameters.count
        m.submodules.parameters = memory = LineBuffer(max(program.places), WORD, self.device)
        active, waits = Signal(), Signal()
        digit = Signal(range(digits))
        results = [each.results - 1 for each in program.instructions]
        left = Signal(range(max(results) + 1))
        place = Signal(range(max(program.places)))
        last_place = by_layer(m, self.layer, [n - 1 for n in program.places], "last_place")
        # `go`: a digit goes into the tree in this cycle. `left` and `digit` count results and
        # digits down and up; the top digit of the last result is the end.
        first, top, go, finish = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            first.eq(digit == 0),
            top.eq(digit == digits - 1),
            go.eq(active & ~(self.single & first & waits)),
            finish.eq(go & top & (left == 0)),
            self.shift.eq(go & top),
            # A read ahead: the word of the first digit is there when the first sum is, and none is
            # read behind the last digit, so that `place` stands at the next tensor's first.
            memory.read.eq(self.capture | (go & ~finish)),
            memory.address.eq(place),
            memory.write.eq(self.write),
            memory.write_address.eq(self.write_address),
            memory.write_data.eq(self.write_data),
        ]
        beside = Signal(parameters.tops.shape)
        m.d.comb += beside.eq(memory.data[parameters.digit :].as_signed())
        if parameters.more:
            m.submodules.tops = tops = LineBuffer(max(program.places), parameters.more, self.device)
            m.d.comb += [
                tops.write.eq(self.write_more),
                tops.write_address.eq(self.write_address),
                tops.write_data.eq(self.write_data),
                tops.read.eq(memory.read),
                tops.address.eq(place),
            ]
            with m.If(top):
                m.d.comb += beside[WORD - parameters.digit :].eq(tops.data)
        with m.If(memory.read):
            m.d.sync += place.eq(Mux(place == last_place, 0, place + 1))
        with m.If(go):
            m.d.sync += digit.eq(Mux(top, 0, digit + 1))
            with m.If(top):
                m.d.sync += left.eq(left - 1)
        with m.If(finish):
            m.d.sync += active.eq(0)
        with m.If(self.capture):
            m.d.sync += [active.eq(1), left.eq(by_layer(m, self.layer, results, "results"))]
        # Only a first digit waits; those of a result under way go on.
        with m.If(go & first):
            m.d.sync += waits.eq(self.single)
        with m.If(self.taken):
            m.d.sync += waits.eq(0)

        m.submodules.tree = tree = AdderTree(_terms(parameters, self.sums))
        # The tree is never stalled: what goes in comes out, with its flags beside it.
        m.d.comb += [tree.en.eq(1), tree.i[str(parameters.digit)].eq(beside)]
        for k in range(parameters.digit):
            m.d.comb += tree.i[str(k)].eq(Mux(memory.data[k], self.sum, 0))
        # As many stages as the tree has: whether a digit arrives, is the first one, the last one.
        flags = [Signal(3, name=f"flags{k}") for k in range(SUM + 1)]
        m.d.comb += flags[0].eq(go | first << 1 | top << 2)
        for before, after in pairwise(flags):
            m.d.sync += after.eq(before)
        left_over = Signal(self.partial.shape)
        complete = Signal()
        arrived, begins, ends = flags[-1]
        with m.If(arrived):
            # From the lowest digit up: the bits below are shifted out, as only a tie needs to know
            # them.
            kept = Mux(begins, 0, left_over >> parameters.digit)
            m.d.sync += left_over.eq(kept + (tree.o << tree.total.shift))
        m.d.sync += complete.eq(arrived & ends)
        tie = self._tie(m, left_over, arrives=arrived, begins=begins)
        self._finish(m, left_over, tie)
        # A cycle behind the last digit, with the register of the clamped result.
        m.d.sync += self.valid.eq(complete)
        under_way = Cat(*(each[0] for each in flags[1:])).any()
        m.d.comb += self.busy.eq(active | waits | under_way | complete | self.valid)
        return m

    def _tie(self, m: Module, left_over: Signal, *, arrives: Value, begins: Value) -> Value:
        """No bit that counts has been shifted out, of a layer in which ties go to even."""
        parameters = self.program.parameters
        lowest = parameters.lowest_tie_bits
        if not any(bit is not None for bit in lowest):
            return Const(0, 1)
        known = next(bit for bit in lowest if bit is not None)
        bits = [known if bit is None else bit for bit in lowest]

        def counted(first: int, width: int, name: str) -> Value:
            """Those of the bits from `first` on that count."""
            masks = [-1 << max(0, bit - first) & (1 << width) - 1 for bit in bits]
            return by_layer(m, self.layer, masks, name) & left_over[:width]

        digit = parameters.digit
        number = Signal(range(parameters.count))  # of digits that are there
        with m.If(arrives):
            m.d.sync += number.eq(Mux(begins, 1, number + 1))
        seen, counts = Signal(), Signal(digit)
        with m.Switch(number):
            for k in range(parameters.count - 1):
                with m.Case(k + 1):
                    m.d.comb += counts.eq(counted(k * digit, digit, f"counted{k}"))
        with m.If(arrives):
            m.d.sync += seen.eq(~begins & (seen | counts.any()))
        width = parameters.remaining_shift
        rest = counted(parameters.shift - width, width, "rest")
        evens = by_layer(m, self.layer, [int(bit is not None) for bit in lowest], "evens")
        return evens & ~seen & ~rest.any()

    def _finish(self, m: Module, left_over: Signal, tie: Value) -> None:
        """Shifted and clamped; sums of a layer without range as they are."""
        program = self.program
        scaled = [layer.rescale for layer in program.layers if layer.rescale is not None]
        if scaled:
            level = Signal(self.partial.shape)
            shift = program.parameters.remaining_shift
            m.d.comb += level.eq(left_over >> shift)
            # A tie has been rounded up. An odd level is then one too high, and an even one right:
            # the lowest bit goes.
            m.d.comb += level[0].eq(left_over[shift] & ~tie)
            ends = [
                [(x.rescale or scaled[0]).out.lo for x in program.layers],
                [(x.rescale or scaled[0]).out.hi for x in program.layers],
            ]
            lo, hi = (
                by_layer(m, self.layer, each, name)
                for each, name in zip(ends, ("low", "high"), strict=True)
            )
            m.d.sync += self.result.eq(Mux(level < lo, lo, Mux(level > hi, hi, level)))
        if program.layers[-1].rescale is None:
            with m.If(self.single):
                m.d.sync += self.result.eq(left_over)

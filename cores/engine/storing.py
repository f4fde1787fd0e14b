"""Where results go: bytes of words back into the memory, or out of the engine."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from cores.engine.program import Program
from cores.engine.rescaler import partial
from cores.engine.table import by_layer


class Storing(Component):
    """Takes the results of a layer one by one.

    Parameters
    ----------
    program : Program

    Members
    -------
    layer, tile : In
    final : In(1)
        Results leave the engine.
    enter : In(1)
        A tile follows.
    leave : In(1)
        The tile has ended.
    result, arrives : In
    taken : Out(1)
        The next result may come; if `final`.
    pending : Out(1)
        A word is complete, and will be written in the next cycle.
    writes, address, word : Out
        It is written.
    busy : Out(1)
    o : Out(stream)
    """

    layer: Signal
    tile: Signal
    final: Signal
    enter: Signal
    leave: Signal
    result: Signal
    arrives: Signal
    taken: Signal
    pending: Signal
    writes: Signal
    address: Signal
    word: Signal
    busy: Signal
    o: stream.Interface

    def __init__(self, program: Program):
        self.program = program
        instructions = program.instructions
        super().__init__(
            {
                "layer": In(range(len(instructions))),
                "tile": In(range(max(each.tiles for each in instructions))),
                "final": In(1),
                "enter": In(1),
                "leave": In(1),
                "result": In(partial(program.parameters, program.sums).shape),
                "arrives": In(1),
                "taken": Out(1),
                "pending": Out(1),
                "writes": Out(1),
                "address": Out(program.address_bits),
                "word": Out(32),
                "busy": Out(1),
                "o": Out(stream.Signature(program.layers[-1].out.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        program, instructions = self.program, self.program.instructions
        row = Signal(range(program.lanes))  # of the tile
        last_row = by_layer(m, self.layer, [each.lanes - 1 for each in instructions], "last_row")
        m.d.comb += self.busy.eq(self.pending | self.writes | self.o.valid)
        m.d.sync += [self.pending.eq(self.arrives & ~self.final & (row[:2] == 3))]
        m.d.sync += self.writes.eq(self.pending)
        with m.If(self.arrives):
            m.d.sync += row.eq(Mux(row == last_row, 0, row + 1))
            m.d.sync += self.word.word_select(row[:2], 8).eq(self.result)

        # The words of a position are neighbours; those of the next one follow those of all tiles.
        target = by_layer(m, self.layer, [each.target for each in instructions], "target")
        skips = [each.target_words - each.groups + 1 for each in instructions]
        skip = by_layer(m, self.layer, skips, "skip")
        groups = by_layer(m, self.layer, [each.groups for each in instructions], "groups")
        group = Signal(range(program.lanes // 4))
        begin, next_begin = Signal.like(self.address), Signal.like(self.address)
        m.d.comb += begin.eq(Mux(self.tile == 0, target, next_begin))
        with m.If(self.writes):
            m.d.sync += [self.address.eq(self.address + 1), group.eq(group + 1)]
            with m.If(group == groups - 1):
                m.d.sync += [self.address.eq(self.address + skip), group.eq(0)]
        with m.If(self.enter):
            m.d.sync += self.address.eq(begin)
        with m.If(self.leave):
            m.d.sync += next_begin.eq(begin + groups)

        whole, rest = divmod(program.layers[-1].rows, instructions[-1].lanes)
        exists = Signal()
        m.d.comb += exists.eq((self.tile != whole) | (row < rest))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.final & self.arrives & exists):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.result)]
        m.d.comb += self.taken.eq((self.arrives & ~exists) | (self.o.valid & self.o.ready))
        return m

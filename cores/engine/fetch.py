"""Weights of an engine: the image of all layers, and those of the running tile at hand."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from cores.engine.program import Program
from cores.engine.table import by_layer
from cores.memory.line_buffer import LineBuffer
from cores.memory.single_port import SinglePort
from platforms.device import Device


class Fetch(Component):
    """Reads the image from its beginning to its end, once for each frame.

    Of each tile come first its weights, which are kept here, then its slopes and offsets by rows.

    Parameters
    ----------
    program : Program
    device : Device or None

    Members
    -------
    layer : In
    i : In(stream.Signature(16))
        The image is written.
    run : In(1)
        A word of the tile is read in this cycle.
    last : Out(1)
        It is the last one of the tile.
    parameter, more, place, data : Out
        A word of a row's parameters, or one with the rest of its last one, the cycle after it was
        read.
    step : In(1)
        Goes on to the next row of weights.
    rewind : In(1)
        With `step`: goes back to the first one.
    weights : Out(8 * lanes)
        The row of the previous cycle.
    """

    layer: Signal
    i: stream.Interface
    run: Signal
    last: Signal
    parameter: Signal
    more: Signal
    place: Signal
    data: Signal
    step: Signal
    rewind: Signal
    weights: Signal

    def __init__(self, program: Program, device: Device | None = None):
        self.program, self.device = program, device
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "i": In(stream.Signature(16)),
                "run": In(1),
                "last": Out(1),
                "parameter": Out(1),
                "more": Out(1),
                "place": Out(range(max(program.places))),
                "data": Out(32),
                "step": In(1),
                "rewind": In(1),
                "weights": Out(8 * program.lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        program, instructions = self.program, self.program.instructions
        words, weight_rows = program.image.tolist(), program.weight_rows
        m.submodules.image = image = SinglePort(len(words), words, self.device)
        memories = [LineBuffer(weight_rows, 32, self.device) for _ in range(program.lanes // 4)]
        for k, memory in enumerate(memories):
            m.submodules[f"weights{k}"] = memory

        # The image is written.
        write_place = Signal(range(2 * len(words)))
        m.d.comb += [
            self.i.ready.eq(1),
            image.write_data.eq(self.i.payload.replicate(2)),
            image.write.eq(Mux(write_place[0], 0b1100, 0b0011) & self.i.valid.replicate(4)),
        ]
        with m.If(self.i.valid):
            m.d.sync += write_place.eq(write_place + 1)
            with m.If(write_place == 2 * len(words) - 1):
                m.d.sync += write_place.eq(0)

        # The image is read: the words of a tile, one after the other.
        address = Signal(range(len(words)))
        m.d.comb += [
            image.address.eq(Mux(self.i.valid, write_place[1:], address)),
            image.read.eq(self.run & ~self.i.valid),
            self.data.eq(image.data),
        ]
        whole = [words - 1 for words in program.tile_words]
        number = Signal(range(max(whole) + 1))
        m.d.comb += self.last.eq(number == by_layer(m, self.layer, whole, "whole"))
        with m.If(self.run):
            m.d.sync += number.eq(Mux(self.last, 0, number + 1))
            m.d.sync += address.eq(address + 1)
            with m.If(self.last & (address == len(words) - 1)):
                m.d.sync += address.eq(0)

        # A cycle later it is kept.
        arrives = Signal()
        m.d.sync += arrives.eq(self.run)
        row = Signal(range(weight_rows))
        column = Signal(range(max(len(memories), 1)))
        beyond = Signal()  # the weights of the tile are complete
        wide = [int(not each.layer.depthwise) for each in instructions]
        last = [(each.groups - 1) * more for each, more in zip(instructions, wide, strict=True)]
        columns = by_layer(m, self.layer, last, "columns")
        rows = by_layer(m, self.layer, [each.weight_rows - 1 for each in instructions], "rows")
        # The last word of a row's digits is followed by one that goes to the same place.
        word = Signal(range(program.parameters.row_words))
        split = program.parameters.more > 0
        last_place = by_layer(m, self.layer, [n - 1 for n in program.places], "last_place")
        m.d.comb += self.more.eq(arrives & beyond & (word == program.parameters.count))
        m.d.comb += self.parameter.eq(arrives & beyond & ~self.more)
        with m.If(arrives & ~beyond):
            m.d.sync += column.eq(column + 1)
            with m.If(column == columns):
                m.d.sync += [column.eq(0), row.eq(row + 1)]
                with m.If(row == rows):
                    m.d.sync += [row.eq(0), beyond.eq(1)]
        with m.If(arrives & beyond):
            if split:
                m.d.sync += word.eq(Mux(self.more, 0, word + 1))
            with m.If(self.more | (word != program.parameters.count - 1) | (not split)):
                m.d.sync += self.place.eq(self.place + 1)
                with m.If(self.place == last_place):
                    m.d.sync += [self.place.eq(0), beyond.eq(0)]
        # And used, row by row.
        used = Signal(range(weight_rows))
        moving = by_layer(
            m, self.layer, [int(each.weight_rows > 1) for each in instructions], "moving"
        )
        with m.If(self.step):
            m.d.sync += used.eq(Mux(self.rewind, 0, used + moving))
        for k, memory in enumerate(memories):
            m.d.comb += [
                memory.write.eq(arrives & ~beyond & (column == k)),
                memory.write_address.eq(row),
                memory.write_data.eq(image.data),
                memory.address.eq(used),
                memory.read.eq(self.step),
            ]
        m.d.comb += self.weights.eq(Cat(*(memory.data for memory in memories)))
        return m

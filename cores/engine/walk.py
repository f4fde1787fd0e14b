"""Where the operands of each step are: loops of the running layer, an address that follows them."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.engine.program import LEVELS, PLACE_BITS, Program
from cores.engine.table import by_layer
from cores.sum.adder_tree import adder
from platforms.device import Device


class Walk(Component):
    """Steps through the loops of a layer.

    Parameters
    ----------
    program : Program

    Members
    -------
    layer : In
    enter : In(1)
        Goes to the beginning of `layer`.
    step : In(1)
        A step is taken.
    fresh : Out(1)
        This step sees a word that the one before did not.
    ends_row, ends_pass, ends_position, ends_tile : Out(1)
        This step is the last of its kernel row, of its sum, of its output position, of the tile.
    byte : Out(2)
        Of the word; that of the channel.
    address : Out
        Of the step that was taken in the previous cycle.
    inside : Out(1)
        It is not padding.
    """

    layer: Signal
    enter: Signal
    step: Signal
    fresh: Signal
    ends_row: Signal
    ends_pass: Signal
    ends_position: Signal
    ends_tile: Signal
    byte: Signal
    address: Signal
    inside: Signal

    def __init__(self, program: Program):
        self.program = program
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "enter": In(1),
                "step": In(1),
                "fresh": Out(1),
                "ends_row": Out(1),
                "ends_pass": Out(1),
                "ends_position": Out(1),
                "ends_tile": Out(1),
                "byte": Out(2),
                "address": Out(program.address_bits),
                "inside": Out(1),
            }
        )

    @staticmethod
    def cost(program: Program, device: Device) -> Count:
        instructions = program.instructions
        bits = sum(
            max(x - 1 for x in counts).bit_length()
            for counts in zip(*(each.counts for each in instructions), strict=True)
        )
        coordinate = program.address_bits + 2 * PLACE_BITS
        depth = LEVELS * len(instructions)
        return (
            Count(lut=3 * bits + 16, ff=bits + coordinate, mux=bits + 2 * coordinate)
            + adder(bits, device)
            + adder(coordinate, device)
            + Count(ram_blocks=device.block_ram.blocks(depth, coordinate))
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        level = self._loops(m)
        moved = Signal()
        m.d.sync += moved.eq(self.step)
        bits, starts, moves = self.program.address_bits, [], []
        for each in self.program.instructions:
            starts.append(_packed(bits, *each.start))
            moves += [_packed(bits, *row) for row in each.moves.tolist()]
        width = bits + 2 * PLACE_BITS
        m.submodules.moves = table = Memory(
            shape=unsigned(width), depth=len(moves), init=moves, attrs={"ram_style": "block"}
        )
        port = table.read_port()
        m.d.comb += [port.addr.eq(Cat(level, self.layer)), port.en.eq(self.step)]

        place = [Signal(PLACE_BITS, name=f"place{k}") for k in range(2)]
        position = Cat(self.address, *place)
        parts = _parts(bits, port.data)
        with m.If(moved):
            for old, change in zip((self.address, *place), parts, strict=True):
                m.d.sync += old.eq(old + change)
        with m.If(self.enter):
            m.d.sync += position.eq(by_layer(m, self.layer, starts, "start"))
        shapes = [each.layer.shape for each in self.program.instructions]
        inside = [
            number < by_layer(m, self.layer, [shape[axis] for shape in shapes], f"size{axis}")
            for number, axis in zip(place, (1, 0), strict=True)
        ]
        m.d.comb += self.inside.eq(inside[0] & inside[1])
        return m

    def _loops(self, m: Module) -> Value:
        """Counters; what follows this step."""
        turns = zip(*(each.counts for each in self.program.instructions), strict=True)
        inner: Value = self.step
        ends: list[Value] = []
        numbers: list[Signal] = []
        for k, counts in enumerate(turns):
            number = Signal(range(max(max(counts), 4 if k == 0 else 1)), name=f"number{k}")
            end = Signal(name=f"end{k}")
            last = by_layer(m, self.layer, [count - 1 for count in counts], f"last{k}")
            m.d.comb += end.eq(number == last)
            with m.If(inner):
                m.d.sync += number.eq(Mux(end, 0, number + 1))
            inner = inner & end
            ends.append(end)
            numbers.append(number)
        m.d.comb += self.byte.eq(numbers[0][:2])
        m.d.comb += self.ends_row.eq(ends[0] & ends[1])
        m.d.comb += self.ends_pass.eq(self.ends_row & ends[2])
        m.d.comb += self.ends_position.eq(self.ends_pass & ends[3])
        m.d.comb += self.ends_tile.eq(self.ends_position & ends[4] & ends[5])
        level = Signal(range(LEVELS))
        m.d.comb += level.eq(LEVELS - 1)
        for k in reversed(range(len(ends))):
            with m.If(~ends[k]):
                m.d.comb += level.eq(k + 1)
        with m.If(~ends[0] & (self.byte != 3)):
            m.d.comb += level.eq(0)
        same = Signal()
        m.d.comb += self.fresh.eq(~same)
        with m.If(self.step):
            m.d.sync += same.eq(level == 0)
        return level


def _packed(bits: int, address: int, column: int, row: int) -> int:
    mask = (1 << PLACE_BITS) - 1
    low = address & (1 << bits) - 1
    return low | (column & mask) << bits | (row & mask) << bits + PLACE_BITS


def _parts(bits: int, word: Value) -> tuple[Value, Value, Value]:
    end = bits + PLACE_BITS
    return word[:bits], word[bits:end], word[end:]

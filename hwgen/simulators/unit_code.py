"""A unit as C++: plain words of 64 bits, one statement per cell, a few functions.

A unit's state is an array of words. `start` computes what depends on the state alone; a function
per output port what depends on input ports as well; `next` the rest, and the state after the clock
edge. Signals that one function makes and another needs are kept in the array.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.simulators.cell_code import CellCode, variable, words
from hwgen.simulators.unit import STATE, Cell, Unit, nir, operands

STATEMENTS = 1500
"""Cells per C++ function: compilers take more than twice as long for one that is twice as long."""


@dataclass(frozen=True, eq=False)
class UnitCode:
    """A unit ready to be compiled, and what stands around its code.

    Attributes
    ----------
    text : str
        C++ with one symbol, a table of functions ``<symbol>``; no memory contents.
    symbol : str
        Named after the text.
    image : uint64 array
        Words of its state after power-on.
    inputs, outputs : list of str
        Ports in the order of the tables.
    widths : dict of str to int
        Bits of each port.
    places : list of int
        First word of each output port in the state.
    depends : dict of str to list of str
        Input ports on which an output port depends within the cycle.
    """

    text: str
    symbol: str
    image: np.ndarray
    inputs: list[str]
    outputs: list[str]
    widths: dict[str, int]
    places: list[int]
    depends: dict[str, list[str]]


def unit_code(unit: Unit) -> UnitCode:
    """Writes a unit as C++."""
    return _Writer(unit).code()


@dataclass(frozen=True)
class _Function:
    """Cells that are evaluated together."""

    name: str
    cells: Sequence[int]
    outputs: Sequence[str] = ()
    update: bool = False


class _Writer:
    def __init__(self, unit: Unit):
        self.unit = unit
        self.outputs = list(unit.outputs)
        self.size = 0
        self.place: dict[int, int] = {}
        for number, cell in unit.cells.items():
            if isinstance(cell, STATE):
                self.place[number] = self._room(words(unit.width(number)))
        # Of their own even for registers: other units still read them behind the clock edge.
        self.output_place = {
            name: self._room(words(len(unit.outputs[name]))) for name in unit.outputs
        }
        self.memories = {
            number: self._room(cell.depth * words(cell.width))
            for number, cell in unit.cells.items()
            if isinstance(cell, nir.Memory)
        }
        self.cells = CellCode(unit, self.memories)

    def _room(self, count: int) -> int:
        self.size += count
        return self.size - count

    def code(self) -> UnitCode:
        functions = self._functions()
        crossing = self._crossing(functions)
        for number in sorted(crossing):
            self.place[number] = self._room(words(self.unit.width(number)))
        text = "".join(self._text(function) for function in functions)
        names = [function.name for function in functions]
        calls = "".join(f"    {name}(s, in);\n" for name in names if name.startswith("next"))
        text += f"static void next(W *s, const W *const *in) {{\n{calls}}}\n"
        symbol = f"unit_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        table = ["start", "next", *(f"o{k}" for k in range(len(self.outputs)))]
        members = (f"{symbol}_::{name}" if name in [*names, "next"] else "0" for name in table)
        text = (
            f"namespace {symbol}_ {{\n{text}}}\n"
            f'extern "C" Function const {symbol}[] = {{{", ".join(members)}}};\n'
        )
        widths = {name: width for name, (_, width) in self.unit.inputs.items()}
        widths |= {name: len(nets) for name, nets in self.unit.outputs.items()}
        return UnitCode(
            text,
            symbol,
            self._image(),
            list(self.unit.inputs),
            self.outputs,
            widths,
            [self.output_place[name] for name in self.outputs],
            self.unit.depends,
        )

    def _functions(self) -> list[_Function]:
        unit, depends = self.unit, self.unit.depends
        cones = {name: unit.cone(unit.outputs[name]) for name in self.outputs}
        driven = self._driven_by_inputs()
        early = {n for cone in cones.values() for n in cone if n not in driven}
        free = [name for name in self.outputs if not depends[name]]
        functions = [_Function("start", [n for n in unit.order if n in early], free)]
        done = set(early)
        for k, name in enumerate(self.outputs):
            if depends[name]:
                late = cones[name] & driven
                functions.append(_Function(f"o{k}", [n for n in unit.order if n in late], [name]))
                done |= late
        rest = [n for n in unit.order if n not in done]
        parts = [rest[k : k + STATEMENTS] for k in range(0, len(rest), STATEMENTS)]
        if len(parts) > 1:
            parts.append([])  # the update stands alone, so that nothing is read behind it
        for k, part in enumerate(parts or [[]]):
            last = k == max(len(parts) - 1, 0)
            functions.append(_Function(f"next{k}", part, update=last))
        return functions

    def _driven_by_inputs(self) -> set[int]:
        driven: set[int] = set()
        for number in self.unit.order:
            if self.unit.reads[number] & driven or any(
                1 < net < 1 << 16 for net in self.unit.resolve(operands(self.unit.cells[number]))
            ):
                driven.add(number)
        return driven

    def _needed(self, function: _Function) -> Iterator[int]:
        """Nets that a function reads."""
        resolve = self.unit.resolve
        for number in function.cells:
            yield from resolve(operands(self.unit.cells[number]))
        for name in function.outputs:
            yield from self.unit.outputs[name]
        if function.update:
            for cell in self.unit.cells.values():
                if isinstance(cell, (*STATE, nir.SyncWritePort)):
                    yield from resolve(operands(cell))

    def _crossing(self, functions: Sequence[_Function]) -> set[int]:
        """Combinational cells that another function than their own reads."""
        crossing: set[int] = set()
        for function in functions:
            own = set(function.cells)
            read = {net >> 16 for net in self._needed(function) if net >= 1 << 16}
            crossing |= {n for n in read - own if n in self.unit.reads}
        return crossing

    def _text(self, function: _Function) -> str:
        own = set(function.cells)
        cells: dict[int, None] = {}
        for net in self._needed(function):
            if net >= 1 << 16 and net >> 16 not in own:
                cells[net >> 16] = None
        lines = [
            f"const W {variable(n, j)} = s[{self.place[n] + j}];"
            for n in cells
            for j in range(words(self.unit.width(n)))
        ]
        for number in function.cells:
            lines += self.cells.statements(number)
            if number in self.place:
                count = words(self.unit.width(number))
                lines += [
                    f"s[{self.place[number] + j}] = {variable(number, j)};" for j in range(count)
                ]
        for name in function.outputs:
            place = self.output_place[name]
            values = self.cells.expressions(self.unit.outputs[name])
            lines += [f"s[{place + j}] = {x};" for j, x in enumerate(values)]
        if function.update:
            lines += self._update()
        body = "".join(f"    {line}\n" for line in lines)
        return f"static void {function.name}(W *s, const W *const *in) {{\n{body}}}\n"

    def _update(self) -> list[str]:
        """The clock edge: everything is read before anything is written."""
        reads, writes, stores = [], [], []
        for number, cell in self.unit.cells.items():
            if isinstance(cell, nir.FlipFlop):
                place = self.place[number]
                for j, x in enumerate(self.cells.expressions(self.unit.resolve(cell.data))):
                    if x == variable(number, j):
                        continue
                    reads.append(f"const W d{number}_{j} = {x};")
                    stores.append(f"s[{place + j}] = d{number}_{j};")
            elif isinstance(cell, nir.SyncReadPort):
                (enable,) = self.cells.expressions(self.unit.resolve([cell.en]))
                fetched = self.cells.fetch(number, cell.memory, cell.addr, cell.width, "d")
                reads += [*fetched, *self._transparent(number, cell)]
                store = "".join(
                    f"s[{self.place[number] + j}] = d{number}_{j}; "
                    for j in range(words(cell.width))
                )
                stores.append(f"if ({enable}) {{ {store}}}")
            elif isinstance(cell, nir.SyncWritePort):
                writes += self._write(cell)
        return [*reads, *writes, *stores]

    def _write(self, cell: Cell) -> Iterator[str]:
        memory = self.unit.cells[cell.memory]
        (address,) = self.cells.expressions(self.unit.resolve(cell.addr)) or ["0"]
        count = words(memory.width)
        data = self.cells.expressions(self.unit.resolve(cell.data))
        enables = self.unit.resolve(cell.en)
        bound = f" && {address} < {memory.depth}" if memory.depth < 1 << len(cell.addr) else ""
        place = self.memories[cell.memory]
        if len(set(enables)) == 1:
            (enable,) = self.cells.expressions(enables[:1])
            store = "".join(f"m[{j}] = {x}; " for j, x in enumerate(data))
        else:
            enable = "1"
            store = "".join(
                f"m[{j}] = (m[{j}] & ~({mask})) | ({x} & ({mask})); "
                for j, (x, mask) in enumerate(
                    zip(data, self.cells.expressions(enables), strict=True)
                )
            )
        yield (f"if ({enable}{bound}) {{ W *m = s + {place} + {count} * ({address}); {store}}}")

    def _transparent(self, number: int, cell: Cell) -> Iterator[str]:
        """Words that are written while they are read."""
        (address,) = self.cells.expressions(self.unit.resolve(cell.addr))
        for port in cell.transparent_for:
            write = self.unit.cells[port]
            (at,) = self.cells.expressions(self.unit.resolve(write.addr))
            data = self.cells.expressions(self.unit.resolve(write.data))
            masks = self.cells.expressions(self.unit.resolve(write.en))
            for j, (x, mask) in enumerate(zip(data, masks, strict=True)):
                name = f"d{number}_{j}"
                yield f"if ({address} == {at}) {name} = ({name} & ~({mask})) | ({x} & ({mask}));"

    def _image(self) -> np.ndarray:
        image = np.zeros(self.size, np.uint64)
        for number, cell in self.unit.cells.items():
            if isinstance(cell, nir.FlipFlop):
                for j in range(words(len(cell.data))):
                    image[self.place[number] + j] = cell.init >> 64 * j & (1 << 64) - 1
            elif isinstance(cell, nir.Memory):
                count, place = words(cell.width), self.memories[number]
                for j in range(count):
                    column = [row >> 64 * j & (1 << 64) - 1 for row in cell.init]
                    stop = place + j + count * len(column)
                    image[place + j : stop : count] = np.array(column, np.uint64)
        return image

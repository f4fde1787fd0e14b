"""The cells of a unit as C++ statements over words of 64 bits.

The words of cell k are called ``vk_0``, ``vk_1``, ...; unused bits of the last one are 0.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from hwgen.errors import CheckError
from hwgen.simulators.unit import Cell, Nets, Unit, nir

_COMPARE = ("<", ">", "<=", ">=")


def words(bits: int) -> int:
    return -(-bits // 64)


def variable(cell: int, word: int) -> str:
    return f"v{cell}_{word}"


class CellCode:
    """Writes values and combinational cells.

    Parameters
    ----------
    unit : Unit
    memories : dict of int to int
        First word of each memory in the state.
    """

    def __init__(self, unit: Unit, memories: dict[int, int]):
        self.unit, self.memories = unit, memories
        self.inputs = list(unit.inputs)
        self.ports: dict[int, tuple[int, int]] = {}
        for index, (start, width) in enumerate(unit.inputs.values()):
            self.ports.update({start + bit: (index, bit) for bit in range(width)})

    def expressions(self, nets: Nets) -> list[str]:
        """One expression per word of a value."""
        return [self._word(nets[k : k + 64]) for k in range(0, len(nets), 64)]

    def _word(self, nets: Nets) -> str:
        constant, terms, k = 0, [], 0
        while k < len(nets):
            net, count = nets[k], 1
            if net < 2:
                constant |= net << k
            elif k + 1 < len(nets) and nets[k + 1] == net:  # one bit many times
                while k + count < len(nets) and nets[k + count] == net:
                    count += 1
                terms.append(_placed(f"-({self._slice(net, 1)}) & {mask(count)}", k))
            else:
                room = 64 - self._bit(net) % 64
                while k + count < len(nets) and count < room and nets[k + count] == net + count:
                    count += 1
                terms.append(_placed(self._slice(net, count), k))
            k += count
        if constant or not terms:
            terms.append(f"{constant:#x}ull")
        if len(terms) == 1:
            return terms[0] if terms[0].isidentifier() else f"({terms[0]})"
        return "(" + " | ".join(f"({term})" for term in terms) + ")"

    def _bit(self, net: int) -> int:
        return net & 0xFFFF if net >= 1 << 16 else self.ports[net][1]

    def _slice(self, net: int, count: int) -> str:
        """Bits of one word of a signal, from a net on."""
        if net < 1 << 16:
            index, bit = self.ports[net]
            name, width = f"in[{index}][{bit // 64}]", self.unit.inputs[self.inputs[index]][1]
        else:
            number, bit = net >> 16, net & 0xFFFF
            name, width = variable(number, bit // 64), self.unit.width(number)
        used = min(64, width - bit // 64 * 64)
        low = bit % 64
        shifted = f"{name} >> {low}" if low else name
        return shifted if low + count >= used else f"({shifted}) & {mask(count)}"

    def statements(self, number: int) -> Iterable[str]:
        cell = self.unit.cells[number]
        if isinstance(cell, nir.Operator):
            return self._operator(number, cell)
        if isinstance(cell, nir.Part):
            return self._part(number, cell)
        if isinstance(cell, nir.Matches):
            return self._matches(number, cell)
        if isinstance(cell, nir.PriorityMatch):
            return self._priority(number, cell)
        if isinstance(cell, nir.AssignmentList):
            return self._assignments(number, cell)
        assert isinstance(cell, nir.AsyncReadPort)
        return self.fetch(number, cell.memory, cell.addr, cell.width, "v")

    def fetch(
        self, number: int, memory_number: int, addr: Cell, width: int, prefix: str
    ) -> list[str]:
        """Words of a memory; 0 behind its end."""
        memory = self.unit.cells[memory_number]
        (address,) = self.expressions(self.unit.resolve(addr)) or ["0"]
        place, count = self.memories[memory_number], words(memory.width)
        bound = f"{address} < {memory.depth} ? " if memory.depth < 1 << len(addr) else ""
        other = " : 0" if bound else ""
        return [
            f"W {prefix}{number}_{j} = {bound}s[{place + j} + {count} * ({address})]{other};"
            for j in range(words(width))
        ]

    def _operator(self, number: int, cell: Cell) -> Iterator[str]:
        operator, width = cell.operator, self.unit.width(number)
        values = [self.expressions(self.unit.resolve(value)) for value in cell.inputs]
        bits = len(cell.inputs[0])
        tops = [mask(min(64, bits - 64 * j)) for j in range(words(bits))]
        if operator in ("~", "&", "|", "^", "m"):
            for j in range(words(width)):
                yield f"const W {variable(number, j)} = {_bitwise(operator, values, j, tops)};"
        elif operator in ("b", "r|", "r&", "r^", "==", "!="):
            yield f"const W {variable(number, 0)} = {_reduced(operator, values, tops)};"
        elif bits <= 64:
            yield f"const W {variable(number, 0)} = {_narrow(operator, values, bits)};"
        else:
            yield from self._wide(number, operator, values, bits)

    def _wide(
        self, number: int, operator: str, values: list[list[str]], bits: int
    ) -> Iterator[str]:
        count = words(bits)
        for name, value in zip("ab", values, strict=False):
            yield f"const W {name}{number}[] = {{{', '.join(value)}}};"
        a, b, y = f"a{number}", f"b{number}", f"y{number}"
        if operator[0] in "us" and operator[1:] in _COMPARE:
            if operator[0] == "s":
                raise CheckError(f"signed comparison of {bits} bits")
            test = f"wide_compare({a}, {b}, {count}) {operator[1:]} 0"
            yield f"const W {variable(number, 0)} = {test};"
            return
        if operator in ("<<", "u>>"):
            sign = "-" if operator == "<<" else ""
            (amount,) = values[1]
            results = [
                f"wide_field({a}, {count}, {64 * j} + {sign}(int64_t)({amount}), 0)"
                for j in range(count)
            ]
        elif operator in ("+", "-", "*"):
            yield f"W {y}[{count}];"
            if operator == "*":
                yield f"wide_multiply({y}, {a}, {b}, {count});"
            elif operator == "+":
                yield f"wide_add({y}, {a}, {b}, {count}, 0);"
            else:
                *minuend, subtrahend = values
                inverted = ", ".join(f"~{x}" for x in subtrahend)
                start = ", ".join(minuend[0]) if minuend else "0"
                yield f"const W m{number}[{count}] = {{{start}}}, n{number}[] = {{{inverted}}};"
                yield f"wide_add({y}, m{number}, n{number}, {count}, 1);"
            results = [f"{y}[{j}]" for j in range(count)]
        else:
            raise CheckError(f"{operator} of {bits} bits")
        for j, result in enumerate(results):
            yield f"const W {variable(number, j)} = {result} & {mask(min(64, bits - 64 * j))};"

    def _part(self, number: int, cell: Cell) -> Iterator[str]:
        nets = self.unit.resolve(cell.value)
        reach = ((1 << len(cell.offset)) - 1) * cell.stride + cell.width
        if cell.value_signed and reach > len(nets):
            # Amaranth's simulator and yosys do not agree on what is there.
            raise CheckError("a part of a signed number must not lie behind its end")
        (offset,) = self.expressions(self.unit.resolve(cell.offset))
        yield f"const W a{number}[] = {{{', '.join(self.expressions(nets))}}};"
        yield f"const int64_t p{number} = (int64_t)({offset}) * {cell.stride};"
        for j in range(words(cell.width)):
            field = f"wide_field(a{number}, {words(len(nets))}, p{number} + {64 * j}, 0)"
            top = mask(min(64, cell.width - 64 * j))
            yield f"const W {variable(number, j)} = {field} & {top};"

    def _matches(self, number: int, cell: Cell) -> Iterator[str]:
        values = self.expressions(self.unit.resolve(cell.value))
        tests = []
        for pattern in cell.patterns:
            care = int(pattern.replace("0", "1").replace("-", "0") or "0", 2)
            bits = int(pattern.replace("-", "0") or "0", 2)
            each = []
            for j, value in enumerate(values):
                mask, wanted = (x >> 64 * j & (1 << 64) - 1 for x in (care, bits))
                each.append(f"({value} & {mask:#x}ull) == {wanted:#x}ull")
            tests.append("(" + " && ".join(each or ["1"]) + ")")
        yield f"const W {variable(number, 0)} = {' || '.join(tests) or '0'};"

    def _priority(self, number: int, cell: Cell) -> Iterator[str]:
        (enable,) = self.unit.resolve([cell.en])
        yield f"W r{number} = {self._word([enable])};"
        inputs = self.unit.resolve(cell.inputs)
        for j, part in enumerate(inputs[k : k + 64] for k in range(0, len(inputs), 64)):
            yield f"W {variable(number, j)} = 0;"
            for bit, net in enumerate(part):
                if net == 1:
                    yield f"{variable(number, j)} |= r{number} << {bit}; r{number} = 0;"
                elif net:
                    x = self._word([net])
                    yield f"{variable(number, j)} |= (r{number} & {x}) << {bit}; r{number} &= ~{x};"

    def _assignments(self, number: int, cell: Cell) -> Iterator[str]:
        default = self.expressions(self.unit.resolve(cell.default))
        for j, value in enumerate(default):
            yield f"W {variable(number, j)} = {value};"
        width = len(cell.default)
        parts = [p for p in cell.assignments if self.unit.resolve([p.cond]) != [0]]
        for condition, group in groupby(parts, key=lambda p: self.unit.resolve([p.cond])):
            changes = "".join(
                change for part in group for change in self._assigned(number, part, width)
            )
            yield f"if ({self._word(condition)}) {{ {changes}}}"

    def _assigned(self, number: int, part: Cell, width: int) -> Iterator[str]:
        nets = self.unit.resolve(part.value)[: max(width - part.start, 0)]
        start = part.start
        while nets:
            low = start % 64
            piece, nets = nets[: 64 - low], nets[64 - low :]
            word, name = start // 64, variable(number, start // 64)
            value = self._word(piece)
            if low == 0 and len(piece) == min(64, width - 64 * word):
                yield f"{name} = {value}; "
            else:
                mask = ((1 << len(piece)) - 1) << low
                yield f"{name} = ({name} & ~{mask:#x}ull) | (W)({value}) << {low}; "
            start += len(piece)


def _placed(bits: str, at: int) -> str:
    return f"({bits}) << {at}" if at else bits


def mask(count: int) -> str:
    return f"{(1 << count) - 1:#x}ull"


def _bitwise(operator: str, values: list[list[str]], j: int, tops: list[str]) -> str:
    if operator == "~":
        return f"{values[0][j]} ^ {tops[j]}"
    if operator == "m":
        return f"{values[0][0]} ? {values[1][j]} : {values[2][j]}"
    return f"{values[0][j]} {operator} {values[1][j]}"


def _reduced(operator: str, values: list[list[str]], tops: list[str]) -> str:
    if operator in ("b", "r|"):
        return f"({' | '.join(values[0]) or '0'}) != 0"
    if operator == "r&":
        return " && ".join(f"{x} == {top}" for x, top in zip(values[0], tops, strict=True)) or "1"
    if operator == "r^":
        return f"__builtin_parityll({' ^ '.join(values[0]) or '0'})"
    joint = " && " if operator == "==" else " || "
    empty = "1" if operator == "==" else "0"
    return joint.join(f"{a} {operator} {b}" for a, b in zip(*values, strict=True)) or empty


def _narrow(operator: str, values: list[list[str]], bits: int) -> str:
    """Arithmetic and comparison of up to 64 bits."""
    within = "" if bits == 64 else f" & {mask(bits)}"
    if not bits:
        return "0"
    first, *others = (value[0] if value else "0" for value in values)
    if operator == "-" and not others:
        return f"(-{first}){within}"
    (second,) = others
    if operator in ("+", "-", "*"):
        return f"({first} {operator} {second}){within}"
    if operator == "<<":
        return f"({second} < 64 ? {first} << {second} : 0){within}"
    if operator == "u>>":
        return f"{second} < 64 ? {first} >> {second} : 0"
    if operator == "s>>":
        return f"(W)(wide_signed({first}, {bits}) >> ({second} < 63 ? {second} : 63)){within}"
    if operator in ("u//", "u%"):
        sign = "/" if operator == "u//" else "%"
        return f"{second} ? {first} {sign} {second} : 0"
    if operator[1:] in _COMPARE:
        if operator[0] == "s":
            first, second = (f"wide_signed({x}, {bits})" for x in (first, second))
        return f"{first} {operator[1:]} {second}"
    raise CheckError(f"operator {operator}")

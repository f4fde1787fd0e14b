"""CCU2C: prices of adders, gates folded into them, and chains laid end to end.

Each half of a CCU2C has one LUT of four inputs, whose output w makes the sum bit w XOR carry, and
passes the carry on if w is 1; else the carry out is a function of the inputs A and B alone, which
is the lower quarter of the same table. An adder of f(A, B) and g(C, D) needs w = f XOR g and that
function to be f: g(0, 0) must be 0, or D be tied to 1 and g a function of C.

A half with w = 0 ends one chain, its carry out is a sum bit, and begins the next with any function
of A and B as carry in. So a chain costs one half more than it has bits.

Prices: `python -m scripts.calibrate_cost --device ecp5-25f`, a grid of cores as placed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from amaranth.hdl import Const, Instance, Module, Signal, Value

from cores.cost import Count
from cores.silicon.chains import ZERO, ChainSize, ChainSum, Operand
from cores.silicon.portable import carry as portable

T = TypeVar("T")

FOLDS_GATES = True
FOLDS_CHOICE = False
SUBTRACTS = True
COMPARATOR_ENDS = 0

inverter = portable.inverter
restart = portable.restart
carry_out = portable.carry_out

HALVES = 8
"""Halves that chains share before a new row of cells begins: static timing follows the carry from
one chain into the next."""

_LOW, _HIGH = Const(0, 1), Const(1, 1)


@dataclass(frozen=True)
class _Half:
    """`table` is the LUT's, bit ``a + 2 * b + 4 * c + 8 * d``."""

    table: int
    inputs: tuple[Value, Value, Value, Value]
    result: Value | None


def adder(bits: int) -> Count:
    """A cell always has two bits, and yosys builds adders of up to four bits without them."""
    if bits <= 4:
        return Count(add=bits + bits // 4)
    return Count(add=bits + bits % 2, ends=1 - bits % 2)


def comparator(bits: int) -> Count:
    """Logic takes the last carry, so that both ends take cells of their own."""
    return adder(bits) if bits <= 4 else Count(add=bits, ends=2)


def halves(bits: Sequence[int]) -> int:
    """Halves of cells that chains of these numbers of bits take."""
    used = [sum(row) + len(row) + 1 for row in _rows(bits, lambda bits: bits)]
    return sum(count + count % 2 for count in used)


def chains(m: Module, name: str, sums: Sequence[ChainSum]) -> list[bool]:
    """In cells where they are better than LUTs; the other sums by logic."""
    laid, inverses = [], []
    for number, each in enumerate(sums):
        cells = _in_cells(ChainSize(len(each.pairs), _gated(each), 0))
        inverses.append(cells and _inverts(each))
        if cells:
            laid.append(_suited(m, f"{name}_gated{number}", each, inverse=inverses[-1]))
        else:
            m.d.comb += each.result.eq(portable.total(each))
    _add(m, name, laid)
    return inverses


def chains_cost(sizes: Sequence[ChainSize]) -> Count:
    cells = [size.bits for size in sizes if _in_cells(size)]
    luts = sum(2 * size.bits for size in sizes if not _in_cells(size))
    return Count(lut=luts, add=halves(cells))


def _in_cells(size: ChainSize) -> bool:
    """Whether carry cells are better than LUTs: with gates in front, or more than one bit."""
    return size.bits > 1 or size.gated


def _gated(each: ChainSum) -> bool:
    operands = [each.carry, *(operand for pair in each.pairs for operand in pair)]
    return any(len(operand.inputs) > 1 for operand in operands)


def _second(operand: Operand) -> bool:
    """Whether it can be the second operand of an adder as it is."""
    return len(operand.inputs) < 2 or not operand.table & 1


def _turned(operand: Operand, inverse: bool) -> Operand:
    return operand.inverted if inverse else operand


def _inverts(each: ChainSum) -> bool:
    """Whether the cells add the inverse of every bit, which gives the inverse of every result: what
    their tables cannot add, they often can add inverted."""

    def unsuited(inverse: bool) -> int:
        return sum(
            not any(_second(_turned(operand, inverse)) for operand in pair) for pair in each.pairs
        )

    return unsuited(True) < unsuited(False)


def _suited(m: Module, name: str, each: ChainSum, *, inverse: bool) -> ChainSum:
    """The chain with operands that cells can add: of a pair that they cannot, the second one is
    made by a gate in front."""
    pairs = []
    for bit, pair in enumerate(each.pairs):
        first, second = (_turned(operand, inverse) for operand in pair)
        if not _second(first) and not _second(second):
            gated = Signal(name=f"{name}_{bit}")
            m.d.comb += gated.eq(second.value)
            second = Operand((gated,), 0b1010)
        pairs.append((first, second))
    return ChainSum(_turned(each.carry, inverse), pairs, each.result)


def _add(m: Module, name: str, sums: Sequence[ChainSum]) -> None:
    """Of every pair, one operand must be as `_second` says."""
    for number, row in enumerate(_rows(sums, lambda each: len(each.pairs))):
        cells: list[_Half] = []
        carry: Value | None = None
        for each in row:
            cells.append(_boundary(each.carry, carry))
            bits = len(each.pairs)
            pairs = zip(each.pairs, each.result, strict=False)
            cells += [_adder(*pair, result) for pair, result in pairs]
            carry = each.result[bits] if len(each.result) > bits else None
        if carry is not None:
            cells.append(_boundary(ZERO, carry))
        _lay(m, f"{name}_{number}", cells)


def _rows(items: Sequence[T], size: Callable[[T], int]) -> list[list[T]]:
    """Chains that share a row of cells."""
    rows: list[list[T]] = []
    room = 0
    for item in items:
        if not rows or room < size(item) + 1:
            rows.append([])
            room = HALVES - 1
        rows[-1].append(item)
        room -= size(item) + 1
    return rows


def _boundary(carry: Operand, result: Value | None) -> _Half:
    """The end of a chain, if there is one before, and the beginning of the next."""
    a, b = (*carry.inputs, _LOW, _LOW)[:2]
    return _Half(carry.table, (a, b, _LOW, _HIGH), result)


def _adder(first: Operand, second: Operand, result: Value) -> _Half:
    if not _second(second):
        first, second = second, first
    a, b = (*first.inputs, _LOW, _LOW)[:2]
    c, d = (*second.inputs, _LOW, _LOW)[:2]
    if len(second.inputs) < 2:
        d = _HIGH
        tables = [first.table, 0, *(first.table ^ 15 * (second.table >> k & 1) for k in (0, 1))]
    else:
        tables = [first.table ^ 15 * (second.table >> k & 1) for k in range(4)]
    return _Half(sum(table << 4 * k for k, table in enumerate(tables)), (a, b, c, d), result)


def _lay(m: Module, name: str, cells: list[_Half]) -> None:
    if len(cells) % 2:
        cells = [*cells, _boundary(ZERO, None)]
    carry: Value = _LOW
    for number, pair in enumerate(zip(cells[::2], cells[1::2], strict=True)):
        out = Signal(name=f"{name}_carry{number}")
        ports: dict[str, Value] = {"i_CIN": carry, "o_COUT": out}
        for k, half in enumerate(pair):
            inputs = zip("ABCD", half.inputs, strict=True)
            ports |= {f"i_{pin}{k}": value for pin, value in inputs}
            if half.result is not None:
                ports[f"o_S{k}"] = half.result
        m.submodules[f"{name}_cell{number}"] = Instance(
            "CCU2C",
            **ports,
            p_INIT0=Const(pair[0].table, 16),
            p_INIT1=Const(pair[1].table, 16),
            p_INJECT1_0="NO",
            p_INJECT1_1="NO",
        )
        carry = out

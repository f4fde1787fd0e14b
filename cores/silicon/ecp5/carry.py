"""Carry chains of ECP5 by the cell, CCU2C: gates folded into the adder, and chains laid end to end.

Each half of a CCU2C has one LUT of four inputs, whose output w makes the sum bit w XOR carry, and
passes the carry on if w is 1; else the carry out is a function of the inputs A and B alone, which
is the lower quarter of the same table. An adder of f(A, B) and g(C, D) needs w = f XOR g and that
function to be f: g(0, 0) must be 0, or D be tied to 1 and g a function of C.

A half with w = 0 ends one chain, its carry out is a sum bit, and begins the next with any function
of A and B as carry in. So a chain costs one half more than it has bits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from amaranth.hdl import Const, Instance, Module, Signal, Value

T = TypeVar("T")

HALVES = 8
"""Halves that chains share before a new row of cells begins: static timing follows the carry from
one chain into the next."""

_LOW, _HIGH = Const(0, 1), Const(1, 1)


@dataclass(frozen=True)
class Operand:
    """A bit as a function of up to two signals.

    Parameters
    ----------
    inputs : tuple of Value
    table : int
        Bit ``a + 2 * b`` is the value at a, b; all four bits, also for fewer inputs.
    """

    inputs: tuple[Value, ...]
    table: int

    @property
    def inverted(self) -> "Operand":
        return Operand(self.inputs, self.table ^ 15)

    @property
    def second(self) -> bool:
        """Whether it can be the second operand of an adder as it is."""
        return len(self.inputs) < 2 or not self.table & 1

    @property
    def value(self) -> Value:
        """The same by logic."""
        a, b = (*self.inputs, Const(0, 1), Const(0, 1))[:2]
        terms = [
            (a if k & 1 else ~a) & (b if k & 2 else ~b) for k in range(4) if self.table >> k & 1
        ]
        total: Value = Const(0, 1)
        for term in terms:
            total = total | term
        return total


ZERO = Operand((), 0)


@dataclass(frozen=True)
class Sum:
    """One chain: of every bit two operands, and one on the carry-in.

    Parameters
    ----------
    carry : Operand
    pairs : sequence of (Operand, Operand)
    results : sequence of Value
        One bit each; one more than there are pairs, or as many.
    """

    carry: Operand
    pairs: Sequence[tuple[Operand, Operand]]
    results: Sequence[Value]


@dataclass(frozen=True)
class _Half:
    """`table` is the LUT's, bit ``a + 2 * b + 4 * c + 8 * d``."""

    table: int
    inputs: tuple[Value, Value, Value, Value]
    result: Value | None


def halves(bits: Sequence[int]) -> int:
    """Halves of cells that chains of these numbers of bits take."""
    used = [sum(row) + len(row) + 1 for row in _rows(bits, lambda bits: bits)]
    return sum(count + count % 2 for count in used)


def add(m: Module, name: str, sums: Sequence[Sum]) -> None:
    """Adds the cells of the chains to the module.

    Of every pair, one operand must be as `Operand.second` says.
    """
    for number, row in enumerate(_rows(sums, lambda each: len(each.pairs))):
        cells: list[_Half] = []
        carry: Value | None = None
        for each in row:
            cells.append(_boundary(each.carry, carry))
            bits = len(each.pairs)
            pairs = zip(each.pairs, each.results, strict=False)
            cells += [_adder(*pair, result) for pair, result in pairs]
            carry = each.results[bits] if len(each.results) > bits else None
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
    if not second.second:
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

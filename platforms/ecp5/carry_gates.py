"""Gates in front of ECP5's carry cells, moved into them.

yosys maps an adder to CCU2C and what is in front of it to LUTs of their own. But each half of a
CCU2C has a LUT of four inputs, of which an adder takes two. With that LUT's output w, the sum bit
is w XOR carry; the carry passes on if w is 1, else the carry out is the lower quarter of the table
at A and B, as if C and D were 0. So a half holds every pair of w and carry out whose inputs can be
laid on the pins such that, wherever w is 0, that quarter is the carry out. A choice in front of an
adder has room, ``(a if s else b) + x``: x on A, s on B, b on C, a on D.

Source: yosys, ``ecp5/cells_sim.v``: CCU2C.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import Any, NamedTuple

from platforms.ecp5.carry_chains import PINS, Cell, net_uses

Levels = dict[int | str, int]
"""Nets and their levels."""


class _Half(NamedTuple):
    """`nets` are those of A, B, C, D or constants; bit ``a + 2 * b + 4 * c + 8 * d`` of `table`."""

    nets: tuple[int | str, ...]
    table: int


def fold(module: dict[str, Any]) -> None:
    """Change a flat module of yosys' JSON in place: LUT4 that feed nothing but one half of a CCU2C
    become part of it where there is room, and are deleted; what the module computes stays.

    Requires: constants on inputs of CCU2C are 0 or 1.
    """
    cells = module["cells"]
    uses = net_uses(module)
    gates = {cell["connections"]["Z"][0]: name for name, cell in cells.items() if _is_gate(cell)}
    pending = [(cell, half) for cell in cells.values() if cell["type"] == "CCU2C" for half in "01"]
    while pending:
        cell, number = pending.pop()
        if cell["parameters"][f"INJECT1_{number}"] != "NO":
            continue
        half = _half(cell, number)
        for net in half.nets:
            if net not in gates or uses[net] != 1:
                continue
            gate = cells[gates[net]]
            if folded := _merged(half, net, _half(gate)):
                _write(cell, number, folded)
                del cells[gates.pop(net)]
                pending.append((cell, number))
                break


def _is_gate(cell: Cell) -> bool:
    known = all(cell["connections"][pin] != ["x"] for pin in PINS if pin in cell["connections"])
    return cell["type"] == "LUT4" and known


def _half(cell: Cell, number: str = "") -> _Half:
    """A half of a CCU2C, or a LUT4 without `number`."""
    nets = tuple(cell["connections"][pin + number][0] for pin in PINS)
    return _Half(nets, int(cell["parameters"][f"INIT{number}"], 2))


def _write(cell: Cell, number: str, half: _Half) -> None:
    for pin, net in zip(PINS, half.nets, strict=True):
        cell["connections"][pin + number] = [net]
    cell["parameters"][f"INIT{number}"] = f"{half.table:016b}"


def _merged(half: _Half, net: int | str, gate: _Half) -> _Half | None:
    """A half that computes what `half` does with `gate` on its input `net`; None if there is no
    room."""
    inputs = sorted({n for n in (*half.nets, *gate.nets) if isinstance(n, int) and n != net})
    if len(inputs) > len(PINS):
        return None
    wanted = []
    for levels in _all_levels(inputs):
        levels[net] = _lookup(gate, levels)
        quarter = _Half((*half.nets[:2], "0", "0"), half.table)
        wanted.append((levels, _lookup(half, levels), _lookup(quarter, levels)))
    for nets in permutations([*inputs, *"1" * (len(PINS) - len(inputs))]):
        if (table := _table(nets, wanted)) is not None:
            return _Half(nets, table)
    return None


def _table(nets: Sequence[int | str], wanted: list[tuple[Levels, int, int]]) -> int | None:
    """The table with which inputs on these pins make the wanted outputs and, where those are 0,
    carries."""
    entries: dict[int, int] = {}
    for levels, output, carry in wanted:
        place = _place(nets, levels)
        if entries.setdefault(place, output) != output:
            return None
        if not output and entries.setdefault(place & 3, carry) != carry:
            return None
    return sum(level << place for place, level in entries.items())


def _all_levels(nets: Sequence[int]) -> Iterator[Levels]:
    for levels in product((0, 1), repeat=len(nets)):
        yield dict(zip(nets, levels, strict=True))


def _lookup(half: _Half, levels: Levels) -> int:
    return half.table >> _place(half.nets, levels) & 1


def _place(nets: Sequence[int | str], levels: Levels) -> int:
    return sum((int(n) if isinstance(n, str) else levels[n]) << k for k, n in enumerate(nets))

"""Carry chains of ECP5 as nextpnr needs them: without cells and wires that only feed their ends.

nextpnr gives a chain a cell more at its beginning if anything is on its carry in, even a constant,
and one at its end if a net is on its carry out, even one that goes nowhere, as yosys leaves it.
Inputs that are 0 it wires to the one LUT of the device that makes all zeros, over general routing;
inputs that are 1 it leaves open. Half of all placed cells of a design of adders, and many of its
wires, can be for nothing.

Source: nextpnr, ``ecp5/pack.cc``: ``split_carry_chain``, ``set_net_constant``.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

Cell = dict[str, Any]

PINS = ("A", "B", "C", "D")
_OPEN = ["x"]  # nextpnr takes a port that is left out, or has no bits, for a fault


def tidy(module: dict[str, Any]) -> None:
    """Change the CCU2C of a flat module of yosys' JSON in place; their number and what the module
    computes stay.

    Zeros on inputs become ones and another table. Carries out that nothing uses are left open.
    Where a constant carry in meets a chain with an idle half at its end, that half becomes the
    first and makes the constant.
    """
    cells = [cell for cell in module["cells"].values() if cell["type"] == "CCU2C"]
    uses = net_uses(module)
    for cell in cells:
        for half in "01":
            _fold_zeros(cell, half)
        if not _used(cell, "COUT", uses):
            cell["connections"]["COUT"] = _OPEN
    for chain in _chains(cells, uses):
        carry = chain[0]["connections"]["CIN"]
        if carry not in (["0"], ["1"]):
            continue
        if _ignores_carry(chain[0]) and not _used(chain[0], "S0", uses):
            chain[0]["connections"]["CIN"] = _OPEN
        elif _has_idle_end(chain, uses):
            _turn(chain, carry == ["1"])


def net_uses(module: dict[str, Any]) -> Counter[int | str]:
    """How many inputs each net goes to; outputs of the module count too."""
    uses: Counter[int | str] = Counter()
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                uses.update(bits)
    for port in module["ports"].values():
        if port["direction"] != "input":
            uses.update(port["bits"])
    return uses


def _used(cell: Cell, port: str, uses: Counter[int | str]) -> bool:
    return any(uses[bit] for bit in cell["connections"].get(port, _OPEN) if bit != "x")


def _table(cell: Cell, half: str) -> int:
    return int(cell["parameters"][f"INIT{half}"], 2)


def _fold_zeros(cell: Cell, half: str) -> None:
    table = _table(cell, half)
    for k, pin in enumerate(PINS):
        if cell["connections"][pin + half] == ["0"]:
            cell["connections"][pin + half] = ["1"]
            table = sum((table >> (i & ~(1 << k)) & 1) << i for i in range(16))
    cell["parameters"][f"INIT{half}"] = f"{table:016b}"


def _ignores_carry(cell: Cell) -> bool:
    """Whether the LUT of the first half is 0, so that its carry out depends on A and B alone."""
    pins = [cell["connections"][pin + "0"] for pin in PINS]
    tied = sum(1 << k for k, bits in enumerate(pins) if bits == ["1"])
    table = _table(cell, "0")
    return not any(table >> i & 1 for i in range(16) if i & tied == tied)


def _chains(cells: list[Cell], uses: Counter[int | str]) -> Iterator[list[Cell]]:
    """Cells whose carries go from one to the next and nowhere else."""
    after = {cell["connections"]["CIN"][0]: cell for cell in cells}
    carries = {cell["connections"]["COUT"][0] for cell in cells}
    inner = {bit for bit in carries if uses[bit] == 1 and bit in after} - {"x"}
    for cell in cells:
        if cell["connections"]["CIN"][0] in inner:
            continue
        chain = [cell]
        while (carry := chain[-1]["connections"]["COUT"][0]) in inner:
            chain.append(after[carry])
        yield chain


def _has_idle_end(chain: list[Cell], uses: Counter[int | str]) -> bool:
    ends = chain[-1]["connections"]["COUT"] == _OPEN and not _used(chain[-1], "S1", uses)
    return ends and all(
        cell["parameters"][f"INJECT1_{k}"] == "NO" and f"S{k}" in cell["connections"]
        for cell in chain
        for k in (0, 1)
    )


def _turn(chain: list[Cell], carry: bool) -> None:
    """Move every half up by one; the first makes the carry."""
    halves = [
        (
            [cell["connections"][pin + half] for pin in PINS],
            cell["connections"][f"S{half}"],
            cell["parameters"][f"INIT{half}"],
        )
        for cell in chain
        for half in "01"
    ]
    first = ([["1"]] * 4, halves[-1][1], f"{15 * carry:016b}")
    moved = iter([first, *halves[:-1]])
    for cell in chain:
        for half in "01":
            inputs, result, table = next(moved)
            for pin, bits in zip(PINS, inputs, strict=True):
                cell["connections"][pin + half] = bits
            cell["connections"][f"S{half}"] = result
            cell["parameters"][f"INIT{half}"] = table
    chain[0]["connections"]["CIN"] = _OPEN

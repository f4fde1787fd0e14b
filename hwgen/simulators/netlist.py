"""A post-synthesis netlist, read from yosys' JSON and lowered to primitives."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen.errors import CheckError
from hwgen.simulators.cell import Bit, Cell
from hwgen.simulators.cells.families import CELLS
from hwgen.simulators.gates import ONE, ZERO, Gates
from hwgen.simulators.program import GateProgram, assemble

Rules = Mapping[str, Callable[[Cell], None]]
_NOTES = ("$scopeinfo",)  # what yosys writes down about the hierarchy that was


@dataclass(frozen=True)
class NetlistPort:
    """A top-level port: the slots of its bits in the program, and whether it can be driven."""

    slots: tuple[int, ...]
    driven: bool


@dataclass(frozen=True, eq=False)
class GateNetlist:
    """A flattened netlist of one family's cells with one clock.

    Attributes
    ----------
    name : str
    program : GateProgram
    ports : dict of str to Port
    cells : dict of str to int
        Number of cells by type.
    """

    name: str
    program: GateProgram
    ports: dict[str, NetlistPort]
    cells: dict[str, int]

    @classmethod
    def load(cls, path: Path, family: str) -> "GateNetlist":
        """Read what yosys' ``write_json`` wrote after synthesis for a family, as `Device.family`.

        Bits that are undefined (x) count as 0. Memories and registers without an initial value
        begin at 0. Reading and writing one address in one cycle reads the old word.

        Raises
        ------
        CheckError
            A cell of unknown type or with a parameter that is not modelled, a combinational loop,
            a net that nothing drives, more than one clock.
        """
        name, module = _top(json.loads(path.read_text()), path)
        return _Loader(name, module, CELLS[family]).load()


def _top(design: dict[str, Any], path: Path) -> tuple[str, dict[str, Any]]:
    """The top module, the only one that is not a library cell."""
    modules = {
        name: module
        for name, module in design["modules"].items()
        if not {"blackbox", "whitebox"} & set(module.get("attributes", ()))
    }
    marked = {
        name: module
        for name, module in modules.items()
        if set(module.get("attributes", {}).get("top", "0")) & {"1"}
    }
    found = marked or modules
    if len(found) != 1:
        raise CheckError(f"{path.name} must hold one top module, not {', '.join(found) or 'none'}")
    return next(iter(found.items()))


class _Loader:
    def __init__(self, name: str, module: dict[str, Any], rules: Rules):
        self._name, self._module, self._rules = name, module, rules
        self._gates = Gates()
        self._slots: dict[Bit, int] = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}

    def load(self) -> GateNetlist:
        gates, ports = self._gates, self._module["ports"]
        cells = self._module["cells"]
        for name, cell in cells.items():
            if cell["type"] not in _NOTES:
                self._lower(name, cell)
        slots = {name: [self._slot(bit) for bit in port["bits"]] for name, port in ports.items()}
        # A pin that can be both is an input unless a cell drives it.
        driven = {
            name: port["direction"] == "input"
            or (port["direction"] == "inout" and not any(s in gates.same for s in slots[name]))
            for name, port in ports.items()
        }
        for name, found in slots.items():
            if driven[name]:
                gates.sources |= set(found)
        keep = [slot for name, found in slots.items() if not driven[name] for slot in found]
        program = assemble(gates, keep=keep, names=self._net)
        return GateNetlist(
            self._name,
            program,
            {
                name: NetlistPort(tuple(program.final[found].tolist()), driven[name])
                for name, found in slots.items()
            },
            dict(Counter(cell["type"] for cell in cells.values())),
        )

    def _slot(self, bit: Bit) -> int:
        if bit not in self._slots:
            self._slots[bit] = self._gates.new()
        return self._slots[bit]

    def _lower(self, name: str, cell: dict[str, Any]) -> None:
        lower = self._rules.get(cell["type"])
        if lower is None:
            raise CheckError(f"cell {name} has type {cell['type']}, which is not modelled")
        with self._gates.cell(name):
            lower(
                Cell(
                    name,
                    cell["type"],
                    cell["parameters"],
                    cell["connections"],
                    self._slot,
                    self._gates,
                )
            )

    def _net(self, slot: int) -> str:
        """Name of a net in the source, for messages."""
        bits = [bit for bit, found in self._slots.items() if found == slot]
        for name, net in self._module["netnames"].items():
            for bit in bits:
                if bit in net["bits"]:
                    index = f"[{net['bits'].index(bit)}]" if len(net["bits"]) > 1 else ""
                    return f"{name}{index}"
        return f"number {slot}"

"""A core as cells in order of evaluation, straight from Amaranth's netlist: what `unit_code` writes
as C++.

Constant nets are folded, shifts by constants and cells without effect are wires. The reset of the
only clock domain stays low.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from amaranth.hdl import Value as HdlValue
from amaranth.lib.wiring import Component, In

from hwgen.errors import CheckError

# What all of Amaranth's backends start from; amaranth-stubs do not know these modules.
_ir: Any = import_module("amaranth.hdl._ir")
nir: Any = import_module("amaranth.hdl._nir")

Cell = Any
"""A cell of `nir`."""

Nets = list[int]
"""Bits, least significant first: 0 and 1 are constants, else cell * 65536 + bit as in `nir`."""

STATE = (nir.FlipFlop, nir.SyncReadPort)
"""Cells whose output changes at the clock edge only."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A component's netlist, reduced to what its outputs and its state depend on.

    Attributes
    ----------
    cells : dict of int to Cell
        Every cell that is left, by its number.
    order : list of int
        Combinational cells, each after those that it reads.
    reads : dict of int to set of int
        Cells that a combinational cell reads.
    inputs : dict of str to (int, int)
        First bit of cell 0, and width, of each input port; clock and reset left out.
    outputs : dict of str to Nets
    width : callable
        Bits of the output of a cell.
    resolve : callable
        Nets with wires followed.
    """

    cells: dict[int, Cell]
    order: list[int]
    reads: dict[int, set[int]]
    inputs: dict[str, tuple[int, int]]
    outputs: dict[str, Nets]
    width: Callable[[int], int]
    resolve: Callable[[Iterable[int]], Nets]

    @cached_property
    def depends(self) -> dict[str, list[str]]:
        """Input ports that each output port depends on within the cycle."""
        ports = {}
        for name, (start, width) in self.inputs.items():
            ports.update(dict.fromkeys(range(start, start + width), name))
        found: dict[int, set[str]] = {}

        def of(nets: Iterable[int]) -> set[str]:
            names: set[str] = set()
            for net in nets:
                if net > 1:
                    names |= {ports[net]} if net < 1 << 16 else found.get(net >> 16, set())
            return names

        for number in self.order:
            found[number] = of(self.resolve(operands(self.cells[number])))
        return {name: sorted(of(nets)) for name, nets in self.outputs.items()}

    def cone(self, nets: Iterable[int]) -> set[int]:
        """Combinational cells that nets depend on."""
        waiting = [net >> 16 for net in nets if net >= 1 << 16]
        cells: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number not in cells and number in self.reads:
                cells.add(number)
                waiting += self.reads[number]
        return cells


def unit(core: Component) -> Unit:
    """The netlist of a component.

    Raises
    ------
    CheckError
        It holds what the simulator does not know: an instance, a second clock, an asynchronous
        reset, a combinational loop.
    """
    ports = {}
    for path, member, value in core.signature.flatten(core):
        flow = _ir.PortDirection.Input if member.flow == In else _ir.PortDirection.Output
        ports["__".join(map(str, path))] = (HdlValue.cast(value), flow)
    with _without_garbage_collection():
        netlist = _ir.build_netlist(_ir.Fragment.get(core, None), ports)
        return _Reader(netlist).unit()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Millions of small objects that all stay: looking for garbage takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    def __init__(self, netlist: Any):
        self.cells: dict[int, Cell] = dict(enumerate(netlist.cells))
        top = netlist.top
        self.inputs = dict(top.ports_i)
        self.outputs = dict(top.ports_o)
        self.wires: dict[int, Nets] = {}
        self.clock = self._control("clk")
        self.reset = self._control("rst")

    def _control(self, name: str) -> int:
        start, _ = self.inputs.pop(name, (0, 1))
        return start

    def unit(self) -> Unit:
        self._follow_parts()
        state = [n for n, cell in self.cells.items() if isinstance(cell, STATE)]
        writes = [n for n, cell in self.cells.items() if isinstance(cell, nir.SyncWritePort)]
        for number in (*state, *writes):
            self._check_clock(number)
        order = self._order([0, *state, *writes])
        live = self._live(writes)
        kept = [n for n in order if n in live and n not in self.wires]
        reads = {
            n: {net >> 16 for net in self.resolve(operands(self.cells[n])) if net >= 1 << 16}
            for n in kept
        }
        return Unit(
            {n: cell for n, cell in self.cells.items() if n in live},
            kept,
            reads,
            self.inputs,
            {name: self.resolve(nets) for name, nets in self.outputs.items()},
            self.width,
            self.resolve,
        )

    def resolve(self, nets: Iterable[int]) -> Nets:
        wires, reset = self.wires, self.reset
        found = []
        for net in nets:
            hops = 0
            while (wire := wires.get(net >> 16)) is not None:
                net = wire[net & 0xFFFF]
                if (hops := hops + 1) > len(wires):
                    raise CheckError("combinational loop of wires")
            found.append(0 if net == reset else int(net))
        return found

    def _follow_parts(self) -> None:
        """Signals that are put together of parts, which may depend on one another, are wires."""
        for number, cell in self.cells.items():
            if isinstance(cell, nir.AssignmentList) and all(
                part.cond in (0, 1) for part in cell.assignments
            ):
                self.wires[number] = _assembled(cell, [part.cond for part in cell.assignments])

    def width(self, number: int) -> int:
        cell = self.cells[number]
        if isinstance(cell, nir.FlipFlop):
            return len(cell.data)
        if isinstance(cell, nir.AssignmentList):
            return len(cell.default)
        if isinstance(cell, nir.Matches):
            return 1
        if isinstance(cell, nir.PriorityMatch):
            return len(cell.inputs)
        return cell.width

    def _check_clock(self, number: int) -> None:
        cell = self.cells[number]
        plain = not isinstance(cell, nir.FlipFlop) or cell.arst == 0
        if cell.clk != self.clock or cell.clk_edge != "pos" or not plain:
            raise CheckError(
                "a simulated core must have one clock, rising edge, and no asynchronous reset"
            )

    def _order(self, roots: Sequence[int]) -> list[int]:
        """Combinational cells, each after those it reads; those without effect become wires."""
        done: set[int] = set()
        order: list[int] = []
        for root in roots:
            waiting = self._before(root)
            entered: set[int] = set()
            while waiting:
                number = waiting[-1]
                cell = self.cells[number]
                if number in done or isinstance(cell, STATE):
                    waiting.pop()
                    continue
                missing = [
                    n
                    for n in self._before(number)
                    if n not in done and not isinstance(self.cells[n], STATE)
                ]
                if missing:
                    if number in entered:
                        raise CheckError(f"combinational loop through {cell!r:.80}")
                    entered.add(number)
                    waiting += missing
                    continue
                waiting.pop()
                done.add(number)
                if (wire := self._as_wire(number, cell)) is None:
                    order.append(number)
                else:
                    self.wires[number] = wire
        return order

    def _before(self, number: int) -> list[int]:
        """Cells that a cell reads; for the top, what the outputs are made of."""
        if number:
            nets = operands(self.cells[number])
        else:
            nets = [net for value in self.outputs.values() for net in value]
        return sorted({net >> 16 for net in self.resolve(nets) if net >= 1 << 16})

    def _as_wire(self, number: int, cell: Cell) -> Nets | None:
        """Bits that stand for the output of a cell, if it is not worth a cell."""
        if isinstance(cell, nir.Operator) and cell.operator in ("<<", "u>>", "s>>"):
            amount = _constant(self.resolve(cell.inputs[1]))
            return None if amount is None else _shifted(cell, self.resolve(cell.inputs[0]), amount)
        if isinstance(cell, nir.Operator) and cell.operator == "b" and len(cell.inputs[0]) == 1:
            return self.resolve(cell.inputs[0])
        if isinstance(cell, nir.Matches):
            value = _constant(self.resolve(cell.value))
            if value is None:
                return None
            return [int(any(_fits(value, pattern) for pattern in cell.patterns))]
        if isinstance(cell, nir.PriorityMatch):
            (enable,) = self.resolve([cell.en])
            inputs = self.resolve(cell.inputs)
            if enable == 0:
                return [0] * len(inputs)
            return [*inputs] if enable == 1 and not any(inputs[:-1]) else None
        if isinstance(cell, nir.AssignmentList):
            conditions = self.resolve(part.cond for part in cell.assignments)
            if any(net > 1 for net in conditions):
                return None
            return self.resolve(_assembled(cell, conditions))
        return None

    def _live(self, writes: Sequence[int]) -> set[int]:
        waiting = [*writes]
        waiting += [net >> 16 for v in self.outputs.values() for net in self.resolve(v)]
        live: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number in live or not number:
                continue
            live.add(number)
            cell = self.cells[number]
            waiting += {net >> 16 for net in self.resolve(operands(cell))} - live
            if isinstance(cell, (nir.AsyncReadPort, nir.SyncReadPort, nir.SyncWritePort)):
                live.add(cell.memory)
        return live


def operands(cell: Cell) -> list[int]:
    """What a cell reads, within the cycle or at its end; neither clock nor reset."""
    if isinstance(cell, nir.Operator):
        return [net for value in cell.inputs for net in value]
    if isinstance(cell, nir.Part):
        return [*cell.value, *cell.offset]
    if isinstance(cell, nir.Matches):
        return [*cell.value]
    if isinstance(cell, nir.PriorityMatch):
        return [cell.en, *cell.inputs]
    if isinstance(cell, nir.AssignmentList):
        parts = (net for part in cell.assignments for net in (part.cond, *part.value))
        return [*cell.default, *parts]
    if isinstance(cell, nir.FlipFlop):
        return [*cell.data]
    if isinstance(cell, nir.AsyncReadPort):
        return [*cell.addr]
    if isinstance(cell, nir.SyncReadPort):
        return [cell.en, *cell.addr]
    if isinstance(cell, nir.SyncWritePort):
        return [*cell.addr, *cell.data, *cell.en]
    raise CheckError(f"a simulated core must be portable, without {type(cell).__name__} cells")


def _assembled(cell: Cell, conditions: Sequence[int]) -> Nets:
    """The output of a list whose conditions are constant."""
    nets: Nets = [*cell.default]
    for part, condition in zip(cell.assignments, conditions, strict=True):
        if condition:
            value = part.value[: max(len(nets) - part.start, 0)]
            nets[part.start : part.start + len(value)] = value
    return nets


def _constant(nets: Nets) -> int | None:
    if any(net > 1 for net in nets):
        return None
    return sum(net << bit for bit, net in enumerate(nets))


def _fits(value: int, pattern: str) -> bool:
    """Whether a pattern of 0, 1 and -, most significant bit first, matches."""
    return all(c == "-" or int(c) == value >> k & 1 for k, c in enumerate(reversed(pattern)))


def _shifted(cell: Cell, nets: Nets, amount: int) -> Nets:
    width = len(nets)
    if cell.operator == "<<":
        return ([0] * min(amount, width) + nets)[:width]
    fill = nets[-1] if cell.operator == "s>>" else 0
    return nets[amount:] + [fill] * min(amount, width)

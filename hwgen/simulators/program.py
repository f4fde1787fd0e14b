"""A netlist of primitives as a list in order of evaluation, and the checks that this needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hwgen.errors import CheckError
from hwgen.simulators.gates import LUT, ONE, ZERO, FlipFlop, Gates, Primitive, Write

Names = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class GateProgram:
    """A netlist as the arrays that `netlist.cpp` evaluates.

    Attributes
    ----------
    slots : int
        Number of signals. Slots 2 to 1 + flip-flops are the states of the flip-flops.
    ops : int32 array, (n, 7)
        Combinational primitives in order of evaluation: kind; for a look-up table its table,
        output and four inputs; else the place of the operands in `operands`.
    operands : int32 array
        Head, inputs, tail and outputs of each product, read and write.
    flipflops : int32 array, (n, 4)
        Input, enable, reset, value at reset plus 2 if the reset is asynchronous; rising-edge ones
        first.
    rising : int
        Number of rising-edge flip-flops.
    initial : uint8 array, (flip-flops,)
        Their values after power-on.
    writes : int32 array, (n, 2)
        Place in `operands` of each memory write; whether it happens at the falling edge.
    memories : list of uint8 array
        Bits of each memory after power-on.
    written : uint8 array, (memories,)
        Whether a memory is ever written; if not, all lanes share one copy.
    final : int64 array
        Slot in the program of each slot of the gates; -1 where nothing needs it.
    """

    slots: int
    ops: np.ndarray
    operands: np.ndarray
    flipflops: np.ndarray
    rising: int
    initial: np.ndarray
    writes: np.ndarray
    memories: list[np.ndarray]
    written: np.ndarray
    final: np.ndarray


def assemble(gates: Gates, *, keep: Iterable[int], names: Names) -> GateProgram:
    """The program of everything that the slots in `keep`, or a memory, depend on.

    Parameters
    ----------
    names : callable
        Name of the net of a slot, for messages.

    Raises
    ------
    CheckError
        Combinational loop, a net that nothing drives, more than one clock.
    """
    same = _resolve(gates)
    writes = [w for w in gates.writes if any(same[s] != ZERO for s in _enables(w))]
    live = _Live(gates, same, writes, keep)
    _check_clock(live, same, gates, names)
    flipflops = sorted(live.flipflops, key=lambda f: f.falling)
    rank = [ZERO, ONE, *(f.state for f in flipflops), *sorted(gates.sources)]
    for slot in live.slots:
        if slot not in live.maker and slot not in gates.sources and slot > ONE:
            raise CheckError(f"net {names(slot)} is read but nothing drives it")
    order = _topological(live.primitives, same, known=set(rank))
    for primitive in order:
        rank += primitive.outputs
    final = np.full(gates.slots, -1, np.int64)
    final[rank] = np.arange(len(rank))
    final = final[same]

    operands: list[int] = []
    ops = [_encode(p, final, operands) for p in order]
    places = [(_encode(w.primitive, final, operands)[1], int(w.falling)) for w in writes]
    rows = [[*final[list(f.inputs)], f.value + 2 * f.asynchronous] for f in flipflops]
    written = np.zeros(len(gates.memories), np.uint8)
    written[[w.primitive.head[0] for w in writes]] = 1
    return GateProgram(
        slots=len(rank),
        ops=np.array(ops, np.int32).reshape(-1, 7),
        operands=np.array(operands, np.int32),
        flipflops=np.array(rows, np.int32).reshape(-1, 4),
        rising=sum(not f.falling for f in flipflops),
        initial=np.array([f.initial for f in flipflops], np.uint8),
        writes=np.array(places, np.int32).reshape(-1, 2),
        memories=gates.memories,
        written=written,
        final=final,
    )


def _enables(write: Write) -> list[int]:
    return write.primitive.inputs[-write.primitive.head[2] :]


def _resolve(gates: Gates) -> np.ndarray:
    """For each slot, the one at the end of its chain of `drive`."""
    same = np.arange(gates.slots)
    for target in gates.same:
        seen, slot = [], target
        while slot in gates.same:
            seen.append(slot)
            slot = gates.same[slot]
            if len(seen) > len(gates.same):
                raise CheckError("nets drive one another in a circle")
        same[seen] = slot
    return same


class _Live:
    """What a result depends on: primitives, flip-flops, and all slots that are read."""

    def __init__(self, gates: Gates, same: np.ndarray, writes: list[Write], keep: Iterable[int]):
        self.maker: dict[int, Primitive | FlipFlop] = {f.state: f for f in gates.flipflops}
        for primitive in gates.primitives:
            for slot in primitive.outputs:
                self.maker[slot] = primitive
        self.clocked: list[FlipFlop | Write] = [*writes]
        self.primitives: list[Primitive] = []
        self.flipflops: list[FlipFlop] = []
        waiting = [*keep, *(s for w in writes for s in w.primitive.inputs)]
        self.slots: set[int] = set()
        taken: set[int] = set()
        while waiting:
            slot = int(same[waiting.pop()])
            self.slots.add(slot)
            made_by = self.maker.get(slot)
            if made_by is None or id(made_by) in taken:
                continue
            taken.add(id(made_by))
            waiting += made_by.inputs
            if isinstance(made_by, FlipFlop):
                self.flipflops.append(made_by)
                self.clocked.append(made_by)
            else:
                self.primitives.append(made_by)


def _check_clock(live: _Live, same: np.ndarray, gates: Gates, names: Names) -> None:
    """All edges come from one source, which is not read as data."""
    first: FlipFlop | Write | None = None
    for clocked in live.clocked:
        clock = int(same[clocked.clock])
        if clock in live.maker or clock <= ONE:
            how = "constant" if clock <= ONE else "made by logic"
            raise CheckError(f"the clock of cell {clocked.cell} is {how}")
        if first is None:
            first = clocked
        elif clock != same[first.clock]:
            raise CheckError(
                f"netlist simulation needs one clock: cell {clocked.cell} has {names(clock)}, "
                f"cell {first.cell} has {names(int(same[first.clock]))}"
            )
        if clock in live.slots:
            raise CheckError(f"clock {names(clock)} is read as data")


def _topological(
    primitives: list[Primitive], same: np.ndarray, *, known: set[int]
) -> list[Primitive]:
    """Primitives, each after those whose results it needs."""
    maker = {slot: n for n, p in enumerate(primitives) for slot in p.outputs}
    readers: list[list[int]] = [[] for _ in primitives]
    waiting = [0] * len(primitives)
    for n, primitive in enumerate(primitives):
        for slot in {int(same[s]) for s in primitive.inputs} - known:
            readers[maker[slot]].append(n)
            waiting[n] += 1
    ready = [n for n, count in enumerate(waiting) if not count]
    for n in ready:  # grows while it is walked
        for reader in readers[n]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(ready) < len(primitives):
        raise CheckError(_loop(primitives, readers, set(ready)))
    return [primitives[n] for n in ready]


def _loop(primitives: list[Primitive], readers: list[list[int]], done: set[int]) -> str:
    """Message that names the cells of one combinational loop."""
    before = {r: n for n, found in enumerate(readers) if n not in done for r in found}
    path: list[int] = []
    n = next(iter(before))
    while n not in path:
        path.append(n)
        n = before[n]
    cells = [primitives[k].cell for k in reversed(path[path.index(n) :])]
    named = list(dict.fromkeys(cells))
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return f"combinational loop through cell {', '.join(named[:5])}{more}"


def _encode(primitive: Primitive, final: np.ndarray, operands: list[int]) -> list[int]:
    inputs = final[primitive.inputs].tolist()
    if primitive.kind == LUT:
        return _table(primitive.table, inputs, int(final[primitive.outputs[0]]))
    place = len(operands)
    operands += [*primitive.head, *inputs, *primitive.tail, *final[primitive.outputs].tolist()]
    return [primitive.kind, place, 0, 0, 0, 0, 0]


def _table(table: int, inputs: list[int], out: int) -> list[int]:
    """A table of four inputs, variable ones first; those unused, or constant, do not matter to
    it."""
    variable = [k for k, slot in enumerate(inputs) if slot > ONE]
    constant = sum(slot << k for k, slot in enumerate(inputs) if slot <= ONE)
    full = 0
    for row in range(16):
        index = constant + sum((row >> n & 1) << k for n, k in enumerate(variable))
        full |= (table >> index & 1) << row
    slots = [inputs[k] for k in variable] + [ZERO] * (4 - len(variable))
    return [LUT, full, out, *slots]

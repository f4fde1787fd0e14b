"""Thresholding by binary search: one comparison a stage, the constants of each stage in a memory
addressed by the channels and by the outcomes so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from cores.choices import Logic
from cores.cost import Count
from cores.fields.frozen import of_array
from cores.memory import weight_memory
from cores.memory.weight_memory import WeightMemory, rom_luts
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.steps.comparison import at_least, compare, constant_luts
from cores.steps.search_tree import SearchTree, Table, TreeNode, trees
from cores.steps.shared_blocks import Read, read_blocks, shared_blocks
from cores.sum.adder_tree import adder, comparator
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True)
class Step:
    """When a set of tables, one of each lane, is used.

    Attributes
    ----------
    read : int or None
        Cycle of the address, counted from the beat's arrival; None if nothing is read: the entries
        are constants, or stand ready in registers. Before a block RAM the outcomes get a register:
        the way to and from a block is long.
    used : int
    block : bool
        In block RAM.
    """

    read: int | None
    used: int
    block: bool


@dataclass(frozen=True, eq=False)
class Search:
    """The search of all lanes, and its schedule.

    Parameters
    ----------
    dtype, out : IntType
        Of inputs and results.
    lanes : sequence of SearchTree
    block_stages : int
        How many of the `memories` are in block RAM, the last ones.
    """

    dtype: IntType
    out: IntType
    lanes: Sequence[SearchTree]
    block_stages: int

    @classmethod
    def of(
        cls,
        dtype: IntType,
        out: IntType,
        starts: np.ndarray,
        values: np.ndarray,
        *,
        pe: int,
        block_stages: int,
    ) -> "Search":
        """From starts and values of all channels, (channels, K) and (channels, K + 1)."""
        return cls(dtype, out, _trees(starts, values, dtype, pe), block_stages)

    @property
    def groups(self) -> int:
        return len(self.lanes[0].result.entries)

    @cached_property
    def nodes(self) -> list[tuple[TreeNode, ...]]:
        """Of each stage, one per lane."""
        return list(zip(*(tree.nodes for tree in self.lanes), strict=True))

    @cached_property
    def results(self) -> tuple[Table, ...]:
        return tuple(tree.result for tree in self.lanes)

    @property
    def adds(self) -> bool:
        return self.lanes[0].adds

    @cached_property
    def memories(self) -> list[tuple[Table, ...]]:
        """Tables that are read, stage by stage; what is added to counts is always in logic."""
        found = [tuple(node.table for node in nodes) for nodes in self.nodes]
        if not self.adds:
            found.append(self.results)
        return [tables for tables in found if not _fixed(tables)]

    @cached_property
    def steps(self) -> list[Step]:
        """Of each stage, and of the result."""
        first_block = len(self.memories) - self.block_stages
        now, memory = 0, 0
        found = []
        for nodes in self.nodes:
            tables = [node.table for node in nodes]
            block = memory >= first_block
            if _fixed(tables):
                found.append(Step(None, now, False))
                continue
            memory += 1
            if any(table.by_outcome for table in tables):
                read = now + block
                found.append(Step(read, read + weight_memory.DEPTH, block))
            elif now or block:
                read = max(0, now - weight_memory.DEPTH)
                found.append(Step(read, read + weight_memory.DEPTH, block))
            else:
                found.append(Step(None, 0, False))
            now = found[-1].used
        if not self.adds:
            block = memory >= first_block
            read = now + (block and bool(self.nodes))
            found.append(Step(read, read + weight_memory.DEPTH, block))
        elif _fixed(self.results):
            found.append(Step(None, now + self._offsets, False))
        else:
            read = max(0, now + 1 - weight_memory.DEPTH)
            found.append(Step(read, read + weight_memory.DEPTH, False))
        return found

    @property
    def _offsets(self) -> bool:
        """Whether something is added to a count."""
        return self.adds and any(table.entries.any() for table in self.results)

    @property
    def stages(self) -> Stages:
        """The last register, that of the output, adds to a count, or is a memory's."""
        return Stages(self.steps[-1].used + self.adds)

    def cost(self, device: Device) -> Count:
        *steps, last = self.steps
        pe, group_bits = len(self.lanes), (self.groups - 1).bit_length()
        # What takes a row, and what enables the rows that come later.
        total = self.stages.cost + Count(lut=2)
        compared = max((step.used for step in steps), default=0)
        waiting = pe * compared * self.dtype.width
        # A flip-flop that only stores shares its cell with no LUT, which the price expects.
        alone = 0 if device.cells.shared is None else waiting * 9 // 10
        total += Count(ff=waiting, lut=alone)
        indices = [
            step.read
            for step, tables in zip(self.steps, self._tables, strict=True)
            if step.read is not None and any(table.by_group for table in tables)
        ]
        if any(table.by_group for tables in self._tables for table in tables):
            total += Count(lut=group_bits, add=group_bits, ff=group_bits)
            total += Count(ff=group_bits * max(indices, default=0))
        for nodes in self.nodes:
            for node in nodes:
                if node.table.fixed:
                    luts = constant_luts(node.start, self.dtype)
                    total += Count(lut=luts, loose=max(0, luts - 1))
                else:
                    unsigned = self.dtype.signed and not node.table.dtype.signed
                    width = max(self.dtype.width, node.table.dtype.width + unsigned)
                    total += comparator(width, device) + Count(loose=width - 1)
        for stage, step in enumerate(steps):
            total += Count(ff=pe * (last.used + self.adds - step.used))
            if step.block:
                continue
            for node in self.nodes[stage]:
                total += _logic_cost(node.table)
        if self._offsets:
            total += adder(self.out.width, device, times=pe)
        if not last.block:
            for table in self.results:
                total += _logic_cost(table)
        blocks = [
            (len(words), width)
            for step, tables in zip(self.steps, self._tables, strict=True)
            if step.block
            for words, width in _joined(tables)
        ]
        return total + Count(ram_blocks=shared_blocks(blocks, device))

    @cached_property
    def _tables(self) -> list[tuple[Table, ...]]:
        return [*(tuple(node.table for node in nodes) for nodes in self.nodes), self.results]


@of_array
def _trees(starts: np.ndarray, values: np.ndarray, dtype: IntType, pe: int) -> Sequence[SearchTree]:
    """The same for any number of block stages."""
    return trees(dtype, starts, values, pe=pe)


def _fixed(tables: Sequence[Table]) -> bool:
    return all(table.fixed for table in tables)


def _logic_cost(table: Table) -> Count:
    if table.fixed:
        return Count()
    depth = len(table.words)
    columns = table.columns
    luts, ff = rom_luts(depth, columns), columns + (depth - 1).bit_length()
    return Count(mux=luts, ff=ff, loose=luts - columns)


def _joined(tables: Sequence[Table]) -> list[tuple[tuple[int, ...], int]]:
    """Words and width of each memory: the tables addressed by the group alone are one."""
    wide = [table for table in tables if table.by_group and not table.by_outcome]
    found = [(t.words, t.dtype.width) for t in tables if t.by_outcome]
    if wide:
        words = [0] * len(wide[0].words)
        low = 0
        for table in wide:
            words = [word | more << low for word, more in zip(words, table.words, strict=True)]
            low += table.dtype.width
        found.append((tuple(words), low))
    return found


class _Line:
    """A value and, as far as they are asked for, its delayed copies."""

    def __init__(self, pipeline: Pipeline, value: Value, *, since: int):
        self._pipeline, self._since = pipeline, since
        self._copies = [value]

    def at(self, cycle: int) -> Value:
        while len(self._copies) <= cycle - self._since:
            self._copies.append(self._pipeline.delay(self._copies[-1], 1, name="late"))
        return self._copies[cycle - self._since]


class ThresholdSearch(Core):
    """Computes a step function per channel by `Search`, one beat per cycle.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, op: Op, search: Search, device: Device | None = None):
        self.search = search
        super().__init__(op, device)

    def elaborate(self, platform):
        search = self.search
        m = Module()
        pipeline = Pipeline(m, search.stages, self.o)
        advance, taken = pipeline.advance, Signal()
        m.d.comb += [
            pipeline.i_valid.eq(self.i.valid),
            self.i.ready.eq(pipeline.i_ready),
            taken.eq(pipeline.step),
        ]

        # Counts the beats that were taken: the channels of the next one. Which they were goes with
        # the beat, as far as the last stage that reads by them.
        turn = Signal(range(search.groups))
        following = Mux(turn == search.groups - 1, 0, turn + 1)[: len(turn)]
        with m.If(taken):
            m.d.sync += turn.eq(following)
        group = _Line(pipeline, turn, since=0)

        lanes = range(len(search.lanes))
        data = [_Line(pipeline, self.i.payload[p], since=0) for p in lanes]
        outcomes: list[list[_Line]] = [[] for _ in lanes]
        in_blocks: list[Read] = []

        def entries(tables: Sequence[Table], step: Step, name: str) -> list[Value]:
            if step.read is None:
                return _ready(m, tables, following, taken=taken, name=name)
            addresses = [
                table.address(group.at(step.read), _number(outcome, step.read))
                for table, outcome in zip(tables, outcomes, strict=True)
            ]
            if step.block:
                return _read_blocks(m, tables, addresses, reads=in_blocks, name=name)
            return _read_logic(m, tables, addresses, enable=advance, name=name)

        *steps, last = search.steps
        # Each stage halves what is left of a lane's steps; its outcome is the next bit of the
        # number of starts that are reached, the highest first, and of the addresses that follow.
        for stage, (nodes, step) in enumerate(zip(search.nodes, steps, strict=True)):
            constants = entries([node.table for node in nodes], step, f"stage{stage}")
            for p, (node, constant) in enumerate(zip(nodes, constants, strict=True)):
                x = data[p].at(step.used)
                if node.table.fixed:
                    held = at_least(x, node.start, search.dtype)
                else:
                    held = compare(x, constant, strict=node.strict)
                outcomes[p].append(_Line(pipeline, held, since=step.used))

        results = entries(search.results, last, "result")
        for p in lanes:
            if search.adds:
                with m.If(advance):
                    count = _number(outcomes[p], last.used)
                    m.d.sync += self.o.payload[p].eq(results[p] + count)
            else:
                m.d.comb += self.o.payload[p].eq(results[p])
        read_blocks(m, in_blocks, enable=advance, device=self.device, name="block")
        return m


def _number(outcomes: Sequence[_Line], cycle: int) -> Value:
    return Cat(line.at(cycle) for line in reversed(outcomes))


def _entry(table: Table, bits: Value) -> Value:
    return bits.as_signed() if table.dtype.lo < 0 else bits


def _ready(
    m: Module, tables: Sequence[Table], following: Value, *, taken: Value, name: str
) -> list[Value]:
    """Registers with the entries of the beat that comes next."""
    found: list[Value] = []
    for p, table in enumerate(tables):
        width = table.dtype.width
        if table.fixed:
            found.append(Const(int(table.entries[0, 0]), table.dtype.shape))
            continue
        rom = Memory(
            shape=width, depth=len(table.words), init=table.words, attrs={"ram_style": "logic"}
        )
        m.submodules[f"{name}_{p}"] = rom
        port = rom.read_port(domain="comb")
        word = Signal(width, name=f"{name}_word{p}", init=table.words[0])
        m.d.comb += port.addr.eq(following)
        with m.If(taken):
            m.d.sync += word.eq(port.data)
        found.append(_entry(table, word))
    return found


def _read_logic(
    m: Module,
    tables: Sequence[Table],
    addresses: Sequence[Value],
    *,
    enable: Value,
    name: str,
) -> list[Value]:
    found = []
    for p, (table, address) in enumerate(zip(tables, addresses, strict=True)):
        rom = WeightMemory(table.words, table.dtype.width, Logic())
        m.submodules[f"{name}_{p}"] = rom
        m.d.comb += [rom.en.eq(enable), rom.addr.eq(address)]
        found.append(_entry(table, rom.data))
    return found


def _read_blocks(
    m: Module,
    tables: Sequence[Table],
    addresses: Sequence[Value],
    *,
    reads: list[Read],
    name: str,
) -> list[Value]:
    """Adds to `reads`."""
    found = [Signal(t.dtype.width, name=f"{name}_word{p}") for p, t in enumerate(tables)]
    m.d.comb += [
        word.eq(table.words[0]) for word, table in zip(found, tables, strict=True) if table.fixed
    ]
    apart = [p for p, table in enumerate(tables) if table.by_outcome]
    wide = [p for p, table in enumerate(tables) if table.by_group and not table.by_outcome]
    data = [found[p] for p in apart]
    read_at = [addresses[p] for p in apart]
    if wide:
        data.append(Signal(sum(len(found[p]) for p in wide), name=f"{name}_words"))
        read_at.append(addresses[wide[0]])
        m.d.comb += Cat(found[p] for p in wide).eq(data[-1])
    reads += [
        Read(words, address, word)
        for (words, _), address, word in zip(_joined(tables), read_at, data, strict=True)
    ]
    return [_entry(table, bits) for table, bits in zip(tables, found, strict=True)]

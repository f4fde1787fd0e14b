"""Constants in block RAM, each with an address of its own; where a block has two ports, two share
it."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value

from cores.choices import Block
from cores.memory import weight_memory
from cores.memory.weight_memory import WeightMemory
from cores.silicon.family import silicon
from platforms.device import Device


@dataclass(frozen=True)
class Read:
    """One table and who reads it: `data` follows `address` by `weight_memory.DEPTH` cycles.

    Attributes
    ----------
    words : tuple of int
        At least two, non-negative.
    data : Signal
        As wide as a word.
    """

    words: tuple[int, ...]
    address: Value
    data: Signal


def shared_blocks(sizes: Sequence[tuple[int, int]], device: Device) -> int:
    """Blocks that tables of these (depth, width) take together."""
    pairs, alone = _arrange(sizes, device)
    single = (weight_memory.cost(*sizes[k], Block(), device).ram_blocks for k in alone)
    return len(pairs) + sum(single)


def read_blocks(
    m: Module, reads: Sequence[Read], *, enable: Value, device: Device | None, name: str
) -> None:
    """Memories for all `reads`; `enable` moves every register."""
    sizes = [(len(read.words), len(read.data)) for read in reads]
    pairs, alone = _arrange(sizes, device)
    for number, pair in enumerate(pairs):
        assert device is not None
        depth, width = device.block_ram.port
        rows, readers = [0] * depth, []
        for part, first in zip(pair, (0, depth - _span(pair[-1].depth)), strict=False):
            read = reads[part.table]
            for row, word in enumerate(read.words, first):
                rows[row] = word >> part.low & (1 << width) - 1
            bits = (depth - 1).bit_length()
            address = Cat(read.address, Const(first >> len(read.address), bits))[:bits]
            readers.append((address, read.data[part.low : part.low + width]))
        silicon(device).block_ram.shared_rom(m, f"{name}_pair{number}", rows, readers, en=enable)
    for number in alone:
        read = reads[number]
        m.submodules[f"{name}{number}"] = memory = WeightMemory(
            read.words, len(read.data), Block(), device
        )
        m.d.comb += [
            memory.en.eq(enable),
            memory.addr.eq(read.address),
            read.data.eq(memory.data),
        ]


@dataclass(frozen=True)
class _Slice:
    """Bits of a table from `low` on, as many as a port has."""

    table: int
    low: int
    depth: int


def _arrange(
    sizes: Sequence[tuple[int, int]], device: Device | None
) -> tuple[list[tuple[_Slice, ...]], list[int]]:
    """Slices that share a block, one or two to each, and tables that do not share: those deeper
    than a block of full width is."""
    if device is None or device.block_ram.readers < 2:
        return [], list(range(len(sizes)))
    most, bits = device.block_ram.port
    alone = [k for k, (depth, _) in enumerate(sizes) if depth > most]
    waiting = [
        _Slice(k, low, depth)
        for k, (depth, width) in enumerate(sizes)
        if depth <= most
        for low in range(0, width, bits)
    ]
    waiting.sort(key=lambda part: -part.depth)
    pairs = []
    while waiting:
        first = waiting.pop(0)
        room = most - first.depth
        second = next((part for part in waiting if _span(part.depth) <= room), None)
        if second is not None:
            waiting.remove(second)
        pairs.append((first,) if second is None else (first, second))
    return pairs, alone


def _span(depth: int) -> int:
    """The second table of a block ends at its end: all its addresses begin with ones."""
    return 1 << (depth - 1).bit_length()

"""Constants that change from beat to beat: columns of a small ROM, read in turn."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory

from cores.choices import Block
from cores.cost import Count
from cores.memory import weight_memory
from cores.memory.weight_memory import WeightMemory
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True)
class Column:
    """One constant for each beat of a cycle of beats."""

    entries: tuple[int, ...]

    @property
    def fixed(self) -> bool:
        return len(set(self.entries)) == 1

    @property
    def shape(self) -> Shape:
        return IntType(min(self.entries), max(self.entries)).shape


def rows_from_logic(m: Module, columns: tuple[Column, ...], taken: Value) -> dict[Column, Value]:
    """Registers with the constants of the beat that comes next, the first at reset.

    Parameters
    ----------
    columns : tuple of Column
        At least one, all of the same length.
    taken : Value
        High in each cycle that takes a beat.
    """
    words, width = _words(columns)
    m.submodules.rows = rom = memory.Memory(
        shape=width, depth=len(words), init=words, attrs={"ram_style": "logic"}
    )
    port = rom.read_port(domain="comb")
    # One beat ahead, so that no addition lies in front of the memory.
    m.d.comb += port.addr.eq(_turn(m, len(words), taken, first=1))
    rows: dict[Column, Value] = {c: Signal(c.shape, init=c.entries[0]) for c in columns}
    with m.If(taken):
        m.d.sync += Cat(*rows.values()).eq(port.data)
    return rows


def rows_from_block(
    m: Module,
    columns: tuple[Column, ...],
    taken: Value,
    *,
    enable: Value,
    device: Device | None = None,
) -> dict[Column, Value]:
    """The constants of the beat that was taken two enabled cycles ago, from block RAM."""
    words, width = _words(columns)
    m.submodules.rows = rom = WeightMemory(words, width, Block(), device)
    m.d.comb += [rom.addr.eq(_turn(m, len(words), taken, first=0)), rom.en.eq(enable)]
    rows: dict[Column, Value] = {c: Signal(c.shape) for c in columns}
    m.d.comb += Cat(*rows.values()).eq(rom.data)
    return rows


def rows_cost(columns: tuple[Column, ...], device: Device, *, block: bool) -> Count:
    """Counter, memory and registers of the rows."""
    if not columns:
        return Count()
    depth = len(columns[0].entries)
    turn = (depth - 1).bit_length()
    total = Count(lut=turn, add=turn, ff=turn)
    if block:
        bits = sum(column.shape.width for column in columns)
        return total + weight_memory.cost(depth, bits, Block(), device)
    bits = _different_bits(columns)
    # As synthesised: rows that ascend have simpler columns than random ones.
    mux = max(bits, 8 * weight_memory.rom_luts(depth, bits) // 9)
    return total + Count(ff=bits, mux=mux, loose=mux - bits)


def _different_bits(columns: tuple[Column, ...]) -> int:
    """Bits of the rows that change from beat to beat. Equal ones are merged: there are few
    different ones when few beats take turns."""
    entries = np.array([column.entries for column in columns], np.int64)
    widths = np.array([column.shape.width for column in columns])
    found: set[bytes] = set()
    for place in range(int(widths.max())):
        bits = (entries >> place & 1).astype(bool)
        changes = (widths > place) & bits.any(axis=1) & ~bits.all(axis=1)
        found.update(row.tobytes() for row in np.packbits(bits[changes], axis=1))
    return len(found)


def _turn(m: Module, count: int, taken: Value, *, first: int) -> Signal:
    """Counter of the beats."""
    turn = Signal(range(count), init=first % count)
    with m.If(taken):
        m.d.sync += turn.eq(Mux(turn == count - 1, 0, turn + 1))
    return turn


def _words(columns: tuple[Column, ...]) -> tuple[list[int], int]:
    """One word for each beat, the first column in the low bits; and the bits of a word."""
    words = []
    for entries in zip(*(column.entries for column in columns), strict=True):
        word = 0
        for column, entry in zip(reversed(columns), reversed(entries), strict=True):
            word = word << column.shape.width | entry & (1 << column.shape.width) - 1
        words.append(word)
    return words, sum(column.shape.width for column in columns)

"""Memories that yosys makes block RAM of, as wide and as deep as they are asked for."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib.memory import Memory


def rom(m: Module, words: Sequence[int], *, en: Value, addr: Signal, data: Signal) -> None:
    """A block without an output register: the address waits instead, which is narrower."""
    m.submodules.array = array = Memory(
        shape=unsigned(len(data)), depth=len(words), init=words, attrs={"ram_style": "block"}
    )
    port = array.read_port()
    late = Signal.like(addr, name="late", reset_less=True)
    with m.If(en):
        m.d.sync += late.eq(addr)
    m.d.comb += [port.addr.eq(late), port.en.eq(en), data.eq(port.data)]


def shared_rom(
    m: Module,
    name: str,
    words: Sequence[int],
    readers: Sequence[tuple[Value, Value]],
    *,
    en: Value,
) -> None:
    m.submodules[name] = array = Memory(
        shape=unsigned(max(word.bit_length() for word in words) or 1),
        depth=len(words),
        init=words,
        attrs={"ram_style": "block"},
    )
    for number, (address, data) in enumerate(readers):
        port = array.read_port()
        late = Signal(len(address), name=f"{name}_late{number}", reset_less=True)
        with m.If(en):
            m.d.sync += late.eq(address)
        m.d.comb += [port.addr.eq(late), port.en.eq(en), data.eq(port.data)]


def dual_port(
    m: Module,
    name: str,
    *,
    depth: int,
    write: Value,
    write_address: Value,
    i: Value,
    en: Value,
    read_address: Value,
    o: Signal,
) -> None:
    # yosys takes the permission to read anything while it is written only from a read port without
    # register and a register behind it.
    attrs = {"ram_style": "block", "no_rw_check": 1}
    m.submodules[name] = array = Memory(shape=unsigned(len(o)), depth=depth, init=[], attrs=attrs)
    writes, reads = array.write_port(), array.read_port(domain="comb")
    latch = Signal(len(o), reset_less=True)
    m.d.comb += [writes.en.eq(write), writes.addr.eq(write_address), writes.data.eq(i)]
    m.d.comb += reads.addr.eq(read_address)
    with m.If(en):
        m.d.sync += [latch.eq(reads.data), o.eq(latch)]

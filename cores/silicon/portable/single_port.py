"""A memory with one port as block RAM."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib.memory import Memory


def single_port(
    m: Module,
    *,
    words: int,
    init: Sequence[int],
    address: Signal,
    write_bytes: Signal,
    write_data: Signal,
    en: Value,
    data: Signal,
) -> None:
    m.submodules.array = array = Memory(
        shape=unsigned(len(data)),
        depth=words,
        init=list(init),
        attrs={"ram_style": "block", "no_rw_check": "1"},
    )
    write, read = array.write_port(granularity=8), array.read_port(domain="comb")
    m.d.comb += [
        write.addr.eq(address),
        write.data.eq(write_data),
        write.en.eq(write_bytes),
        read.addr.eq(address),
    ]
    with m.If(en):
        m.d.sync += data.eq(read.data)

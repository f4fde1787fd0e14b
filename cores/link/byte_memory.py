"""Bytes in block RAM, or as many of their bits as are used."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ByteMemory(wiring.Component):
    """A block RAM with one port to write and one to read.

    What is read from the address that is written in the same cycle is undefined: iCE40 does not
    define it, and logic that would is larger than what surrounds the memories of the link. yosys
    takes that permission only from a read port without register and a register behind it.

    Parameters
    ----------
    depth : int
    width : int
        Bits of a byte that are used.
    init : bytes
        Contents after configuration, from address 0.

    Members
    -------
    write_address : In
    write_data : In(width)
    write : In(1)
    address : In
    read : In(1)
    data : Out(width)
        The byte at `address` in the last cycle with `read`.
    """

    write_address: Signal
    write_data: Signal
    write: Signal
    address: Signal
    read: Signal
    data: Signal

    def __init__(self, depth: int, *, width: int = 8, init: bytes = b""):
        super().__init__(
            {
                "write_address": In(range(depth)),
                "write_data": In(width),
                "write": In(1),
                "address": In(range(depth)),
                "read": In(1),
                "data": Out(width),
            }
        )
        self._depth, self._width = depth, width
        self._init = init

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(self._width),
            depth=self._depth,
            init=list(self._init),
            attrs={"ram_style": "block", "no_rw_check": "1"},
        )
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        data = Signal(self._width, reset_less=True)
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            read.addr.eq(self.address),
            self.data.eq(data),
        ]
        with m.If(self.read):
            m.d.sync += data.eq(read.data)
        return m

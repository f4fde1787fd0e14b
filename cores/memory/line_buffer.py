"""Words written and read at addresses of their own: block RAM, LUT RAM or flip-flops by size."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.family import silicon
from platforms.device import Device


def storage(words: int, width: int, device: Device) -> str:
    """Where the words are kept: ``block``, ``lutram`` or ``registers``.

    The share of the device's logic is weighed against the share of its block RAM.
    """
    count = _logic(words, width, device)
    exchange = device.luts / device.block_ram.count
    if max(count.lut + count.mux, count.ff) > exchange * device.block_ram.blocks(words, width):
        return "block"
    return "lutram" if device.lutram else "registers"


def rounded(words: int, width: int, device: Device | None) -> int:
    """At least `words`: the next power of two where that takes no more memory."""
    power = 1 << (words - 1).bit_length()
    if device is None or power == words:
        return words
    kinds = [storage(n, width, device) for n in (words, power)]
    if kinds[0] != kinds[1] or kinds[0] == "registers":
        return words
    costs = [cost(n, width, device) for n in (words, power)]
    return power if costs[0] == costs[1] else words


def cost(words: int, width: int, device: Device) -> Count:
    """Of a `LineBuffer`."""
    if storage(words, width, device) == "block":
        return Count(ram_blocks=device.block_ram.blocks(words, width))
    return _logic(words, width, device) + Count(ff=width)


def _logic(words: int, width: int, device: Device) -> Count:
    if not device.lutram:
        # As in FIFO: half a cell more per bit, for flip-flops that share a cell with no LUT.
        bits = words * width
        return Count(ff=bits, lut=words + bits // 2, mux=bits * 2 // 3)
    banks = -(-words // 16)
    # A LUT chooses from two banks, and wide multiplexers beside the LUTs from several of them.
    chosen = width * -(-banks // 2) + banks if banks > 1 else 0
    return Count(mux=silicon(device).logic.ram_cells(words, width) + chosen)


class LineBuffer(Component):
    """A memory with one port to write and one to read.

    A word is never read in the cycle in which it is written; the one after that has it.

    Parameters
    ----------
    words, width : int
    device : Device or None

    Members
    -------
    write : In(1)
    write_address : In(range(words))
    write_data : In(width)
    read : In(1)
    address : In(range(words))
    data : Out(width)
        The word at `address` in the last cycle with `read`.
    """

    write: Signal
    write_address: Signal
    write_data: Signal
    read: Signal
    address: Signal
    data: Signal

    def __init__(self, words: int, width: int, device: Device | None = None):
        self.words, self.width, self.device = words, width, device
        super().__init__(
            {
                "write": In(1),
                "write_address": In(range(words)),
                "write_data": In(width),
                "read": In(1),
                "address": In(range(words)),
                "data": Out(width),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        # What is read while it is written is never used: yosys takes that permission only from a
        # read port without register and a register behind it.
        attrs = {"no_rw_check": "1"}
        if self.device is not None:
            block = storage(self.words, self.width, self.device) == "block"
            attrs["ram_style"] = "block" if block else silicon(self.device).logic.RAM_STYLE
        m.submodules.array = array = Memory(
            shape=unsigned(self.width), depth=self.words, init=[], attrs=attrs
        )
        write, read = array.write_port(), array.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.addr.eq(self.address),
        ]
        with m.If(self.read):
            m.d.sync += self.data.eq(read.data)
        return m

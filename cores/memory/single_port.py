"""Words of 32 bits behind one port: single-port RAM where the device has it, else block RAM."""

from collections.abc import Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from platforms.device import Device

DEPTH = 1 << 14
"""Words of two SB_SPRAM256KA."""
WIDTH = 32


def cost(words: int, device: Device) -> Count:
    """Of a `SinglePort`."""
    if _single_port(words, device):
        return Count(spram=2)
    return Count(ram_blocks=device.block_ram.blocks(words, WIDTH))


def _single_port(words: int, device: Device | None) -> bool:
    return device is not None and bool(device.spram_count) and words <= DEPTH


class SinglePort(Component):
    """A memory that is written or read in a cycle, not both.

    Single-port RAM cannot be initialised by a bitstream; without a device, or in block RAM, the
    memory begins with `init`.

    Parameters
    ----------
    words : int
        More than `DEPTH` of them are in block RAM on any device.
    init : sequence of int
    device : Device or None

    Members
    -------
    address : In
    write : In(4)
        Which bytes are written.
    write_data : In(32)
    read : In(1)
        Not in a cycle in which anything is written.
    data : Out(32)
        The word at `address` in the previous cycle, if there was `read`.
    """

    address: Signal
    write: Signal
    write_data: Signal
    read: Signal
    data: Signal

    def __init__(self, words: int, init: Sequence[int] = (), device: Device | None = None):
        self.words, self.init, self.device = words, init, device
        super().__init__(
            {
                "address": In(range(words)),
                "write": In(4),
                "write_data": In(WIDTH),
                "read": In(1),
                "data": Out(WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if _single_port(self.words, self.device):
            for half in range(2):
                self._spram(m, half)
            return m
        m.submodules.array = array = Memory(
            shape=unsigned(WIDTH),
            depth=self.words,
            init=list(self.init),
            attrs={"ram_style": "block", "no_rw_check": "1"},
        )
        write, read = array.write_port(granularity=8), array.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            read.addr.eq(self.address),
        ]
        with m.If(self.read):
            m.d.sync += self.data.eq(read.data)
        return m

    def _spram(self, m: Module, half: int) -> None:
        writing, address = self.write.any(), Signal(range(DEPTH), name=f"address{half}")
        m.d.comb += address.eq(self.address)
        low, high = self.write[2 * half], self.write[2 * half + 1]
        m.submodules[f"spram{half}"] = Instance(
            "SB_SPRAM256KA",
            i_CLOCK=ClockSignal(),
            i_ADDRESS=address,
            i_DATAIN=self.write_data.word_select(half, 16),
            i_MASKWREN=Cat(low, low, high, high),
            i_WREN=writing,
            i_CHIPSELECT=writing | self.read,
            i_STANDBY=Const(0, 1),
            i_SLEEP=Const(0, 1),
            i_POWEROFF=Const(1, 1),
            o_DATAOUT=self.data.word_select(half, 16),
        )

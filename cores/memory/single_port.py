"""Words of 32 bits behind one port: single-port RAM where the device has it, else block RAM."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.family import silicon
from platforms.device import Device

DEPTH = 1 << 14
"""Words of the two that stand side by side, of 16 bits each."""
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
        hard = _single_port(self.words, self.device)
        silicon(self.device if hard else None).single_port.single_port(
            m,
            words=self.words,
            init=self.init,
            address=self.address,
            write_bytes=self.write,
            write_data=self.write_data,
            en=self.read,
            data=self.data,
        )
        return m

"""ROM of wide words read in sequence, two cycles after the address: in logic or in block RAM."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, unsigned
from amaranth.lib.memory import Memory as Array
from amaranth.lib.wiring import Component, In, Out

from cores.choices import Block, Memory
from cores.cost import Count
from cores.silicon.family import silicon
from platforms.device import Device

DEPTH = 2
"""Cycles from address to word."""


def rom_luts(depth: int, bits: int) -> int:
    """LUTs of a ROM in logic: one for each bit of up to 16 words; of more words, one for eight, as
    synthesised from random contents."""
    if depth <= 16:
        return bits * (depth > 1)
    return round(bits * depth / 8)


def cost(depth: int, width: int, memory: Memory, device: Device) -> Count:
    """Of a `WeightMemory`; its address counter is counted by its user."""
    if depth == 1 or not width:
        return Count()
    address = (depth - 1).bit_length()
    if not isinstance(memory, Block):
        luts = rom_luts(depth, width)
        return Count(mux=luts, ff=width + address, loose=luts - width)
    aspect = device.block_ram.shape(depth, width)
    banks = -(-depth // aspect[0])
    blocks = banks * -(-width // aspect[1])
    registers = 0 if device.block_ram.output_register else address
    mux = (banks - 1) * width
    return Count(ram_blocks=blocks, mux=mux, ff=registers, loose=mux)


def check_device(owner: str, blocks: int, device: Device) -> None:
    """
    Raises
    ------
    ValueError
        The memory is deeper or wider than all block RAM of the device.
    """
    if blocks > device.block_ram.count:
        raise ValueError(
            f"block memory of {owner} must have {blocks} {device.block_ram.primitive}, "
            f"but {device.name} has {device.block_ram.count}: "
            "keep it in logic or take a larger device"
        )


class WeightMemory(Component):
    """Words by address, `DEPTH` cycles later; a single word is a constant.

    Parameters
    ----------
    words : sequence of int
        Contents, non-negative.
    width : int
        Bits of each word.
    memory : Memory
        `Block` for block RAM, else logic.
    device : Device or None
        Without one, inferred memory of the same latency.

    Members
    -------
    en : In(1)
        Moves every register.
    addr : In(range(len(words)))
    data : Out(width)
    """

    en: Signal
    addr: Signal
    data: Signal

    def __init__(
        self, words: Sequence[int], width: int, memory: Memory, device: Device | None = None
    ):
        self.words, self.width, self.memory, self.device = tuple(words), width, memory, device
        super().__init__(
            {
                "en": In(1),
                "addr": In(range(len(self.words))),
                "data": Out(width),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        if len(self.words) == 1:
            m.d.comb += self.data.eq(Const(self.words[0], self.width))
        elif isinstance(self.memory, Block):
            ram = silicon(self.device).block_ram
            ram.rom(m, self.words, en=self.en, addr=self.addr, data=self.data)
        else:
            self._logic(m)
        return m

    def _logic(self, m: Module) -> None:
        m.submodules.array = array = Array(
            shape=unsigned(self.width),
            depth=len(self.words),
            init=self.words,
            attrs={"ram_style": "logic"},
        )
        port = array.read_port(domain="comb")
        word = Signal(self.width, reset_less=True)
        late = Signal.like(self.addr, name="late", reset_less=True)
        with m.If(self.en):
            m.d.sync += late.eq(self.addr)
        m.d.comb += [port.addr.eq(late), self.data.eq(word)]
        with m.If(self.en):
            m.d.sync += word.eq(port.data)

"""Words that pass through once and come back, in the same order, any number of times."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.family import silicon
from platforms.device import Device

DEPTH = 2
"""Cycles from word in to word out."""

_RING_BITS = 512  # without a device, more than this becomes a memory


def store(count: int, width: int, device: Device | None) -> str:
    """Where the words are kept: ``ring`` of flip-flops, ``lutram`` or ``block``.

    The share of the device's logic is weighed against the share of its block RAM.
    """
    if count == 1:
        return "ring"
    if device is None:
        return "ring" if count * width <= _RING_BITS else "block"
    luts = _logic_cells(count, width, device)
    exchange = device.luts / device.block_ram.count
    if luts > exchange * device.block_ram.blocks(count, width):
        return "block"
    return "lutram" if device.lutram else "ring"


def _logic_cells(count: int, width: int, device: Device) -> int:
    cells = silicon(device).logic.ram_cells(count, width)
    return cells + (-(-count // 16) - 1) * width if device.lutram else cells


def cost(count: int, width: int, device: Device) -> Count:
    """Of a `Replay`."""
    kind = store(count, width, device)
    if kind == "ring":
        return Count(mux=width, ff=(count + 1) * width)
    address = (count - 1).bit_length()
    base = Count(mux=width, ff=2 * width + 2)
    if kind == "block":
        return base + Count(ram_blocks=device.block_ram.blocks(count, width))
    return base + Count(mux=_logic_cells(count, width, device), ff=address)


class Replay(Component):
    """Passes words on and keeps them, or gives the kept ones again, `DEPTH` cycles later.

    Parameters
    ----------
    count : int
        Words kept.
    width : int
        Bits of a word.
    device : Device or None

    Members
    -------
    en : In(1)
        Moves every register; `step` comes only with it.
    step : In(1)
        A word passes: `i` if `fresh`, else the one kept at `addr`.
    fresh : In(1)
    addr : In(range(count))
        Runs from 0 to count - 1 with the steps, again and again.
    i : In(width)
    o : Out(width)
    """

    en: Signal
    step: Signal
    fresh: Signal
    addr: Signal
    i: Signal
    o: Signal

    def __init__(self, count: int, width: int, device: Device | None = None):
        self.count, self.width, self.device = count, width, device
        super().__init__(
            {
                "en": In(1),
                "step": In(1),
                "fresh": In(1),
                "addr": In(range(count)),
                "i": In(width),
                "o": Out(width),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        kind = store(self.count, self.width, self.device)
        if kind == "ring":
            self._ring(m)
        else:
            self._memory(m, kind)
        return m

    def _ring(self, m: Module) -> None:
        ring = [Signal(self.width, name=f"ring{k}", reset_less=True) for k in range(self.count)]
        with m.If(self.step):
            m.d.sync += ring[0].eq(Mux(self.fresh, self.i, ring[-1]))
            m.d.sync += [b.eq(a) for a, b in pairwise(ring)]
        out = Signal(self.width, reset_less=True)
        with m.If(self.en):
            m.d.sync += out.eq(ring[0])
        m.d.comb += self.o.eq(out)

    def _memory(self, m: Module, kind: str) -> None:
        # A word is never read and written in the same cycle; yosys is told so where it makes a
        # register the read port's own. What a cycle without a step writes, the step to come
        # overwrites.
        small = silicon(self.device).logic.RAM_STYLE
        style = {"ram_style": small if kind == "lutram" else "block", "no_rw_check": 1}
        m.submodules.array = array = Memory(
            shape=unsigned(self.width), depth=self.count, init=[], attrs=style
        )
        write = array.write_port()
        word, fresh = Signal(self.width, reset_less=True), Signal(reset_less=True)
        out = Signal(self.width, reset_less=True)
        kept = Signal(self.width, reset_less=True)
        read = array.read_port(domain="comb")
        with m.If(self.en):
            m.d.sync += [
                word.eq(self.i),
                fresh.eq(self.fresh),
                out.eq(Mux(fresh, word, kept)),
            ]
        m.d.comb += self.o.eq(out)
        if kind == "block":
            m.d.comb += [
                write.en.eq(self.fresh),
                write.addr.eq(self.addr),
                write.data.eq(self.i),
                read.addr.eq(self.addr),
            ]
            with m.If(self.en & ~self.fresh):
                m.d.sync += kept.eq(read.data)
        else:  # written and read one cycle later, for a short path from the input
            place = Signal.like(self.addr, reset_less=True)
            with m.If(self.en):
                m.d.sync += place.eq(self.addr)
            m.d.comb += [
                write.en.eq(fresh),
                write.addr.eq(place),
                write.data.eq(word),
                read.addr.eq(place),
                kept.eq(read.data),
            ]

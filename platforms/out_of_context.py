"""A component alone on a device: its netlist, or its speed and size behind registered pins."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from platforms import rtlil
from platforms.device import Device
from platforms.pnr_report import Placed, Usage
from platforms.toolchain import Netlist, Plan, place_and_route, synthesise
from platforms.tools import Progress, Tools


def plan_core(component: wiring.Component, device: Device, *, clock_mhz: float) -> Plan:
    """`component` as the top module, its ports as pins.

    The ports are named as Amaranth names those of a component (``i__payload``), besides ``clk`` and
    ``rst``. Place it by `place_core`: a device has too few pins for most components.
    """
    text = rtlil.convert(component)
    # Amaranth names the elements of an array port `port[0]`, `port[1]`: the names that ABC9 gives
    # to the bits of `port`, and it stops without a word.
    text = re.sub(r"\\\S+\[\S+", lambda name: name[0].replace("[", ".").replace("]", ""), text)
    return Plan(device=device, rtlil=text, clock_mhz=clock_mhz)


class RegisteredPins(wiring.Component):
    """A component between registers, behind two pins.

    A shift register drives its inputs; its outputs meet in a tree of XOR gates of four inputs, each
    registered. No path to a pin limits the clock, and nothing is optimised away.

    Parameters
    ----------
    component : Component
        Its outputs should be registered, or their logic is timed together with the first gates.

    Members
    -------
    i, o : 1 bit
    """

    i: Signal
    o: Signal

    def __init__(self, component: wiring.Component):
        super().__init__({"i": In(1), "o": Out(1)})
        self._component: Any = component  # stubs do not know that components elaborate
        ports = list(component.signature.flatten(component))
        self._inputs = [Value.cast(v) for _, member, v in ports if member.flow is In]
        self._outputs = [Value.cast(v) for _, member, v in ports if member.flow is Out]
        self._levels = _tree_levels(sum(len(v) for v in self._outputs))

    @property
    def gates(self) -> int:
        """LUTs of the XOR tree."""
        return sum(min(width, 4) > 1 for level in self._levels for width in level)

    @property
    def flip_flops(self) -> int:
        return sum(len(v) for v in self._inputs) + sum(len(level) for level in self._levels)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.component = self._component
        chain = Signal(sum(len(v) for v in self._inputs), reset_less=True)
        m.d.sync += chain.eq(Cat(self.i, chain))
        m.d.comb += Cat(*self._inputs).eq(chain)
        bits = Cat(*self._outputs)
        for level in self._levels:
            parity = Signal(len(level), reset_less=True)
            position = 0
            for gate, width in enumerate(level):
                m.d.sync += parity[gate].eq(bits[position : position + width].xor())
                position += width
            bits = parity
        m.d.comb += self.o.eq(bits)
        return m


def _tree_levels(bits: int) -> list[list[int]]:
    """Inputs of every gate, level by level, down to one bit."""
    levels = []
    while bits > 1 or not levels:
        levels.append([min(4, bits - start) for start in range(0, bits, 4)])
        bits = len(levels[-1])
    return levels


@dataclass(frozen=True)
class PlacedCore:
    """A component placed alone.

    Attributes
    ----------
    netlist : Netlist
        Registered pins included.
    placed : tuple of Placed
        One per seed; the registered pins' own cells are subtracted.
    """

    netlist: Netlist
    placed: tuple[Placed, ...]


def place_core(
    component: wiring.Component,
    device: Device,
    tools: Tools,
    folder: Path,
    *,
    clock_mhz: float,
    seeds: tuple[int, ...] = (1,),
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> PlacedCore:
    """Synthesise `component` behind registered pins, then place and route it once per seed.

    Raises
    ------
    StepError
    """
    pins = RegisteredPins(component)
    plan = plan_core(pins, device, clock_mhz=clock_mhz)
    netlist = synthesise(plan, tools, folder, progress=progress, cancel=cancel)
    # A logic cell that holds a flip-flop of the chain holds nothing else.
    cells = pins.gates if device.cells.shared is None else pins.flip_flops
    placed = []
    for seed in seeds:
        routed = place_and_route(
            plan, netlist, tools, seed=seed, progress=progress, cancel=cancel
        ).placed
        placed.append(
            replace(
                routed,
                lut4=Usage(routed.lut4.used - cells, routed.lut4.available),
                ff=Usage(routed.ff.used - pins.flip_flops, routed.ff.available),
            )
        )
    return PlacedCore(netlist, tuple(placed))

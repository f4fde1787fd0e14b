"""Size and speed of one core out of context.

One pin shifts into a register that drives every input of the core; a registered tree of 4-input
XORs folds every output into one pin. So each path of the core lies between flip-flops, nothing is
optimised away, and the harness takes a known number of LUTs, which is subtracted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib.wiring import Component, Flow, In, Out

from platforms.device import Device
from platforms.toolchain import Plan, place_and_route, synthesise
from platforms.tools import Tools


@dataclass(frozen=True)
class Measured:
    """A core without its harness, and its speed in it.

    Attributes
    ----------
    lut4 : int
        ECP5: LUT4 + 2 CCU2C + 6 DPR16X4; iCE40: logic cells placed, but not those of the harness.
    carry, ff : int
        CCU2C or SB_CARRY; flip-flops, the harness included.
    ram_blocks, dsp : int
    fmax_mhz : tuple of float
        One for each seed.
    critical_path : str
        Of the slowest seed.
    """

    lut4: int
    carry: int
    ff: int
    ram_blocks: int
    dsp: int
    fmax_mhz: tuple[float, ...]
    critical_path: str

    @property
    def median_mhz(self) -> float:
        return median(self.fmax_mhz)


class Harness(Component):
    """Drives and folds the ports of `core`.

    Members
    -------
    i, o : 1 bit
        The two pins.
    """

    i: In(1)
    o: Out(1)

    def __init__(self, core: Component):
        self.core = core
        super().__init__()

    def _bits(self, flow: Flow) -> list[Value]:
        found = self.core.signature.flatten(self.core)
        return [bit for _, member, port in found if member.flow is flow for bit in Value.cast(port)]

    @property
    def registers(self) -> int:
        """Flip-flops without a LUT of their own: those that drive the core."""
        return len(self._bits(In))

    @property
    def luts(self) -> int:
        """LUTs of the XOR tree."""
        total, count = 0, len(self._bits(Out))
        while count > 1:
            total += count // 4 + (count % 4 > 1)
            count = -(-count // 4)
        return total

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.core = self.core
        inputs, bits = self._bits(In), self._bits(Out)
        shift = Signal(len(inputs), reset_less=True)
        m.d.sync += shift.eq(Cat(self.i, shift))
        m.d.comb += [port.eq(bit) for port, bit in zip(inputs, shift, strict=True)]
        while len(bits) > 1:
            groups = [Cat(*bits[k : k + 4]) for k in range(0, len(bits), 4)]
            level = Signal(len(groups), reset_less=True)
            m.d.sync += level.eq(Cat(*(group.xor() for group in groups)))
            bits = list(level)
        m.d.sync += self.o.eq(bits[0])
        return m


def measure(
    core: Component,
    device: Device,
    folder: Path,
    *,
    tools: Tools,
    clock_mhz: float,
    seeds: Sequence[int] = (1, 2, 3, 4, 5),
) -> Measured:
    """Synthesise once, place and route once per seed; the files stay in `folder`.

    Parameters
    ----------
    clock_mhz : float
        What nextpnr aims at.
    seeds : sequence of int
        None: synthesis only.
    """
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.harness = harness = Harness(core)
    ports = [domain.clk, domain.rst, harness.i, harness.o]
    design = rtlil.convert(m, ports=ports, name="top", emit_src=False)
    plan = Plan(device, design, clock_mhz)
    netlist = synthesise(plan, tools, folder)
    cells = netlist.cells
    runs = [place_and_route(plan, netlist, tools, seed=seed).placed for seed in seeds]
    if device.family == "ecp5":
        lut4 = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0)
        lut4 += 6 * cells.get("TRELLIS_DPR16X4", 0) - harness.luts
    elif runs:
        lut4 = runs[0].lut4.used - harness.luts - harness.registers
    else:
        lut4 = cells.get("SB_LUT4", 0) - harness.luts
    speeds = tuple(run.fmax_mhz or 0.0 for run in runs)
    slowest = min(runs, key=lambda run: run.fmax_mhz or 0.0, default=None)
    return Measured(
        lut4=lut4,
        carry=cells.get("CCU2C", 0) + cells.get("SB_CARRY", 0),
        ff=sum(n for cell, n in cells.items() if cell.startswith(("SB_DFF", "TRELLIS_FF"))),
        ram_blocks=sum(n for cell, n in cells.items() if cell.startswith(("DP16KD", "SB_RAM40"))),
        dsp=cells.get("MULT18X18D", 0) + cells.get("SB_MAC16", 0),
        fmax_mhz=speeds,
        critical_path=slowest.critical_path if slowest else "",
    )

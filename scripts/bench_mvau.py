"""Size and speed of the MVAU out of context: 64 x 64, PE = SIMD = 8 unless named, five seeds.

python -m scripts.bench_mvau [--seeds N] [--only NAME] [FOLDER]
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from cores.cost import price
from cores.mvau import MatVec
from cores.op import Arithmetic, Block, Dsp, Lut, Popcount
from cores.types import IntType
from platforms.device import Device
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.toolchain import Netlist
from platforms.tools import Tools

_CLOCKS = {"ecp5-85f": 175.0, "up5k": 60.0}  # what nextpnr aims at: somewhat above the goals


@dataclass(frozen=True)
class Layer:
    """A square layer: weights of -weights to weights, inputs of 0 to 2**bits - 1."""

    weights: int
    bits: int
    arithmetic: Arithmetic
    size: int = 64
    fold: int = 8

    def op(self) -> MatVec:
        shape = (self.size, self.size)
        values = np.random.default_rng(1).integers(-self.weights, self.weights + 1, shape)
        if isinstance(self.arithmetic, Popcount):
            values = np.where(values < 0, -1, 1)
        inputs = IntType.bits(self.bits, signed=False)
        op = MatVec(values, inputs, pe=self.fold, simd=self.fold, arithmetic=self.arithmetic)
        return replace(op, memory=Block())


_CASES = {
    "ecp5-85f w4a4 lut": Layer(7, 4, Lut()),
    "ecp5-85f w4a4 dsp": Layer(7, 4, Dsp()),
    "ecp5-85f w8a8 lut 4x4": Layer(127, 8, Lut(), fold=4),
    "ecp5-85f w2a2 lut": Layer(1, 2, Lut()),
    "ecp5-85f w1a1 popcount 16x16": Layer(1, 1, Popcount(), fold=16),
    "up5k w4a4 lut": Layer(7, 4, Lut()),
    "up5k w4a4 dsp 2x4": Layer(7, 4, Dsp(), fold=2),
    "up5k w2a2 lut": Layer(1, 2, Lut()),
    "up5k w1a1 popcount 16x16": Layer(1, 1, Popcount(), fold=16),
}


def lut4_equivalents(netlist: Netlist, target: Device) -> int:
    """LUT4 + 2 CCU2C + 6 DPR16X4, or SB_LUT4."""
    cells = netlist.cells
    if target.family == "ice40":
        return cells.get("SB_LUT4", 0)
    return cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)


def xor_gates(bits: int) -> int:
    """LUTs that fold the outputs of a core into one pin."""
    gates = 0
    while bits > 1:
        gates += bits // 4 + (bits % 4 > 1)
        bits = -(-bits // 4)
    return gates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_mvau"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    tools = Tools(dict(os.environ))
    print(f"{'core':28}   LUT4-eq  placed   cost     ff  RAM  DSP  median MHz  all")
    for name, layer in _CASES.items():
        if arguments.only not in name:
            continue
        op, target = layer.op(), device(name.split()[0])
        found = place_core(
            op.core(target),
            target,
            tools,
            arguments.folder / name.replace(" ", "_"),
            clock_mhz=_CLOCKS[target.name],
            seeds=tuple(range(1, arguments.seeds + 1)),
        )
        bits = op.outputs["o"].width + 2  # with valid and ready
        luts = lut4_equivalents(found.netlist, target) - xor_gates(bits)
        first = found.placed[0]
        speeds = [placed.fmax_mhz or 0.0 for placed in found.placed]
        print(
            f"{name:28} {luts:9} {first.lut4.used:7} {price(op.cost(target), target).lut4:6} "
            f"{first.ff.used:6} {first.ram_blocks.used:4} {first.dsp.used:4} "
            f"{median(speeds):11.1f}  {' '.join(f'{speed:.0f}' for speed in speeds)}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Size and speed of the MVAU out of context: 64 x 64, PE = SIMD = 8, five seeds.

python -m scripts.bench_mvau [--seeds N] [--only NAME] [FOLDER]
"""

import argparse
import os
from pathlib import Path

import numpy as np

from cores.cost import price
from cores.mvau import MatVec
from cores.op import Arithmetic, Block, Dsp, Lut, Popcount
from cores.types import IntType
from platforms.devices import device
from platforms.tools import Tools
from scripts.ooc import measure

_CLOCKS = {"ecp5-85f": 175.0, "up5k": 60.0}  # what nextpnr aims at: somewhat above the goals


def layer(
    weights: int, inputs: IntType, arithmetic: Arithmetic, *, size: int = 64, fold: int = 8
) -> MatVec:
    """A square layer with weights from -weights to weights, none of them 0 if they are signs."""
    values = np.random.default_rng(1).integers(-weights, weights + 1, (size, size))
    if isinstance(arithmetic, Popcount):
        values = np.where(values < 0, -1, 1)
    return MatVec(values, inputs, pe=fold, simd=fold, arithmetic=arithmetic, memory=Block())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_mvau"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    u4, u2, u1, u8 = (IntType.bits(width, signed=False) for width in (4, 2, 1, 8))
    cases = {
        "ecp5-85f w4a4 lut": layer(7, u4, Lut()),
        "ecp5-85f w4a4 dsp": layer(7, u4, Dsp()),
        "ecp5-85f w8a8 lut": layer(127, u8, Lut()),
        "ecp5-85f w2a2 lut": layer(1, u2, Lut()),
        "ecp5-85f w1a1 popcount": layer(1, u1, Popcount(), fold=16),
        "up5k w4a4 lut": layer(7, u4, Lut()),
        "up5k w4a4 dsp": layer(7, u4, Dsp(), fold=2),
        "up5k w2a2 lut": layer(1, u2, Lut()),
        "up5k w1a1 popcount": layer(1, u1, Popcount(), fold=16),
    }
    tools = Tools(dict(os.environ))
    print("core                     LUT4-eq  (cost)   carry     ff  RAM  DSP  median MHz  all")
    for name, op in cases.items():
        if arguments.only not in name:
            continue
        target = device(name.split()[0])
        folder = arguments.folder / name.replace(" ", "_")
        seeds = range(1, arguments.seeds + 1)
        found = measure(
            op.core(target),
            target,
            folder,
            tools=tools,
            clock_mhz=_CLOCKS[target.name],
            seeds=seeds,
        )
        estimate = price(op.cost(target), target).lut4
        speeds = " ".join(f"{speed:.0f}" for speed in found.fmax_mhz)
        middle = f"{found.median_mhz:.1f}" if found.fmax_mhz else "-"
        print(
            f"{name:24} {found.lut4:7} {estimate:7} {found.carry:7} {found.ff:6} "
            f"{found.ram_blocks:4} {found.dsp:4} {middle:>11}  {speeds}",
            flush=True,
        )
        print(found.critical_path)


if __name__ == "__main__":
    main()

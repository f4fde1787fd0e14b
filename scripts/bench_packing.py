"""Packed products in the MVAU against their goals: 64 x 64, block RAM for weights, out of context.

python -m scripts.bench_packing [--only NAME] [--seeds N] [--json] [FOLDER]

LUT4-equivalents are LUT4 + 2 CCU2C + 6 DPR16X4 (SB_LUT4 on iCE40); the weights take none of them,
their block RAM stands in a column of its own. Exit status 1 if a row falls short.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cores.cost import price
from cores.mvau import MatVec
from cores.op import Arithmetic, Block, Dsp, PackedDsp
from cores.types import IntType
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.tools import Tools
from scripts.bench_mvau import lut4_equivalents, xor_gates


@dataclass(frozen=True)
class Row:
    """A core and what it must reach.

    Parameters
    ----------
    device, weight, inputs : str
        Device, and types as `IntType.parse` reads them.
    pe, simd : int
    arithmetic : Arithmetic
    luts, dsps, mhz : int
        At most, at most and at least.
    aim : float
        Clock that nextpnr is given.
    """

    device: str
    weight: str
    inputs: str
    pe: int
    simd: int
    arithmetic: Arithmetic
    luts: int
    dsps: int
    mhz: int
    aim: float

    def op(self) -> MatVec:
        weight = IntType.parse(self.weight)
        values = np.random.default_rng(1).integers(weight.lo, weight.hi + 1, (64, 64))
        return MatVec(
            values,
            IntType.parse(self.inputs),
            pe=self.pe,
            simd=self.simd,
            arithmetic=self.arithmetic,
            memory=Block(),
        )


ECP5, UP5K = "ecp5-85f", "up5k"
ROWS = {
    "w4a4 narrow": Row(ECP5, "-7..7", "u4", 8, 8, PackedDsp(3, 18), 1600, 24, 150, 175.0),
    "w4a4 full": Row(ECP5, "s4", "u4", 8, 8, PackedDsp(2, 18), 1600, 32, 150, 175.0),
    "w4a4 full, 3 lanes": Row(ECP5, "s4", "u4", 8, 8, PackedDsp(3, 18), 1600, 24, 150, 175.0),
    "w8a8 plain": Row(ECP5, "s8", "u8", 4, 8, Dsp(), 1300, 32, 180, 200.0),
    "w8a8 narrow, packed": Row(ECP5, "-127..127", "u8", 4, 8, PackedDsp(2, 18), 2300, 16, 150, 175),
    "w8a8 full, packed": Row(ECP5, "s8", "u8", 4, 8, PackedDsp(2, 18), 2300, 16, 150, 175.0),
    "up5k w8a8 halves": Row(UP5K, "s8", "u8", 4, 4, PackedDsp(2, 8), 5280, 8, 48, 60.0),
}


def measure(row: Row, folder: Path, tools: Tools, seeds: int) -> dict[str, Any]:
    """Size and speed of a row, and whether it reaches its goals."""
    op, target = row.op(), device(row.device)
    found = place_core(
        op.core(target),
        target,
        tools,
        folder,
        clock_mhz=row.aim,
        seeds=tuple(range(1, seeds + 1)),
    )
    bits = op.outputs["o"].width + 2  # with valid and ready
    luts = lut4_equivalents(found.netlist, target) - xor_gates(bits)
    first = found.placed[0]
    speeds = [placed.fmax_mhz or 0.0 for placed in found.placed]
    reached = luts <= row.luts and first.dsp.used <= row.dsps and median(speeds) >= row.mhz
    return {
        "luts": luts,
        "dsp": first.dsp.used,
        "ram_blocks": first.ram_blocks.used,
        "mac_per_cycle": row.pe * row.simd,
        "placed_lut4": first.lut4.used,
        "estimated": asdict(price(op.cost(target), target)),
        "mhz": median(speeds),
        "all_mhz": speeds,
        "goal": {"luts": row.luts, "dsp": row.dsps, "mhz": row.mhz},
        "reached": reached,
        "critical_path": str(first.critical_path),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_packing"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tools = Tools(dict(os.environ))
    results = {}
    if not arguments.json:
        print(f"{'row':22} LUT4-eq (goal)  DSP (goal)  RAM  placed  cost  median MHz (goal)  all")
    for name, row in ROWS.items():
        if arguments.only not in name:
            continue
        folder = arguments.folder / name.replace(" ", "_").replace(",", "")
        results[name] = found = measure(row, folder, tools, arguments.seeds)
        if not arguments.json:
            print(
                f"{name:22} {found['luts']:6} ({row.luts:4}) {found['dsp']:6} ({row.dsps:2}) "
                f"{found['ram_blocks']:6} {found['placed_lut4']:7} "
                f"{found['estimated']['lut4']:5} {found['mhz']:8.1f} ({row.mhz:3})       "
                f"{' '.join(f'{speed:.0f}' for speed in found['all_mhz'])}"
                f"{'' if found['reached'] else '  falls short'}",
                flush=True,
            )
            if not found["reached"]:
                print(found["critical_path"])
    if arguments.json:
        print(json.dumps(results, indent=2))
    sys.exit(not results or not all(found["reached"] for found in results.values()))


if __name__ == "__main__":
    main()

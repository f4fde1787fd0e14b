"""Size and speed of thresholding out of context, against what it must reach: exit 1 if a row falls
short.

python -m scripts.bench_thresholds [--only NAME] [--seeds N] [--json] [--paths] [FOLDER]

64 channels of 16-bit inputs, random starts over the whole range.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from cores.cost import price
from cores.op import BinarySearch
from cores.thresholding import MultiThreshold
from cores.types import IntType
from platforms.devices import device
from platforms.out_of_context import place_core
from platforms.tools import Tools
from scripts.bench_mvau import lut4_equivalents, xor_gates

CHANNELS = 64
AIM_MHZ = 200.0  # what nextpnr is asked for: above every goal


@dataclass(frozen=True)
class Row:
    """One core and the goals that it must meet: at most, at most, at least.

    Attributes
    ----------
    bits : int
        Of the output.
    block_stages : int or None
        Of a binary search; None for parallel comparators.
    lut4, ram_blocks : int
        LUT4-equivalents of the core alone, and blocks.
    mhz : float
        Median over the seeds.
    """

    name: str
    bits: int
    pe: int
    block_stages: int | None
    lut4: int
    ram_blocks: int
    mhz: float
    device: str = "ecp5-85f"

    def op(self) -> MultiThreshold:
        dtype = IntType.bits(16, signed=True)
        shape = (CHANNELS, 2**self.bits - 1)
        starts = np.random.default_rng(1).integers(dtype.lo, dtype.hi + 1, shape)
        values = np.arange(2**self.bits)[None]
        op = MultiThreshold((CHANNELS,), dtype, np.sort(starts, axis=1), values, pe=self.pe)
        if self.block_stages is None:
            return op
        return replace(op, comparison=BinarySearch(), block_stages=self.block_stages)


ROWS = (
    Row("thresholds 2-bit PE 8", 2, 8, 0, lut4=500, ram_blocks=0, mhz=180),
    Row("thresholds 4-bit PE 8", 4, 8, 2, lut4=1000, ram_blocks=8, mhz=150),
    Row("thresholds 8-bit PE 1", 8, 1, 8, lut4=350, ram_blocks=17, mhz=150),
)


@dataclass(frozen=True)
class Result:
    """What a row gave; `fmax_mhz` one per seed, `critical_path` that of the median seed."""

    name: str
    lut4_equivalents: int
    placed: int
    estimate: int
    ff: int
    ram_blocks: int
    fmax_mhz: tuple[float, ...]
    median_mhz: float
    critical_path: str
    shortfalls: tuple[str, ...]


def measure(row: Row, tools: Tools, folder: Path, *, seeds: Sequence[int]) -> Result:
    """Synthesises the core of `row`, places it once per seed."""
    op, target = row.op(), device(row.device)
    found = place_core(
        op.core(target),
        target,
        tools,
        folder / row.name.replace(" ", "_"),
        clock_mhz=AIM_MHZ,
        seeds=tuple(seeds),
    )
    luts = lut4_equivalents(found.netlist, target) - xor_gates(op.outputs["o"].width + 2)
    speeds = tuple(placed.fmax_mhz or 0.0 for placed in found.placed)
    typical = sorted(found.placed, key=lambda placed: placed.fmax_mhz or 0.0)[len(speeds) // 2]
    first, middle = found.placed[0], median(speeds)
    measured = ((luts, row.lut4, "LUT4-eq"), (first.ram_blocks.used, row.ram_blocks, "block RAM"))
    shortfalls = [f"{was} {what}, not {goal}" for was, goal, what in measured if was > goal]
    if middle < row.mhz:
        shortfalls.append(f"{middle:.1f} MHz, not {row.mhz:g}")
    return Result(
        name=row.name,
        lut4_equivalents=luts,
        placed=first.lut4.used,
        estimate=price(op.cost(target), target).lut4,
        ff=first.ff.used,
        ram_blocks=first.ram_blocks.used,
        fmax_mhz=speeds,
        median_mhz=middle,
        critical_path=typical.critical_path,
        shortfalls=tuple(shortfalls),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_thresholds"))
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--paths", action="store_true", help="print the critical paths")
    arguments = parser.parse_args()
    tools = Tools(dict(os.environ))
    results = []
    if not arguments.json:
        print(f"{'core':24} LUT4-eq placed   cost    ff  RAM  median MHz  all")
    for row in ROWS:
        if arguments.only not in row.name:
            continue
        seeds = range(1, arguments.seeds + 1)
        result = measure(row, tools, arguments.folder, seeds=seeds)
        results.append(result)
        if not arguments.json:
            _print(result, paths=arguments.paths)
    if arguments.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    sys.exit(not results or any(result.shortfalls for result in results))


def _print(result: Result, *, paths: bool) -> None:
    print(
        f"{result.name:24} {result.lut4_equivalents:7} {result.placed:6} {result.estimate:6} "
        f"{result.ff:5} {result.ram_blocks:4} {result.median_mhz:11.1f}  "
        f"{' '.join(f'{speed:.0f}' for speed in result.fmax_mhz)}",
        *result.shortfalls,
        sep="  ",
        flush=True,
    )
    if paths:
        print(result.critical_path)


if __name__ == "__main__":
    main()

"""Constant matrices as adder graphs, out of context: one vector a cycle, median of the seeds.

python -m scripts.bench_constant [--seeds N] [--only NAME] [--json] [FOLDER]

Ends with 1 if a row falls short of its goal.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from cores.mvau import MatVec
from cores.op import AdderGraph
from cores.types import IntType
from platforms.devices import device
from platforms.out_of_context import RegisteredPins, place_core
from platforms.toolchain import Netlist
from platforms.tools import Tools


def random_matrix() -> MatVec:
    """16 -> 64, weights of 6 bits, inputs of 8 bits."""
    weights = np.random.default_rng(7).integers(-31, 32, (16, 64)).T
    return _unrolled(weights, IntType.bits(8, signed=True))


def convolution() -> MatVec:
    """9 -> 16, the first convolution of a small network trained on handwritten digits: weights of
    4 bits, inputs of 5 bits."""
    return _unrolled(np.array(_DIGITS_CONVOLUTION), IntType.bits(5, signed=False))


def _unrolled(weights: np.ndarray, dtype: IntType) -> MatVec:
    rows, cols = weights.shape
    return MatVec(weights, dtype, pe=rows, simd=cols, arithmetic=AdderGraph())


_DIGITS_CONVOLUTION = (
    (-1, 5, -5, -7, -5, 3, -1, 6, -1),
    (5, -4, -1, -7, -6, -5, 0, 6, 6),
    (-6, -6, 1, 7, -1, 7, 0, -1, 6),
    (-4, -3, -1, -2, 7, -3, -1, -5, -4),
    (-3, 6, 1, 3, 1, -3, 2, -7, -4),
    (-6, 6, 1, -3, -2, 6, 7, 0, 0),
    (6, -3, 2, -7, -7, -4, 3, 6, -2),
    (3, 3, -2, -2, 2, 7, 6, -7, -1),
    (6, 4, 7, 4, 2, -7, -4, -6, -5),
    (7, 6, -7, 1, -2, 0, -4, 4, -4),
    (0, 5, 7, 0, -7, -5, 4, 2, -5),
    (-1, 7, 5, -4, 0, -6, -1, -3, -5),
    (0, 1, -2, 5, -6, 7, 6, -7, -2),
    (0, 1, 2, 2, 1, -4, 3, -7, -3),
    (0, -6, -7, -3, -3, 5, -4, 0, 7),
    (1, -2, -2, 0, 5, 7, 4, 5, -1),
)


@dataclass(frozen=True)
class Goal:
    """What is measured, and what it has to reach.

    Attributes
    ----------
    cells : int
        LUT4-equivalents of ECP5 (LUT4 + 2 CCU2C + 6 DPR16X4, from the netlist), logic cells of
        iCE40 (placed).
    """

    device: str
    op: Callable[[], MatVec]
    cells: int
    mhz: float
    aim_mhz: float


@dataclass(frozen=True)
class Row:
    name: str
    cells: int
    placed_lut4: int
    flip_flops: int
    depth: int
    fmax_mhz: tuple[float, ...]
    goal: Goal = field(repr=False)

    @property
    def median_mhz(self) -> float:
        return median(self.fmax_mhz)

    @property
    def reached(self) -> bool:
        return self.cells <= self.goal.cells and self.median_mhz >= self.goal.mhz


GOALS = {
    "constant 16x64": Goal("ecp5-85f", random_matrix, 12_000, 150.0, 200.0),
    "convolution 9x16": Goal("ecp5-85f", convolution, 900, 200.0, 250.0),
    "convolution 9x16 up5k": Goal("up5k", convolution, 1_100, 48.0, 60.0),
}


def measure(only: str, *, seeds: int, folder: Path, tools: Tools) -> Iterator[Row]:
    """The rows whose name contains `only`, one by one."""
    for name, goal in GOALS.items():
        if only not in name:
            continue
        op, target = goal.op(), device(goal.device)
        core = op.core(target)
        found = place_core(
            core,
            target,
            tools,
            folder / name.replace(" ", "_"),
            clock_mhz=goal.aim_mhz,
            seeds=tuple(range(1, seeds + 1)),
        )
        placed = found.placed[0]
        cells = placed.lut4.used
        if target.family == "ecp5":
            cells = lut4_equivalents(found.netlist) - RegisteredPins(core).gates
        speeds = tuple(round(each.fmax_mhz or 0.0, 1) for each in found.placed)
        yield Row(name, cells, placed.lut4.used, placed.ff.used, op.depth, speeds, goal)


def lut4_equivalents(netlist: Netlist) -> int:
    cells = netlist.cells
    return cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)


def as_json(row: Row) -> dict[str, object]:
    values = asdict(row)
    values["goal"] = {"cells": row.goal.cells, "mhz": row.goal.mhz}
    return values | {"median_mhz": row.median_mhz, "reached": row.reached}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_constant"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tools = Tools(dict(os.environ))
    rows = []
    if not arguments.json:
        print(f"{'core':24} cells  goal  placed     ff  cycles  median MHz  goal  all")
    for row in measure(arguments.only, seeds=arguments.seeds, folder=arguments.folder, tools=tools):
        rows.append(row)
        if not arguments.json:
            print(
                f"{row.name:24} {row.cells:5} {row.goal.cells:5} {row.placed_lut4:7} "
                f"{row.flip_flops:6} {row.depth:7} {row.median_mhz:11.1f} {row.goal.mhz:5.0f}  "
                f"{' '.join(f'{speed:.0f}' for speed in row.fmax_mhz)}"
                f"{'' if row.reached else '  short'}",
                flush=True,
            )
    if arguments.json:
        print(json.dumps([as_json(row) for row in rows], indent=2))
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

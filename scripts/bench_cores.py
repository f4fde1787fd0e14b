"""Every core against its goals, out of context: exit status 1 if a row falls short.

python -m scripts.bench_cores [--list] [--row NAME ...] [--seeds N] [--json] [--paths] [FOLDER]

Each row is simulated against the integer reference, value by value and cycle by cycle, as RTL and
as netlist, with and without pauses. Then it is placed behind one serial pin and a registered tree
of XOR gates, which are not counted, once per seed. Cells are LUT4 + 2 CCU2C + 6 DPR16X4 of the
netlist on ECP5, those of the placement on UP5K. Weights in block RAM stand in their own column.
`exact` is the number of frames that were equal in every one of these runs.
Rows of whole networks need models that others trained, in ../shared/models.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from platforms.tools import Tools
from scripts.bench.row import Goal, Result, measure
from scripts.bench.rows import ROWS


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_cores"))
    parser.add_argument("--row", action="append", choices=list(ROWS), metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the rows and their goals")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--paths", action="store_true", help="print the critical paths")
    arguments = parser.parse_args()
    if arguments.list:
        for name, row in ROWS.items():
            print(f"{name:22} {row.device:9} {_goal(row.goal)}")
        return 0
    results = []
    if not arguments.json:
        print(f"{'row':22}  cells placed   cost    ff  DSP  RAM  cycles  median MHz  exact  all")
    for name in arguments.row or ROWS:
        if ROWS[name].missing:
            print(f"{name:22} left out: {ROWS[name].needs} is not there", file=sys.stderr)
            continue
        seeds = range(1, arguments.seeds + 1)
        result = measure(name, ROWS[name], Tools(os.environ), arguments.folder, seeds=seeds)
        results.append(result)
        if not arguments.json:
            _print(result, paths=arguments.paths)
    if arguments.json:
        print(json.dumps([result.as_json() for result in results], indent=2))
    return 0 if all(result.reached for result in results) else 1


def _goal(goal: Goal) -> str:
    parts = []
    if goal.cells is not None:
        parts.append(f"at most {goal.cells} {'placed cells' if goal.placed else 'cells'}")
    if goal.dsp is not None:
        parts.append(f"{goal.dsp} DSP")
    if goal.ram_blocks is not None:
        parts.append(f"{goal.ram_blocks} block RAMs")
    if goal.mhz is not None:
        parts.append(f"at least {goal.mhz:g} MHz")
    return ", ".join(parts)


def _print(result: Result, *, paths: bool) -> None:
    speeds = " ".join(f"{speed:.0f}" for speed in result.fmax_mhz)
    print(
        f"{result.name:22} {result.cells:6} {result.placed_lut4:6} {result.estimated_lut4:6} "
        f"{result.ff:5} {result.dsp:4} {result.ram_blocks:4} {result.depth:7} "
        f"{result.median_mhz:11.1f}  {'no' if result.faults else result.frames:>5}  {speeds}",
        *result.faults,
        *result.shortfalls,
        sep="  ",
        flush=True,
    )
    if paths or not result.reached:
        print(result.critical_path)


if __name__ == "__main__":
    sys.exit(main())

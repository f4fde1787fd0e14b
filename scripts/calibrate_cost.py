#!/usr/bin/env python3
"""Places a grid of cores alone, fits the coefficients of `cores.cost.price`, and tries them on
cores outside the grid.

    python -m scripts.calibrate_cost [--device D ...] [--write FILE] [--refit FILE]

`--write` keeps what was placed, with tool versions; `--refit` fits such a file again without
placing anything.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from cores.cost import Count, price
from platforms.device import Device
from platforms.devices import device as find_device
from platforms.out_of_context import place_core
from platforms.tools import Tools
from scripts.bench.grid import GRID, OUTSIDE


def place(names: list[str], tools: Tools) -> dict[str, Any]:
    """Counts and placements of every core on every device."""
    versions = {tool: tools.version(tool) for tool in ("yosys", "nextpnr-ecp5", "nextpnr-ice40")}
    found: dict[str, Any] = {"tools": versions}
    for device_name in names:
        target = find_device(device_name)
        rows = found[device_name] = {}
        for name, op in {**GRID, **OUTSIDE}.items():
            with tempfile.TemporaryDirectory() as folder:
                core = op.core(target)
                clock = target.default_clock_mhz
                placed = place_core(core, target, tools, Path(folder), clock_mhz=clock).placed[0]
            rows[name] = {
                "count": asdict(op.cost(target)),
                "placed": {
                    "lut4": placed.lut4.used,
                    "ff": placed.ff.used,
                    "ram_blocks": placed.ram_blocks.used,
                    "dsp": placed.dsp.used,
                },
            }
            print(device_name, name, rows[name], file=sys.stderr, flush=True)
    return found


def fit(rows: dict[str, Any], target: Device) -> tuple[str, float]:
    """The coefficient of a family, the median over the grid: cells per LUT beside carry chains, or
    the share of flip-flops, or of LUTs that one may follow, that finds room in a cell of the
    other."""
    found = []
    for name in GRID:
        count, placed = Count(**rows[name]["count"]), rows[name]["placed"]["lut4"]
        logic = count.lut + count.mux
        if not target.wide_carry:
            logic += count.add
            found.append((logic + count.ff - placed) / min(logic - count.loose, count.ff))
        elif logic > count.add // 10:
            found.append((placed - count.add - 4 * count.chains) / logic)
    return ("cells per LUT" if target.wide_carry else "shared cells"), median(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", action="append")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--refit", type=Path)
    arguments = parser.parse_args()
    names = arguments.device or ["ecp5-25f", "up5k"]
    if arguments.refit:
        found = json.loads(arguments.refit.read_text())
    else:
        found = place(names, Tools(os.environ))
    if arguments.write:
        arguments.write.write_text(json.dumps(found, indent=1) + "\n")
    worst = 0.0
    for name in names:
        target = find_device(name)
        what, value = fit(found[name], target)
        print(f"{name}: {what} {value:.2f}")
        for core, row in found[name].items():
            estimate = price(Count(**row["count"]), target).lut4
            error = estimate / row["placed"]["lut4"] - 1
            outside = core in OUTSIDE
            worst = max(worst, abs(error)) if outside else worst
            print(
                f"{'outside' if outside else 'grid':8} {core:24} estimate {estimate:5}  "
                f"placed {row['placed']['lut4']:5}  {error:+.1%}"
            )
    print(f"farthest outside the grid: {worst:.1%}")
    return int(worst > 0.1)


if __name__ == "__main__":
    sys.exit(main())

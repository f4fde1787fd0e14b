#!/usr/bin/env python3
"""Places a grid of cores alone, fits the coefficients of `cores.cost.price`, and tries them on
cores that were drawn at random.

    python -m scripts.calibrate_cost [--device D ...] [--write FILE] [--refit FILE]

`--write` keeps what was placed, with tool versions; `--refit` fits such a file again without
placing anything. Exit status 1 if a drawn core is estimated more than a tenth beside its cells, or
if any core takes other hard blocks than estimated.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from cores.cost import Count, price
from platforms.device import Device
from platforms.devices import device as find_device
from platforms.out_of_context import place_core
from platforms.tools import Tools
from scripts.bench.grid import GRID
from scripts.bench.held_out import held_out

HELD_OUT = held_out()


def place(names: list[str], tools: Tools) -> dict[str, Any]:
    """Placements of every core on every device."""
    versions = {tool: tools.version(tool) for tool in ("yosys", "nextpnr-ecp5", "nextpnr-ice40")}
    found: dict[str, Any] = {"tools": versions}
    for device_name in names:
        target = find_device(device_name)
        rows = found[device_name] = {}
        for name, op in {**GRID, **HELD_OUT}.items():
            with tempfile.TemporaryDirectory() as folder:
                core = op.core(target)
                clock = target.default_clock_mhz
                placed = place_core(core, target, tools, Path(folder), clock_mhz=clock).placed[0]
            rows[name] = {
                "lut4": placed.lut4.used,
                "ff": placed.ff.used,
                "ram_blocks": placed.ram_blocks.used,
                "dsp": placed.dsp.used,
            }
            print(device_name, name, rows[name], file=sys.stderr, flush=True)
    return found


def fit(rows: dict[str, Any], target: Device) -> tuple[str, float]:
    """The coefficient of a family, the median over the grid: cells per LUT beside carry chains, or
    the share of flip-flops, or of LUTs that one may follow, that finds room in a cell of the
    other."""
    found = []
    for name, op in GRID.items():
        count, placed = op.cost(target), rows[name]["lut4"]
        logic = count.lut + count.mux
        if target.cells.shared is not None:
            logic += count.add
            found.append((logic + count.ff - placed) / min(logic - count.loose, count.ff))
        elif logic > count.add // 10:
            found.append(
                (placed - price(Count(add=count.add, ends=count.ends), target).lut4) / logic
            )
    return ("cells per LUT" if target.cells.shared is None else "shared cells"), median(found)


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
    print(*(f"{tool}: {version}" for tool, version in found["tools"].items()), sep="\n")
    worst, exact = 0.0, True
    for name in names:
        target = find_device(name)
        what, value = fit(found[name], target)
        print(f"{name}: {what} {value:.2f}")
        for core, op in {**GRID, **HELD_OUT}.items():
            row, estimate = found[name][core], price(op.cost(target), target)
            error = estimate.lut4 / row["lut4"] - 1
            if core in HELD_OUT:
                worst = max(worst, abs(error))
            blocks = [
                f"{getattr(estimate, kind)} {kind}, placed {row[kind]}"
                for kind in ("ram_blocks", "dsp")
                if getattr(estimate, kind) != row[kind]
            ]
            exact &= not blocks
            print(
                f"{'drawn' if core in HELD_OUT else 'grid':6} {core:24} "
                f"estimate {estimate.lut4:5}  placed {row['lut4']:5}  {error:+.1%}",
                *blocks,
                sep="  ",
            )
    print(f"farthest of those drawn: {worst:.1%}; hard blocks {'exact' if exact else 'not exact'}")
    return int(worst > 0.1 or not exact)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Places every core of a folded design alone and compares it with its estimate.

The sums over all cores give the coefficients of `cores.cost.price`. A minute or two per device.

    python scripts/calibrate_cost.py [DESIGN] [--board B ...] [--json]
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from cores.cost import price
from hwgen.design import Goal, load_design
from hwgen.prepare import load, prepare
from platforms.boards import board as find_board
from platforms.out_of_context import place_core
from platforms.tools import Tools


def rows(design_path: Path, board_name: str) -> list[dict]:
    """One row per core: estimate and placement."""
    design, board = load_design(design_path), find_board(board_name)
    device = board.device
    prepared = prepare(
        load(design.model, design.input_type),
        device,
        clock_mhz=device.default_clock_mhz,
        goal=Goal(design.goal.fps),
    )
    found = []
    for node in prepared.folded:
        count = node.op.cost(device)
        with tempfile.TemporaryDirectory() as folder:
            core = place_core(
                node.op.core(device),
                device,
                Tools(os.environ),
                Path(folder),
                clock_mhz=device.default_clock_mhz,
            )
        placed = core.placed[0]
        estimate = price(count, device)
        found.append(
            {
                "node": node.name,
                "unit": type(node.op).__name__,
                "board": board.name,
                "counted": count.lut + count.add + count.mux,
                "counted_ff": count.ff,
                "estimate": estimate.lut4,
                "placed": placed.lut4.used,
                "placed_ff": placed.ff.used,
                "ram_blocks": [estimate.ram_blocks, placed.ram_blocks.used],
            }
        )
        print(
            f"{board.name:12} {node.name:40} {found[-1]['unit']:15} "
            f"counted {found[-1]['counted']:5} "
            f"+ {count.ff:4} FF  estimate {estimate.lut4:5}  placed {placed.lut4.used:5} "
            f"+ {placed.ff.used:4} FF",
            file=sys.stderr,
            flush=True,
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("design", type=Path, nargs="?", default=Path("designs/digits_mlp"))
    parser.add_argument("--board", action="append")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    for board in arguments.board or ("icebreaker", "ulx3s-25f"):
        of_board = rows(arguments.design, board)
        estimate, placed = (sum(row[key] for row in of_board) for key in ("estimate", "placed"))
        print(
            f"{board}: estimate {estimate}, placed {placed}, ratio {estimate / placed:.3f}",
            file=sys.stderr,
        )
        found += of_board
    if arguments.json:
        print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

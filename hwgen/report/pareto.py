"""Terminal view of the foldings that `hwgen explore` finds."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

_COLUMNS = {
    "lut4": "LUT4",
    "ff": "FF",
    "ram_blocks": "block RAM",
    "spram": "SPRAM",
    "dsp": "DSP",
}


def show(record: Mapping[str, Any], console: Console) -> None:
    """One line for each folding, the slowest first; kinds that the device lacks are left out."""
    points = record["points"]
    have = {
        name: points[0]["resources"][name]["available"]
        for name in _COLUMNS
        if points[0]["resources"][name]["available"]
    }
    heads = ["--fps", "frames/s", "cycles", "latency", *(_COLUMNS[name] for name in have)]
    lines = [heads]
    for point in points:
        used = [point["resources"][name]["used"]["value"] for name in have]
        lines.append(
            [
                f"{point['fps']:.15g}",
                f"{point['frames_per_second']['value']:,.1f}",
                str(point["cycles_per_frame"]["value"]),
                str(point["latency_cycles"]["value"]),
                *map(str, used),
            ]
        )
    lines.append(["on the device", "", "", "", *map(str, have.values())])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    console.print(
        f"{record['model']['name']} on {record['board'] or record['device']} at "
        f"{record['clock_mhz']:g} MHz, estimated",
        highlight=False,
    )
    for line in lines:
        text = "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
        console.print(text.rstrip(), highlight=False, soft_wrap=True)

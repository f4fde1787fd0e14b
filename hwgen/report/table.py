"""The terminal view of a record."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

FIGURES = (
    ("cycles_per_frame", "cycles per frame", "{:,}"),
    ("latency_cycles", "latency", "{:,} cycles"),
    ("latency_us", "latency", "{:.2f} µs"),
    ("clock_mhz", "clock", "{:g} MHz"),
    ("fmax_mhz", "Fmax", "{:.1f} MHz"),
    ("frames_per_second", "frames per second", "{:,.0f}"),
    ("mac_utilisation", "MAC utilisation", "{:.0%}"),
    ("accuracy", "accuracy", "{:.2%}"),
)
RESOURCE_NAMES = {
    "lut4": "LUT4",
    "ff": "FF",
    "carry": "carry cells",
    "ram_blocks": "block RAM",
    "spram": "SPRAM",
    "dsp": "DSP",
}


def show(record: Mapping[str, Any], console: Console) -> None:
    """Prints layers, resources and figures, each number with its evidence."""
    console.print(_layers(record))
    console.print(_resources(record))
    if unpriced := record.get("unpriced"):
        console.print(f"without a price, not counted: {', '.join(unpriced)}", soft_wrap=True)
    console.print(_figures(record))
    if record.get("bit_exact"):
        console.print(_rungs(record))
    if record.get("stored_outputs"):
        console.print(_stored_outputs(record))
    if "bitstream" in record:
        console.print(f"bitstream  {record['bitstream']}", soft_wrap=True, highlight=False)


def show_core(record: Mapping[str, Any], console: Console) -> None:
    """Prints what one core takes and reaches."""
    console.print(
        f"{record['core']} on {record['device']}: {record['frames_compared']} frames equal the op, "
        "as RTL and as netlist",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_resources(record))
    console.print(_figures(record))


def _layers(record: Mapping[str, Any]) -> Table:
    table = Table(title=f"{record['model']['name']} on {record['board'] or record['device']}")
    for name in ("layer", "unit", "shape", "folding", "cycles"):
        right = name in ("shape", "cycles")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for layer in record["layers"]:
        table.add_row(
            layer["name"],
            layer["op"],
            layer["shape"],
            layer["folding"],
            f"{layer['cycles']['value']:,}",
        )
    return table


def _resources(record: Mapping[str, Any]) -> Table:
    table = Table()
    for name in ("resource", "used", "available", "share", "evidence"):
        table.add_column(name, justify="left" if name in ("resource", "evidence") else "right")
    for key, label in RESOURCE_NAMES.items():
        if key not in record["resources"]:
            continue
        used, available = record["resources"][key]["used"], record["resources"][key]["available"]
        if available:
            share = f"{used['value'] / available:.1%}"
            table.add_row(label, f"{used['value']:,}", f"{available:,}", share, used["evidence"])
    return table


def _figures(record: Mapping[str, Any]) -> Table:
    table = Table()
    for name in ("figure", "value", "evidence"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for key, label, form in FIGURES:
        if record.get(key) is not None:
            table.add_row(label, form.format(record[key]["value"]), record[key]["evidence"])
    if pruned := _pruned(record):
        table.add_row("weights that are 0", pruned, "estimated")
    if energy := record.get("energy"):
        low, high = (1e6 * bound for bound in energy["value"])
        table.add_row(
            "energy per frame, core rail", f"{low:.3g} to {high:.3g} µJ", energy["evidence"]
        )
    return table


def _pruned(record: Mapping[str, Any]) -> str:
    """Their share, and what they spare; empty if there are none."""
    layers = [layer for layer in record.get("layers", ()) if layer.get("zero_weights")]
    if not layers:
        return ""
    weights = sum(layer.get("weights", 0) for layer in record["layers"])
    zeros = sum(layer["zero_weights"] for layer in layers)
    spared = sum(layer["spared_lut4"]["value"] for layer in layers)
    return f"{zeros / weights:.0%}, {spared:,} LUT4 spared"


def _rungs(record: Mapping[str, Any]) -> Table:
    table = Table()
    for name in ("compared", "with", "samples", "differing elements"):
        table.add_column(name, justify="left" if name in ("compared", "with") else "right")
    for rung in record["bit_exact"]:
        table.add_row(
            rung["rung"], rung["against"], f"{rung['samples']:,}", f"{rung['mismatches']:,}"
        )
    return table


def _stored_outputs(record: Mapping[str, Any]) -> Table:
    table = Table()
    for name in ("stored outputs", "elements", "differing", "largest difference"):
        table.add_column(name, justify="left" if name == "stored outputs" else "right")
    for stored in record["stored_outputs"]:
        table.add_row(
            stored["array"],
            f"{stored['elements']:,}",
            f"{stored['differing']:,}",
            f"{stored['largest_difference']:.3g}",
        )
    return table

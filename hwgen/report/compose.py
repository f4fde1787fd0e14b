"""Builds the record of a prepared design; later steps add what they find."""

from collections.abc import Mapping
from typing import Any

from cores.cost import Resources
from cores.facets import Buffering, Costed, Sharing, macs_of
from cores.fields.pruning import Pruned
from cores.op import Op
from hwgen.prepare import Prepared
from hwgen.report.energy import energy_per_frame
from hwgen.report.record import entry, use
from platforms.device import Device
from platforms.pnr_report import Placed


def estimate_record(prepared: Prepared, *, board: str | None) -> dict[str, Any]:
    """Everything that is known without a tool: layers, cycles, rates, estimated resources."""
    timing, device = prepared.timing, prepared.device
    total = prepared.resources
    available = Resources.available(device)
    record: dict[str, Any] = {
        "model": {
            "name": prepared.loaded.model.name,
            "hash": prepared.loaded.model.hash,
        },
        "board": board,
        "device": device.name,
        "cycles_per_frame": entry(timing.interval, "estimated"),
        "latency_cycles": entry(timing.last_out, "estimated"),
        "bottleneck": list(timing.bottleneck),
        "resources": {
            name: use(getattr(total, name), getattr(available, name), "estimated")
            for name in ("lut4", "ff", "ram_blocks", "spram", "dsp")
        },
        "layers": [
            {
                "name": node.name,
                "op": type(node.op).__name__,
                "shape": _shape(node.op),
                "folding": node.op.binding(),
                "cycles": entry(node.op.cycles, "estimated"),
                "macs": macs_of(node.op),
            }
            | _pruned(prepared.pruned.get(node.name))
            for node in prepared.folded
        ],
        "buffers": [
            {
                "name": node.name,
                "depth": entry(node.op.capacity, "estimated"),
                "bits": node.op.outputs["o"].width,
            }
            for node in prepared.folded
            if isinstance(node.op, Buffering)
        ],
    }
    if unpriced := [node.name for node in prepared.folded if not isinstance(node.op, Costed)]:
        record["unpriced"] = unpriced
    if prepared.unshrunk:
        record["buffers_deeper_than_needed"] = prepared.unshrunk
    if utilisation := mac_utilisation(prepared):
        record["mac_utilisation"] = entry(utilisation, "estimated")
    set_clock(record, prepared.clock_mhz, "estimated", device)
    return record


def _pruned(found: Pruned | None) -> dict[str, Any]:
    """Of an op with weights, how many are 0 and what that spares."""
    if found is None:
        return {}
    return {
        "weights": found.weights,
        "zero_weights": found.zeros,
        "spared_lut4": entry(found.spared.lut4, "estimated"),
    }


def set_clock(record: dict[str, Any], clock_mhz: float, evidence: str, device: Device) -> None:
    """Sets the clock and everything in seconds that follows from it and the cycles."""
    cycles = record["cycles_per_frame"]["value"]
    record["clock_mhz"] = entry(clock_mhz, evidence)
    record["frames_per_second"] = entry(clock_mhz * 1e6 / cycles, evidence)
    record["latency_us"] = entry(record["latency_cycles"]["value"] / clock_mhz, evidence)
    shares = [
        item["used"]["value"] / item["available"]
        for name, item in record["resources"].items()
        if item["available"] and name != "ff"
    ]
    bounds = energy_per_frame(
        device, cycles=cycles, clock_mhz=clock_mhz, share=min(1.0, max(shares))
    )
    record["energy"] = None if bounds is None else entry(list(bounds), "estimated")


def set_placed(record: dict[str, Any], placed: Placed, clock_mhz: float, device: Device) -> None:
    """Replaces estimated resources and clock by what place-and-route reports."""
    record["resources"] = {
        name: use(getattr(placed, name).used, getattr(placed, name).available, "placed")
        for name in ("lut4", "ff", "carry", "ram_blocks", "spram", "dsp")
    }
    if placed.fmax_mhz is not None:
        record["fmax_mhz"] = entry(placed.fmax_mhz, "placed")
    record["critical_path"] = placed.critical_path
    record.pop("unpriced", None)
    set_clock(record, clock_mhz, "placed", device)


def set_cycles(record: dict[str, Any], *, interval: int, latency: int) -> None:
    """Replaces estimated cycles by simulated ones."""
    record["cycles_per_frame"] = entry(interval, "simulated")
    record["latency_cycles"] = entry(latency, "simulated")


def set_high_water(record: dict[str, Any], high_water: Mapping[str, int]) -> None:
    """Adds to each buffer the most beats that it held."""
    for buffer in record["buffers"]:
        buffer["high_water"] = entry(high_water[buffer["name"]], "simulated")


def mac_utilisation(prepared: Prepared) -> float | None:
    """Useful multiply-accumulates divided by the capacity of all multipliers over one interval."""
    useful = sum(macs_of(node.op) for node in prepared.folded)
    capacity = sum(_macs_per_cycle(node.op) for node in prepared.folded) * prepared.timing.interval
    return useful / capacity if capacity else None


def _macs_per_cycle(op: Op) -> float:
    """What its multipliers can do at most; those of one layer are never idle."""
    return op.macs_per_cycle if isinstance(op, Sharing) else macs_of(op) / op.cycles


def _shape(op: Op) -> str:
    sizes: Mapping[str, Any] = op.inputs
    ins = "+".join("x".join(map(str, kind.shape)) for kind in sizes.values())
    outs = "+".join("x".join(map(str, kind.shape)) for kind in op.outputs.values())
    return ins if ins == outs else f"{ins} -> {outs}"

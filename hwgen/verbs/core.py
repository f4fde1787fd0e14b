"""The verb `core`: the core of one operator, alone on a device."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cores.op import Op
from hwgen.errors import FitError, InputError, ToolError
from hwgen.ladder.core_check import check_netlist, check_rtl, draw_frames
from hwgen.registry import Registry
from hwgen.report.record import entry, use
from hwgen.session import Session
from platforms.devices import device as find_device
from platforms.out_of_context import place_core
from platforms.toolchain import CapacityError
from platforms.tools import StepError

DEVICE = "ecp5-25f"
"""Of cores for which no other is named."""
FRAMES = 64


def example(registry: Registry, name: str, number: int) -> Op:
    """One of the examples that an operator gives for its tests.

    Parameters
    ----------
    name : str
        Of the operator's class.
    number : int
        From 0.

    Raises
    ------
    InputError
        There is no such operator or example.
    """
    named = registry.classes["dataflow"].items()
    kinds = {name: kind for name, kind in named if issubclass(kind, Op)}
    if name not in kinds:
        raise InputError(f"operator must be one of {', '.join(sorted(kinds))}, not {name!r}")
    examples = kinds[name].examples(np.random.default_rng(0))
    if not 0 <= number < len(examples):
        raise InputError(f"example of {name} must be 0 to {len(examples) - 1}, not {number}")
    return examples[number]


def core(op: Op, name: str, session: Session) -> dict[str, Any]:
    """Checks a core against its op, as RTL and as netlist, with pauses and without; places it.

    Parameters
    ----------
    op : Op
        With one input and one output.
    name : str
        Of the device.

    Returns
    -------
    dict
        What it takes and reaches behind registers, at the device's default clock.

    Raises
    ------
    InputError
        The op has several inputs or outputs, or there is no such device.
    CheckError
        A value or a cycle is not the one that the op states.
    FitError
        The device lacks cells.
    ToolError
    """
    try:
        device = find_device(name)
    except ValueError as error:
        raise InputError(str(error)) from error
    if (list(op.inputs), list(op.outputs)) != (["i"], ["o"]):
        ports = ", ".join((*op.inputs, *op.outputs))
        raise InputError(f"ports of {type(op).__name__} must be i and o, not {ports}")
    x, tools = draw_frames(op, FRAMES), session.tools
    session.start("yosys", f"nextpnr-{device.family}")
    with tempfile.TemporaryDirectory(prefix="hwgen-") as temporary:
        folder = Path(temporary)
        try:
            with session.step("simulate the core"):
                check_rtl(op, x, cache=session.cache, tools=tools)
            with session.step("synthesise it and simulate the netlist"):
                check_netlist(
                    op, x, device, folder=folder / "netlist", cache=session.cache, tools=tools
                )
            with session.step("place and route"):
                (placed,) = place_core(
                    op.core(device),
                    device,
                    tools,
                    folder / "placed",
                    clock_mhz=device.default_clock_mhz,
                ).placed
        except CapacityError as error:
            raise FitError(
                f"{type(op).__name__} must fit {device.name}: {'; '.join(error.errors)}"
            ) from error
        except StepError as error:
            raise ToolError(str(error)) from error
    record: dict[str, Any] = {
        "core": type(op).__name__,
        "device": device.name,
        "frames_compared": len(x),
        "cycles_per_frame": entry(op.cycles, "simulated"),
        "latency_cycles": entry(op.latency, "simulated"),
        "resources": {
            name: use(getattr(placed, name).used, getattr(placed, name).available, "placed")
            for name in ("lut4", "ff", "carry", "ram_blocks", "spram", "dsp")
        },
    }
    if placed.fmax_mhz is not None:
        record["fmax_mhz"] = entry(placed.fmax_mhz, "placed")
    return record

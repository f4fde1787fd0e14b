"""What place-and-route says about a design: resources, speed and the path that limits it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from platforms.families import UsageRoom

_CARRY_PORTS = {"CIN", "COUT", "FCI", "FCO"}
_UTILISATION = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """Cells of one kind: used, and on the device."""

    used: int
    available: int


NONE = Usage(0, 0)


@dataclass(frozen=True)
class Placed:
    """A placed and routed design.

    Attributes
    ----------
    lut4 : Usage
        Cells of a LUT each, carries and LUT RAM included.
    ff : Usage
    carry : Usage
        Carry cells, which lie inside the cells of `lut4`.
    ram_blocks, spram, dsp : Usage
    clock_mhz : float or None
        Clock that was asked for; None if no path lies between flip-flops.
    fmax_mhz : float or None
        Fastest clock of that same domain.
    critical_path : str
        The slowest path inside that domain, one line per step, a carry chain being one step; empty
        without one.
    """

    lut4: Usage
    ff: Usage
    carry: Usage
    ram_blocks: Usage
    spram: Usage
    dsp: Usage
    clock_mhz: float | None
    fmax_mhz: float | None
    critical_path: str

    @property
    def meets_timing(self) -> bool:
        if self.clock_mhz is None or self.fmax_mhz is None:
            return True
        return self.fmax_mhz >= self.clock_mhz


def read_report(report: Path, cells: Mapping[str, int], room: UsageRoom) -> Placed:
    """The JSON report of nextpnr.

    Of several clocks the one with the least margin is taken.

    Parameters
    ----------
    report : Path
        Written by ``nextpnr --report``.
    cells : cell type to count
        Of the synthesised netlist: nextpnr does not report flip-flops and carries of all families.
    room : UsageRoom
        Of the device's family.
    """
    data = json.loads(report.read_text())
    usage = {bel: Usage(u["used"], u["available"]) for bel, u in data["utilization"].items()}
    resources = _by_resource(usage, room)
    logic = resources["lut4"]
    flip_flops = Usage(room.flip_flops(cells), logic.available)
    clock = min(
        data["fmax"], key=lambda c: data["fmax"][c]["achieved"] / data["fmax"][c]["constraint"],
        default=None,
    )  # fmt: skip
    timing = data["fmax"][clock] if clock else {}
    return Placed(
        lut4=logic,
        ff=resources.get("ff", flip_flops),
        carry=Usage(*room.carries(cells, logic.available)),
        ram_blocks=resources["ram_blocks"],
        spram=resources.get("spram", NONE),
        dsp=resources.get("dsp", NONE),
        clock_mhz=timing.get("constraint"),
        fmax_mhz=timing.get("achieved"),
        critical_path=_critical_path(data["critical_paths"], clock),
    )


def utilisation_in_log(log: str, room: UsageRoom) -> dict[str, Usage]:
    """Resources that nextpnr's log says a design needs, placed or not.

    The report exists only after routing; this table is printed before placement.
    """
    usage = {bel: Usage(int(u), int(a)) for bel, u, a in _UTILISATION.findall(log)}
    return _by_resource(usage, room) if usage else {}


def _by_resource(usage: Mapping[str, Usage], room: UsageRoom) -> dict[str, Usage]:
    return {name: usage.get(bel, NONE) for name, bel in room.BELS.items()}


def _critical_path(paths: list[dict[str, Any]], clock: str | None) -> str:
    for path in paths:
        if clock and path["from"] == path["to"] == f"posedge {clock}":
            runs = groupby(path["path"], key=lambda step: step["to"]["port"] in _CARRY_PORTS)
            return "\n".join(
                line
                for carry, steps in runs
                for line in ([_carry(list(steps))] if carry else map(_step, steps))
            )
    return ""


def _step(step: dict[str, Any]) -> str:
    net = f" by {step['net']}" if "net" in step else ""
    return f"{step['delay']:6.2f} ns {step['type']:8s} {_place(step)}{net}"


def _carry(steps: list[dict[str, Any]]) -> str:
    delay = sum(step["delay"] for step in steps)
    return f"{delay:6.2f} ns carry    {_place(steps[-1])} in {len(steps)} steps"


def _place(step: dict[str, Any]) -> str:
    to = step["to"]
    x, y = to["loc"]
    return f"{to['cell']}.{to['port']} at {x},{y}"

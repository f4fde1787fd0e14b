"""Netlists for tests: written by hand in yosys' JSON, or synthesised."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from hwgen.simulators.netlist import GateNetlist
from platforms.tools import Tools

Nets = Mapping[str, str | int | Sequence[str | int]]


class Builder:
    """Collects cells and ports; nets go by names such as ``a`` and ``a[3]``, constants by 0 and
    1."""

    def __init__(self):
        self._numbers: dict[str, int] = {}
        self._cells: dict[str, dict] = {}
        self._ports: dict[str, dict] = {}

    def bits(self, name: str, width: int) -> list[str]:
        return [f"{name}[{k}]" for k in range(width)] if width > 1 else [name]

    def port(self, name: str, direction: str, width: int = 1) -> None:
        bits = [self._bit(bit) for bit in self.bits(name, width)]
        self._ports[name] = {"direction": direction, "bits": bits}

    def stream(self, width_in: int, width_out: int, source: Sequence[str | int]) -> None:
        """A stream in and a stream out whose beats move in every cycle."""
        self.port("i__payload", "input", width_in)
        self.port("i__valid", "input")
        self.port("o__ready", "input")
        self._ports["i__ready"] = {"direction": "output", "bits": ["1"]}
        self._ports["o__valid"] = {"direction": "output", "bits": ["1"]}
        assert len(source) == width_out
        bits = [self._bit(bit) for bit in source]
        self._ports["o__payload"] = {"direction": "output", "bits": bits}
        self.port("clk", "input")

    def cell(self, kind: str, pins: Nets, **parameters: str | int) -> None:
        connections = {
            pin: [self._bit(b) for b in ([bits] if isinstance(bits, str | int) else bits)]
            for pin, bits in pins.items()
        }
        values = {
            name: value if isinstance(value, str) else f"{value:032b}"
            for name, value in parameters.items()
        }
        self._cells[f"u{len(self._cells)}"] = {
            "type": kind,
            "parameters": values,
            "attributes": {},
            "connections": connections,
        }

    def load(self, folder: Path) -> GateNetlist:
        nets = {name: {"bits": [number]} for name, number in self._numbers.items()}
        module = {
            "attributes": {"top": "1"},
            "ports": self._ports,
            "cells": self._cells,
            "netnames": nets,
        }
        path = folder / "netlist.json"
        path.write_text(json.dumps({"modules": {"top": module}}))
        own = {cell["type"].startswith("SB_") for cell in self._cells.values()}
        return GateNetlist.load(path, "ice40" if own == {True} else "ecp5")

    def _bit(self, bit: str | int) -> str | int:
        if bit in (0, 1, "x", "z"):
            return str(bit)
        return self._numbers.setdefault(str(bit), len(self._numbers) + 2)


def family_of(command: str) -> str:
    """Whose cells a command of yosys makes."""
    return "ice40" if "ice40" in command else "ecp5"


def synthesise(component: Component, command: str, tools: Tools, folder: Path) -> Path:
    """The JSON netlist that a yosys command such as ``synth_ecp5`` makes of a component."""
    (folder / "top.il").write_text(rtlil.convert(component, emit_src=False))
    # A wire named like one bit of a port stops yosys after technology mapping.
    script = f"read_rtlil top.il; rename -hide w:*[[]*; {command} -top top; write_json top.json"
    arguments = ["-q", "-l", "full.log", "-p", script]
    tools.run("yosys", arguments, step="synthesis", log=folder / "yosys.log")
    return folder / "top.json"

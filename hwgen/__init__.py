"""Quantized ONNX models to streaming accelerators on open FPGA boards; names load when used."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Accelerator": "hwgen.host.driver",
    "Design": "hwgen.design",
    "Goal": "hwgen.design",
    "HwgenError": "hwgen.errors",
    "Session": "hwgen.session",
    "build": "hwgen.verbs.building",
    "emulate": "hwgen.verbs.flow",
    "estimate": "hwgen.verbs.flow",
    "explore": "hwgen.folding.explore",
    "inspect": "hwgen.verbs.flow",
    "load_design": "hwgen.design",
    "simulate": "hwgen.verbs.flow",
}
__all__ = list(_PUBLIC)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hwgen' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)

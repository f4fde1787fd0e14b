"""Amaranth's RTLIL back end."""

from collections.abc import Sequence
from importlib import import_module

from amaranth.hdl import Elaboratable, Value


def convert(design: Elaboratable, *, ports: Sequence[Value] | None = None) -> str:
    """RTLIL of a design as module `top`.

    The places of its sources are left out: the text, and so the key of a cache, is the hardware's.

    Parameters
    ----------
    ports : sequence of Value, optional
        Of a design that is no `Component`.
    """
    rtlil = import_module("amaranth.back.rtlil")  # amaranth-stubs does not know the module
    return rtlil.convert(design, name="top", ports=ports, emit_src=False)

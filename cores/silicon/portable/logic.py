"""Registers and small memories as yosys makes them."""

from amaranth.hdl import Module, Signal, Value

RAM_STYLE = "registers"


def kept_register(m: Module, name: str, value: Value, *, init: int) -> Signal:
    register = Signal(init=init, name=name)
    m.d.sync += register.eq(value)
    return register


def ram_cells(words: int, width: int) -> int:
    """A register per bit."""
    return words * width

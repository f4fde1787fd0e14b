"""Constants that depend on which layer is running."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value

from cores.types import IntType


def by_layer(m: Module, layer: Signal, entries: Sequence[int], name: str) -> Value:
    """The entry of the layer that is running; a constant where all are equal.

    Parameters
    ----------
    entries : sequence of int
        One per layer.
    """
    shape = IntType(min(entries), max(entries)).shape
    if len(set(entries)) == 1:
        return Const(entries[0], shape)
    value = Signal(shape, name=name)
    with m.Switch(layer):
        for number, entry in enumerate(entries):
            with m.Case(number):
                m.d.comb += value.eq(entry)
    return value

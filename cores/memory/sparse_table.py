"""Tables of constants most of whose entries repeat, as logic: only what differs is decoded."""

import numpy as np
from amaranth.hdl import Module, Signal, Value


def lookup(m: Module, table: np.ndarray, row: Value, column: Value) -> Signal:
    """The entry of a table of non-negative numbers, (rows, columns), that two numbers select."""
    found = Signal(range(int(table.max()) + 1))
    patterns, which, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    usual = int(counts.argmax())
    which = which.ravel()
    with m.Switch(row):
        for number in range(len(patterns)):
            if number != usual:
                with m.Case(*map(int, np.flatnonzero(which == number))):
                    _choose(m, found, patterns[number], column)
        with m.Default():
            _choose(m, found, patterns[usual], column)
    return found


def _choose(m: Module, found: Signal, entries: np.ndarray, number: Value) -> None:
    values, which, counts = np.unique(entries, return_inverse=True, return_counts=True)
    usual = int(counts.argmax())
    with m.Switch(number):
        for k, value in enumerate(values.tolist()):
            if k != usual:
                with m.Case(*map(int, np.flatnonzero(which == k))):
                    m.d.comb += found.eq(value)
        with m.Default():
            m.d.comb += found.eq(int(values[usual]))

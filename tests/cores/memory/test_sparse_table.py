import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.memory.sparse_table import lookup

TABLES = [
    np.array([[3, 3, 3], [3, 0, 3], [3, 3, 3], [7, 0, 1]]),
    np.array([[1]]),
    np.zeros((2, 2), np.int64),
    np.arange(12).reshape(3, 4),
]


@pytest.mark.parametrize("table", TABLES)
def test_gives_every_entry(table):
    rows, columns = table.shape
    row, column = Signal(range(rows + 1)), Signal(range(columns + 1))
    m = Module()
    found = lookup(m, table, row, column)
    seen = np.empty_like(table)

    async def bench(ctx):
        for place in np.ndindex(rows, columns):
            ctx.set(row, place[0])
            ctx.set(column, place[1])
            seen[place] = ctx.get(found)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert (seen == table).all()

import pytest
from amaranth.hdl import Const, Elaboratable, Module, Signal

from cores.engine.table import by_layer
from cores.types import IntType
from tests.cores.engine.parts import run


@pytest.mark.parametrize("entries", [[3, 3, 3], [0, 5, -2], [7, 0, 7]])
def test_gives_the_entry_of_the_layer_that_runs(entries):
    m, layer, found = Module(), Signal(range(3)), Signal(8)
    value = by_layer(m, layer, entries, "value")
    m.d.comb += found.eq(value)
    seen = []

    async def bench(ctx):
        for number in range(3):
            ctx.set(layer, number)
            seen.append(ctx.get(found.as_signed()))

    run(m, bench)
    assert seen == entries
    assert value.shape() == IntType(min(entries), max(entries)).shape


def test_equal_entries_take_no_logic():
    m, found = Module(), []

    class Part(Elaboratable):
        def elaborate(self, platform):
            found.append(by_layer(m, Signal(2), [4, 4, 4], "value"))
            return m

    async def bench(ctx):
        pass

    run(Part(), bench)
    assert isinstance(found[0], Const)

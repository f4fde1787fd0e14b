import pytest
from amaranth.sim import Simulator

from cores.memory import line_buffer
from cores.memory.line_buffer import LineBuffer
from platforms.devices import device

UP5K, ECP5 = device("up5k"), device("ecp5-25f")
KINDS = [
    (4, 4, UP5K, "registers"),
    (100, 8, UP5K, "block"),
    (20, 8, ECP5, "lutram"),
    (2000, 8, ECP5, "block"),
]


@pytest.mark.parametrize(("words", "width", "target", "kind"), KINDS)
def test_kind_follows_from_size(words, width, target, kind):
    assert line_buffer.storage(words, width, target) == kind


def test_is_rounded_where_that_costs_nothing():
    assert line_buffer.rounded(1152, 9, ECP5) == 2048
    assert line_buffer.rounded(1152, 36, ECP5) == 1152
    assert line_buffer.rounded(20, 8, ECP5) == 32
    assert line_buffer.rounded(36, 8, ECP5) == 36
    assert line_buffer.rounded(5, 4, UP5K) == 5
    assert line_buffer.rounded(1152, 9, None) == 1152


def test_gives_what_was_written_before():
    lines = LineBuffer(5, 8)
    found = []

    async def bench(ctx):
        ctx.set(lines.write, 1)
        for k in range(5):
            ctx.set(lines.write_address, k)
            ctx.set(lines.write_data, 10 + k)
            ctx.set(lines.read, k > 0)
            ctx.set(lines.address, k - 1)
            await ctx.tick()
            found.append(ctx.get(lines.data))
        ctx.set(lines.read, 0)
        ctx.set(lines.address, 0)
        await ctx.tick()
        found.append(ctx.get(lines.data))

    simulator = Simulator(lines)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [0, 10, 11, 12, 13, 13]

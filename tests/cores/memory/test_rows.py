from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.memory.rows import Column, rows_cost, rows_from_block, rows_from_logic
from platforms.devices import DEVICES

COLUMNS = (Column((3, -4, 0)), Column((1, 0, 1)))


def seen(read, taken_cycles: list[int]) -> list[tuple[int, ...]]:
    """Values of the columns in each cycle, beats being taken in the given ones."""
    m = Module()
    taken = Signal()
    rows = read(m, taken)
    values = []

    async def bench(ctx):
        for cycle in range(max(taken_cycles) + 4):
            ctx.set(taken, cycle in taken_cycles)
            values.append(tuple(ctx.get(rows[column]) for column in COLUMNS))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return values


def test_row_stands_ready_for_the_next_beat_and_turns_round():
    values = seen(lambda m, taken: rows_from_logic(m, COLUMNS, taken), [1, 2, 4, 5])
    assert values[:7] == [(3, 1), (3, 1), (-4, 0), (0, 1), (0, 1), (3, 1), (-4, 0)]


def test_row_from_block_ram_follows_two_cycles_later():
    def read(m, taken):
        return rows_from_block(m, COLUMNS, taken, enable=1)

    values = seen(read, [0, 1, 2, 3])
    assert values[2:6] == [(3, 1), (-4, 0), (0, 1), (3, 1)]


def test_signs_and_constants():
    assert Column((-4, 3)).shape.signed and Column((-4, 3)).shape.width == 3
    assert Column((7, 7, 7)).fixed and not Column((7, 8)).fixed


def test_equal_bits_are_counted_once():
    # Bits 0 and 1 of the first column are the same function of the beat; bit 2 is constant.
    device = DEVICES["up5k"]
    count = rows_cost((Column((4, 7)), Column((0, 1))), device, block=False)
    assert count.mux == 1
    assert rows_cost((Column((4, 7)),), device, block=True).ram_blocks == 1
    assert rows_cost((), device, block=False).lut == 0

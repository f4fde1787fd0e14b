import numpy as np
import pytest
from amaranth.sim import Simulator

from cores.beats import to_beats, to_words
from cores.choices import Block, Logic
from cores.fifo import FIFO, Buffer
from cores.sim import Bench
from cores.types import IntType, StreamType
from platforms.devices import DEVICES

STREAM = StreamType((20,), IntType(0, 31))
WORDS = to_words(to_beats(np.arange(20)[None], STREAM), STREAM)
UP5K, ECP5_25F = DEVICES["up5k"], DEVICES["ecp5-25f"]
SIZES = [(1, Logic()), (2, Logic()), (3, Logic()), (8, Logic()), (4, Block()), (9, Block())]


@pytest.mark.parametrize(("capacity", "memory"), SIZES)
def test_stores_exactly_its_capacity(capacity, memory):
    op = Buffer(STREAM, capacity, memory=memory)
    bench = Bench(op, op.core())
    bench.shut.add("o")

    def plan():
        bench.feed("i", WORDS[:1])
        for _ in range(8):
            yield
        bench.feed("i", WORDS[1:])
        for _ in range(40):
            yield

    bench.run(plan())
    assert len(bench.sources["i"].taken) == capacity


@pytest.mark.parametrize(("capacity", "memory"), SIZES)
def test_high_water_mark_is_the_most_that_was_stored(capacity, memory):
    core = FIFO(Buffer(STREAM, capacity, memory=memory), watched=True)
    most = min(3, capacity)
    marks = []

    async def bench(ctx):
        ctx.set(core.i.valid, 1)
        for _ in range(most):
            await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)
        marks.append(ctx.get(core.high_water))
        ctx.set(core.o.ready, 1)
        await ctx.tick().repeat(10)
        marks.append(ctx.get(core.high_water))
        marks.append(ctx.get(core.o.valid))

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert marks == [most, most, 0]


@pytest.mark.parametrize(("capacity", "memory"), SIZES[1:])
def test_ready_is_a_register(capacity, memory):
    core = Buffer(STREAM, capacity, memory=memory).core()
    seen = []

    async def bench(ctx):
        ctx.set(core.i.valid, 1)
        for _ in range(2 * capacity + 4):
            await ctx.tick()
        for ready in (0, 1):
            ctx.set(core.o.ready, ready)
            seen.append((ctx.get(core.i.ready), ctx.get(core.o.valid)))

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [(0, 1), (0, 1)]


def test_small_buffers_stay_out_of_block_ram():
    assert isinstance(Buffer.cheapest(STREAM, 3, UP5K).memory, Logic)
    assert isinstance(Buffer.cheapest(STREAM, 200, UP5K).memory, Block)
    assert isinstance(Buffer.cheapest(STREAM, 16, ECP5_25F).memory, Logic)
    assert isinstance(Buffer.cheapest(STREAM, 2000, ECP5_25F).memory, Block)


@pytest.mark.parametrize(
    ("capacity", "memory", "message"),
    [
        (0, Logic(), "capacity of a Buffer in logic must be at least 1 beats, not 0"),
        (3, Block(), "capacity of a Buffer in block must be at least 4 beats, not 3"),
    ],
)
def test_rejects_a_capacity_that_is_too_small(capacity, memory, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Buffer(STREAM, capacity, memory=memory)

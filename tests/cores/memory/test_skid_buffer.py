import random

from amaranth.sim import Simulator

from cores.memory.skid_buffer import SkidBuffer


def test_worked_example():
    # Two beats fit while the output is shut; both leave in order, and room is seen a cycle later.
    core = SkidBuffer(8)
    trace = []

    async def bench(ctx):
        ctx.set(core.i.valid, 1)
        for cycle in range(7):
            ctx.set(core.i.payload, cycle)
            ctx.set(core.o.ready, cycle >= 4)
            shown = ctx.get(core.o.payload) if ctx.get(core.o.valid) else None
            trace.append((ctx.get(core.i.ready), shown))
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert trace == [(1, None), (1, 0), (0, 0), (0, 0), (0, 0), (1, 1), (1, 5)]


def test_keeps_order_and_rate_under_stalls():
    core = SkidBuffer(16)
    rng = random.Random(5)
    sent, came = [], []
    wires = []

    async def bench(ctx):
        for cycle in range(600):
            stalled = 100 <= cycle < 500
            if not ctx.get(core.i.valid) or ctx.get(core.i.ready):
                ctx.set(core.i.valid, not stalled or rng.random() < 0.6)
                ctx.set(core.i.payload, rng.getrandbits(16))
            before = ctx.get(core.i.ready), ctx.get(core.o.valid)
            ctx.set(core.o.ready, not stalled or rng.random() < 0.6)
            wires.append(before == (ctx.get(core.i.ready), ctx.get(core.o.valid)))
            if ctx.get(core.i.valid) and ctx.get(core.i.ready):
                sent.append(ctx.get(core.i.payload))
            if ctx.get(core.o.valid) and ctx.get(core.o.ready):
                came.append((cycle, ctx.get(core.o.payload)))
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(wires), "neither ready nor valid may follow the other side's signals at once"
    assert [payload for _, payload in came] == sent[: len(came)]
    assert 0 <= len(sent) - len(came) <= 2
    assert [cycle for cycle, _ in came if cycle < 100] == list(range(1, 100))

import random

import pytest

from cores.link.staging import FrameSink, FrameSource, LatencyMeter, frame_bytes
from cores.types import IntType, StreamType
from tests.cores.link.streams import Streams

PATIENCE = 200
LINKS = [
    StreamType((6,), IntType.parse("u8")),
    StreamType((12,), IntType.parse("u2"), 4),
    StreamType((5,), IntType.parse("u13")),
    StreamType((3,), IntType.parse("u24")),
    StreamType((1,), IntType.parse("u1")),
]


def beats_of(data, link):
    size = len(data) // link.beats
    words = [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]
    return [word & (1 << link.width) - 1 for word in words]


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_source_plays_what_was_written_as_often_as_asked(link, stall):
    dut = FrameSource(link)
    bench = Streams(dut, stall=stall, seed=2)
    bench.receive(dut.o)
    first, second = (random.Random(seed).randbytes(frame_bytes(link)) for seed in (1, 2))
    observed = []

    async def fill(ctx, data):
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        for byte in data:
            ctx.set(dut.write, 1)
            ctx.set(dut.data, byte)
            await ctx.tick()
            observed.append(ctx.get(dut.full))
        ctx.set(dut.write, 0)
        await ctx.tick()
        observed.append(ctx.get(dut.full))

    async def drive(ctx):
        for data, plays in ((first, 2), (second, 1)):
            await fill(ctx, data)
            for _ in range(plays):
                done = len(bench.received) + link.beats
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                for _ in range(PATIENCE):
                    if len(bench.received) < done:
                        await ctx.tick()
        await ctx.tick().repeat(20)

    bench.drive(drive)
    assert bench.run() == [*beats_of(first, link) * 2, *beats_of(second, link)]
    size = frame_bytes(link)
    assert observed[:size] == [0] * size
    assert observed[size] == observed[-1] == 1


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_sink_takes_one_frame_and_keeps_it(link, stall):
    dut = FrameSink(link)
    bench = Streams(dut, stall=stall, seed=3)
    rng = random.Random(4)
    beats = [rng.randrange(1 << link.width) for _ in range(2 * link.beats)]
    bench.send(dut.i, beats)
    size = frame_bytes(link)
    found = []

    async def drive(ctx):
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.i.ready)
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await ctx.tick()
            for _ in range(PATIENCE):
                if not ctx.get(dut.done):
                    await ctx.tick()
            await ctx.tick().repeat(20)
            frame = []
            for address in range(size):
                ctx.set(dut.address, address)
                await ctx.tick()
                frame.append(ctx.get(dut.data))
            found.append(beats_of(bytes(frame), link))

    bench.drive(drive)
    bench.run()
    assert found == [beats[: link.beats], beats[link.beats :]]


def test_meter_counts_from_the_first_beat_in_to_the_last_out():
    dut = LatencyMeter(2, width=8)
    bench = Streams(dut)
    found = []

    async def drive(ctx):
        for entering, leaving in (({2, 3, 9}, {5, 8}), ({0, 1}, {1, 2}), ({4}, {6, 12})):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for cycle in range(16):
                ctx.set(dut.enter, cycle in entering)
                ctx.set(dut.leave, cycle in leaving)
                await ctx.tick()
            found.append(ctx.get(dut.cycles))

    bench.drive(drive)
    bench.run()
    assert found == [6, 2, 8]

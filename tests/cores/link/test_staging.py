import random

import pytest

from cores.link.staging import (
    FrameSink,
    FrameSource,
    LatencyMeter,
    beat_bytes,
    choose_batch,
    frame_bytes,
    link_stream,
)
from cores.types import IntType, StreamType
from platforms.devices import device
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
    size = beat_bytes(link)
    words = [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]
    return [word & (1 << link.width) - 1 for word in words]


BATCHES = [(1, 1), (3, 1), (1, 2), (3, 2)]


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize(("batch", "banks"), BATCHES)
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_source_plays_what_was_written(link, batch, banks, stall):
    dut = FrameSource(link, batch=batch, banks=banks)
    bench = Streams(dut, stall=stall, seed=2)
    bench.receive(dut.o)
    rng = random.Random(1)
    wanted = []

    async def pulse(ctx, strobe, data):
        ctx.set(dut.data, data)
        ctx.set(strobe, 1)
        await ctx.tick()
        ctx.set(strobe, 0)

    async def fill(ctx, bank, data):
        await pulse(ctx, dut.clear, bank)
        for byte in data:
            await pulse(ctx, dut.write, byte)

    async def drive(ctx):
        for play in range(4):
            bank = play % banks
            data = rng.randbytes(frame_bytes(link) * rng.randint(1, batch))
            if banks == 2:
                await fill(ctx, bank, rng.randbytes(1))
                await fill(ctx, bank, data)
            for _ in range(PATIENCE * batch):
                if len(bench.received) < len(wanted):
                    await ctx.tick()
            if banks == 1:
                await fill(ctx, bank, data)
            wanted.extend(beats_of(data, link))
            ctx.set(dut.end, len(data) % (1 << len(dut.end)))
            await pulse(ctx, dut.start, bank)
        await ctx.tick().repeat(PATIENCE * batch)

    bench.drive(drive)
    assert bench.run() == wanted


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize(("batch", "banks"), BATCHES)
@pytest.mark.parametrize("link", LINKS, ids=str)
def test_sink_takes_one_batch_and_keeps_it_while_the_other_bank_fills(link, batch, banks, stall):
    dut = FrameSink(link, batch=batch, banks=banks)
    bench = Streams(dut, stall=stall, seed=3)
    rng = random.Random(4)
    counts = [batch, 1, batch]
    beats = [[rng.randrange(1 << link.width) for _ in range(n * link.beats)] for n in counts]
    bench.send(dut.i, [beat for batch_beats in beats for beat in batch_beats])
    found = []

    async def show(ctx, bank, count):
        ctx.set(dut.bank, bank)
        ctx.set(dut.rewind, 1)
        await ctx.tick()
        ctx.set(dut.rewind, 0)
        data = []
        for _ in range(count * frame_bytes(link)):
            await ctx.tick()
            data.append(ctx.get(dut.data))
            ctx.set(dut.next, 1)
            await ctx.tick()
            ctx.set(dut.next, 0)
        found.append(beats_of(bytes(data), link))

    async def drive(ctx):
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.i.ready)
        for turn, count in enumerate(counts):
            ctx.set(dut.end, count * frame_bytes(link) % (1 << len(dut.end)))
            ctx.set(dut.bank, turn % banks)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            if banks == 2 and turn:
                await show(ctx, (turn - 1) % 2, counts[turn - 1])
            for _ in range(PATIENCE * batch):
                if not ctx.get(dut.done):
                    await ctx.tick()
            await ctx.tick().repeat(20)
            if banks == 1:
                await show(ctx, 0, count)

    bench.drive(drive)
    bench.run()
    assert found == beats[: len(found)]
    assert len(found) == (3 if banks == 1 else 2)


@pytest.mark.parametrize(
    ("sent", "returned", "batch"),
    [
        ((64, "u4"), (10, "s14"), (16, 2)),
        ((784, "u8"), (10, "s14"), (1, 2)),
        ((4, "u1"), (3, "u1"), (255, 2)),
        ((64, "u8"), (400, "u8"), (1, 2)),
        ((9000, "u8"), (10, "s14"), (1, 1)),
    ],
)
def test_batches_are_of_about_half_a_kilobyte_and_two_where_memory_allows(sent, returned, batch):
    streams = [
        link_stream(StreamType((channels,), IntType.parse(dtype)))
        for channels, dtype in (sent, returned)
    ]
    assert choose_batch(*streams, device("up5k")) == batch
    assert choose_batch(*streams, None) == (batch[0], 2)


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

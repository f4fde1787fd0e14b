import random

import pytest
from amaranth.hdl import Value

from cores.link.probe import Probe
from cores.types import IntType, StreamType
from hwgen.host.pattern import as_words, checksum, pattern
from tests.cores.link.streams import Streams

PORTS = [
    (StreamType((6,), IntType.parse("u4"), 3), StreamType((4,), IntType.parse("s14"), 2)),
    (StreamType((40,), IntType.parse("u1"), 40), StreamType((3,), IntType.parse("s14"), 3)),
    (StreamType((2, 4), IntType.parse("-7..7"), 2), StreamType((1,), IntType.parse("u2"))),
    (StreamType((3,), IntType.parse("-3..0")), StreamType((10,), IntType.parse("s7"), 10)),
    (StreamType((2,), IntType.parse("5..5"), 2), StreamType((5,), IntType.parse("u1"), 5)),
]
PATIENCE = 400


def probe_bench(sent, returned, *, stall=0.0, edges=0):
    dut = Probe(sent, returned, edges=edges)
    return dut, Streams(dut, stall=stall, seed=5)


async def pulse(ctx, strobe):
    ctx.set(strobe, 1)
    await ctx.tick()
    ctx.set(strobe, 0)


@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_passes_both_streams_while_it_only_measures(stall):
    (sent, returned), rng = PORTS[0], random.Random(1)
    words = [rng.randrange(1 << sent.width) for _ in range(20)]
    results = [rng.randrange(1 << returned.width) for _ in range(20)]
    for port_in, port_out, data in (("i", "o", words), ("i_result", "o_result", results)):
        dut, bench = probe_bench(sent, returned, stall=stall)
        bench.send(getattr(dut, port_in), data)
        bench.receive(getattr(dut, port_out))
        assert bench.run(extra_cycles=100) == data


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize(("sent", "returned"), PORTS, ids=str)
def test_runs_feed_exactly_their_patterns_and_sum_what_comes_out(sent, returned, stall):
    dut, bench = probe_bench(sent, returned, stall=stall)
    link = dut.link
    runs, rng = (3, 1, 2), random.Random(9)
    results = [
        [rng.randrange(1 << returned.width) for _ in range(n * returned.beats)] for n in runs
    ]
    bench.receive(dut.o)
    found = []

    async def answer(ctx):
        """An accelerator that answers each frame once it has come."""
        for at, word in enumerate(word for words in results for word in words):
            frame = at // returned.beats
            while len(bench.received) < (frame + 1) * sent.beats or rng.random() < stall:
                await ctx.tick()
            ctx.set(Value.cast(dut.i_result.payload), word)
            ctx.set(dut.i_result.valid, 1)
            await ctx.tick().until(dut.i_result.ready)
            ctx.set(dut.i_result.valid, 0)

    async def drive(ctx):
        ctx.set(link.run, 1)
        ctx.set(dut.i.valid, 1)  # must not get in
        sums = []
        for n in runs:
            start = ctx.get(link.frames_in)
            ctx.set(link.target, start + n)
            await pulse(ctx, link.restart)
            beats = len(bench.received)
            for _ in range(PATIENCE):
                if not ctx.get(link.done):
                    await ctx.tick()
                assert not ctx.get(dut.o_result.valid) and not ctx.get(dut.i.ready)
            assert ctx.get(link.done)
            await ctx.tick().repeat(3)
            found.append(bench.received[beats:])
            sums.append(ctx.get(link.checksum))
            assert ctx.get(link.frames_in) == start + n == ctx.get(link.frames_out)
            assert ctx.get(link.times) == min(n, 3)
        assert sums == [checksum(words) for words in results]

    bench.drive(answer)
    bench.drive(drive)
    bench.run()
    dtype = sent.dtype
    for n, beats in zip(runs, found, strict=True):
        wanted = pattern(dtype.lo, dtype.hi, sent.lanes, n * sent.beats)
        assert beats == as_words(wanted, dtype.width)


async def script(ctx, dut, *, entering, leaving, cycles):
    """Beats in and out in the cycles given, nothing else for so many cycles."""
    for cycle in range(cycles):
        ctx.set(dut.i.valid, cycle in entering)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i_result.valid, cycle in leaving)
        ctx.set(dut.o_result.ready, 1)
        await ctx.tick()
    ctx.set(dut.i.valid, 0)
    ctx.set(dut.i_result.valid, 0)


async def times(ctx, link):
    found = []
    for _ in range(3):
        found.append(ctx.get(link.time))
        await pulse(ctx, link.shift)
    return found


def test_times_of_the_last_beats_count_from_the_first_beat_in():
    # Two beats in, two beats out.
    dut, bench = probe_bench(
        StreamType((2,), IntType.parse("u8")), StreamType((2,), IntType.parse("u8"))
    )
    link = dut.link

    async def drive(ctx):
        await script(ctx, dut, entering={1}, leaving={0, 2}, cycles=3)
        # Four frames: their last beats leave 3, 9, 11 and 20 cycles after the first came in.
        await pulse(ctx, link.restart)
        await script(ctx, dut, entering={5, 6}, leaving={6, 8, 13, 14, 15, 16, 17, 25}, cycles=30)
        assert ctx.get(link.times) == 3
        assert await times(ctx, link) == [3, 11, 20]
        await pulse(ctx, link.restart)
        await script(ctx, dut, entering={0}, leaving={1, 4, 5, 7}, cycles=10)
        assert ctx.get(link.times) == 2
        assert (await times(ctx, link))[1:] == [4, 7]
        await pulse(ctx, link.restart)
        await script(ctx, dut, entering={2}, leaving={1, 2}, cycles=10)
        assert ctx.get(link.times) == 1
        assert (await times(ctx, link))[2] == 0

    bench.drive(drive)
    bench.run()


def test_a_time_too_long_stands_still_and_is_marked():
    ends = StreamType((1,), IntType.parse("u8"))
    dut = Probe(ends, ends, edges=0, time_bits=4)
    bench = Streams(dut)

    async def drive(ctx):
        await pulse(ctx, dut.link.restart)
        await script(ctx, dut, entering={0}, leaving={3, 15, 16, 40}, cycles=50)
        # The third is shown last but one, and has come at 16, which 4 bits do not hold.
        assert await times(ctx, dut.link) == [3, 1 << 32, 1 << 32]

    bench.drive(drive)
    bench.run()


def test_stalls_are_counted_at_the_boundary_selected():
    dut, bench = probe_bench(
        StreamType((1,), IntType.parse("u8")), StreamType((1,), IntType.parse("u8")), edges=3
    )
    link = dut.link
    valid = {"i": 3, "i_result": 5}

    async def drive(ctx):
        for boundary, wanted in enumerate((3, 5, 7, 0, 11)):
            ctx.set(link.stream, boundary)
            ctx.set(dut.edge_stalls, 0b111)  # up to the clear: not to be counted
            await ctx.tick().repeat(3)
            await pulse(ctx, link.clear)
            for cycle in range(20):
                for port, count in valid.items():
                    ctx.set(getattr(dut, port).valid, 1)
                    ready = {"i": dut.o.ready, "i_result": dut.o_result.ready}[port]
                    ctx.set(ready, cycle >= count)
                ctx.set(dut.edge_stalls, (cycle < 7) | (cycle < 11) << 2)
                await ctx.tick()
            for port in valid:
                ctx.set(getattr(dut, port).valid, 0)
            await ctx.tick().repeat(2)
            assert ctx.get(link.stalls) == wanted

    bench.drive(drive)
    bench.run()


def test_cycles_run_from_the_reset():
    dut, bench = probe_bench(*PORTS[0])

    async def drive(ctx):
        await ctx.tick().repeat(37)
        assert ctx.get(dut.link.cycles) == 37

    bench.drive(drive)
    bench.run()

import random

import pytest
from amaranth.sim import Simulator

from cores.link.rings import RECEIVE_BYTES, TRANSMIT_BYTES, ReceiveRing, TransmitRing
from tests.cores.link.streams import Streams


def simulate(dut, process):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


async def pulse(ctx, strobe):
    ctx.set(strobe, 1)
    await ctx.tick()
    ctx.set(strobe, 0)


async def put(ctx, dut, byte):
    ctx.set(dut.i.payload, byte)
    await pulse(ctx, dut.i.valid)


async def take(ctx, dut):
    await ctx.tick()
    assert ctx.get(dut.available)
    byte = ctx.get(dut.data)
    await pulse(ctx, dut.next)
    return byte


def test_bytes_are_read_again_from_where_room_was_made():
    dut = ReceiveRing()

    async def drive(ctx):
        for byte in b"abcdef":
            await put(ctx, dut, byte)
        assert bytes([await take(ctx, dut) for _ in range(3)]) == b"abc"
        await pulse(ctx, dut.mark)
        assert bytes([await take(ctx, dut) for _ in range(2)]) == b"de"
        await pulse(ctx, dut.back)
        assert bytes([await take(ctx, dut) for _ in range(2)]) == b"ab"
        await pulse(ctx, dut.erase)
        await pulse(ctx, dut.back)
        assert bytes([await take(ctx, dut) for _ in range(3)]) == b"a\0c"
        await pulse(ctx, dut.free)
        await pulse(ctx, dut.back)
        assert bytes([await take(ctx, dut) for _ in range(3)]) == b"def"
        assert not ctx.get(dut.available)

    simulate(dut, drive)


def test_what_finds_no_room_is_lost_and_told():
    dut = ReceiveRing()
    data = random.Random(1).randbytes(3 * RECEIVE_BYTES)

    async def drive(ctx):
        for start in range(0, len(data), RECEIVE_BYTES - 1):
            chunk = data[start : start + RECEIVE_BYTES - 1]
            for byte in chunk:
                assert not ctx.get(dut.lost)
                await put(ctx, dut, byte)
            if len(chunk) == RECEIVE_BYTES - 1:
                ctx.set(dut.i.valid, 1)
                assert ctx.get(dut.lost)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
            assert bytes([await take(ctx, dut) for _ in chunk]) == chunk
            assert not ctx.get(dut.available)
            await pulse(ctx, dut.mark)
            await pulse(ctx, dut.free)

    simulate(dut, drive)


def test_a_byte_waits_while_another_is_erased():
    dut = ReceiveRing()

    async def drive(ctx):
        await put(ctx, dut, 7)
        assert await take(ctx, dut) == 7
        ctx.set(dut.erase, 1)
        ctx.set(dut.i.payload, 9)
        ctx.set(dut.i.valid, 1)
        assert not ctx.get(dut.i.ready)
        await ctx.tick()
        ctx.set(dut.erase, 0)
        assert ctx.get(dut.i.ready)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        assert await take(ctx, dut) == 9
        await pulse(ctx, dut.back)
        assert [await take(ctx, dut) for _ in range(2)] == [0, 9]

    simulate(dut, drive)


@pytest.mark.parametrize("stall", [0.0, 0.7])
def test_frames_leave_once_published_with_their_open_place_filled(stall):
    dut = TransmitRing()
    bench = Streams(dut, stall=stall, seed=3)
    bench.receive(dut.o)
    rng = random.Random(2)
    frames = [rng.randbytes(rng.choice([1, 2, 30, 200])) for _ in range(20)]

    async def append(ctx, byte):
        while ctx.get(dut.full):
            await ctx.tick()
        ctx.set(dut.data, byte)
        await pulse(ctx, dut.append)

    async def drive(ctx):
        for frame in frames:
            place = ctx.get(dut.tail)
            await append(ctx, 0xEE)
            for byte in frame:
                await append(ctx, byte)
            assert (ctx.get(dut.tail) - place) % TRANSMIT_BYTES == 1 + len(frame)
            ctx.set(dut.data, len(frame))
            await pulse(ctx, dut.patch)
            await pulse(ctx, dut.publish)
        await ctx.tick().repeat(2000)

    bench.drive(drive)
    assert bytes(bench.run()) == b"".join(bytes([len(f)]) + f for f in frames)

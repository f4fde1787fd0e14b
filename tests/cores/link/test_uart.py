import random

import pytest
from amaranth.sim import Simulator

from cores.link.uart import UARTReceiver, UARTTransmitter, baud_divisor
from tests.cores.link.streams import Streams


@pytest.mark.parametrize(
    ("clk_hz", "baud", "divisor"),
    [
        (24_000_000, 1_000_000, 24),
        (25_000_000, 1_000_000, 25),
        (50_000_000, 3_000_000, 17),  # 2.0 % fast
        (12_000_000, 115_200, 104),
        (12_000_000, 3_000_000, 4),
    ],
)
def test_divisor_is_the_nearest(clk_hz, baud, divisor):
    assert baud_divisor(clk_hz, baud) == divisor


@pytest.mark.parametrize(
    ("clk_hz", "baud", "end"),
    [
        (
            24_000_000,
            7_000_000,
            "7000000 baud; nearest: 6000000",
        ),
        (
            24_000_000,
            4_400_000,
            "4400000 baud; nearest: 4000000, 4800000",
        ),
    ],
)
def test_rejects_a_baud_the_clock_cannot_make(clk_hz, baud, end):
    message = (
        "a clock of 24 MHz must divide into the baud rate within 2% and by at least 4, "
        f"but not into {end}"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        baud_divisor(clk_hz, baud)


def test_rejects_a_baud_that_is_not_positive():
    with pytest.raises(ValueError, match=r"^baud rate must be positive, not 0$"):
        baud_divisor(24_000_000, 0)


async def send_bits(ctx, rx, bits, cycles_per_bit):
    """Drives the line with bit times that need not be whole cycles."""
    done = 0
    for number, bit in enumerate(bits, 1):
        ctx.set(rx, bit)
        until = round(number * cycles_per_bit)
        await ctx.tick().repeat(until - done)
        done = until


def byte_bits(byte):
    return [0, *(byte >> k & 1 for k in range(8)), 1]


@pytest.mark.parametrize("divisor", [4, 5, 24])
@pytest.mark.parametrize("error", [-0.03, 0, 0.03])
def test_receiver_reads_bytes_with_gaps_at_a_baud_that_is_off(divisor, error):
    rng = random.Random(divisor)
    sent = [0x00, 0xFF, 0x55, 0xAA, *(rng.randrange(256) for _ in range(20))]
    dut = UARTReceiver(divisor)
    bench = Streams(dut)
    bench.receive(dut.o)

    async def line(ctx):
        ctx.set(dut.rx, 1)
        for byte in sent:
            await send_bits(ctx, dut.rx, byte_bits(byte), divisor * (1 + error))
            await ctx.tick().repeat(rng.choice([1, 1, 2, 3 * divisor]))
        await ctx.tick().repeat(divisor)

    bench.drive(line)
    assert bench.run() == sent


def test_receiver_ignores_a_glitch_and_a_byte_without_stop_bit():
    dut = UARTReceiver(16)
    bench = Streams(dut)
    bench.receive(dut.o)

    async def line(ctx):
        ctx.set(dut.rx, 1)
        await send_bits(ctx, dut.rx, [0], 5)
        await send_bits(ctx, dut.rx, [1], 200)
        await send_bits(ctx, dut.rx, [0] * 12, 16)
        await send_bits(ctx, dut.rx, [1], 16)
        await send_bits(ctx, dut.rx, [*byte_bits(0x42), 1], 16)

    bench.drive(line)
    assert bench.run() == [0x42]


def test_receiver_keeps_a_waiting_byte_and_drops_the_next():
    dut = UARTReceiver(4)
    seen = []

    async def line(ctx):
        ctx.set(dut.rx, 1)
        for byte in (1, 2):
            await send_bits(ctx, dut.rx, [*byte_bits(byte), 1], 4)
        for _ in range(4):
            ctx.set(dut.o.ready, 1)
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                seen.append(byte)
        await send_bits(ctx, dut.rx, byte_bits(3), 4)
        seen.append(await ctx.tick().sample(dut.o.payload).until(dut.o.valid))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(line)
    simulator.run()
    assert seen == [1, (3,)]


@pytest.mark.parametrize("stall", [0.0, 0.9])
def test_transmitter_sends_bits_of_equal_length(stall):
    divisor, sent = 5, [0x00, 0xFF, 0x96, 0x01, 0x80]
    dut = UARTTransmitter(divisor)
    bench = Streams(dut, stall=stall)
    bench.send(dut.i, sent)
    levels = []

    async def line(ctx):
        while len(levels) < (len(sent) + 2) * 11 * divisor:
            levels.append((await ctx.tick().sample(dut.tx))[2])

    bench.drive(line)
    bench.run()
    found, at = [], 0
    while at < len(levels):
        if levels[at]:
            at += 1
            continue
        bits = [levels[at + k * divisor : at + (k + 1) * divisor] for k in range(10)]
        assert all(len(set(bit)) == 1 for bit in bits)
        assert (bits[0][0], bits[9][0]) == (0, 1)
        found.append(sum(bit[0] << k for k, bit in enumerate(bits[1:9])))
        at += 10 * divisor
    assert found == sent

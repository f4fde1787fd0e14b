import random
from binascii import crc_hqx

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from cobs import cobs

from cores.link.framing import CRC_INIT, MAX_PACKET, COBSDecoder, COBSEncoder, crc16_next
from tests.cores.link.streams import Streams

END = 0x100
BROKEN = 0x101
RNG = random.Random(7)
PACKETS = [
    b"\x00",
    b"\x01",
    b"\x00\x00\x00",
    b"ab\x00c\x00\x00",
    bytes(MAX_PACKET),
    bytes(range(1, MAX_PACKET + 1)),
    *(
        bytes(RNG.choice([0, 0, RNG.randrange(256)]) for _ in range(RNG.randrange(40)))
        for _ in range(8)
    ),
]


def tokens(packet):
    return [*packet, END]


def test_crc_of_the_check_string():
    m = Module()
    byte, crc = Signal(8), Signal(16, init=CRC_INIT)
    m.d.sync += crc.eq(crc16_next(crc, byte))
    message = b"123456789" + bytes(RNG.randrange(256) for _ in range(100))
    found = []

    async def bench(ctx):
        for value in message:
            ctx.set(byte, value)
            await ctx.tick()
            found.append(ctx.get(crc))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found[8] == 0x29B1  # the check value of CRC-16/CCITT-FALSE
    assert found == [crc_hqx(message[: n + 1], 0xFFFF) for n in range(len(message))]


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_encoder_equals_the_library(stall):
    dut = COBSEncoder()
    bench = Streams(dut, stall=stall)
    bench.send(dut.i, [token for packet in PACKETS for token in tokens(packet)] + [0])
    bench.receive(dut.o)
    wanted = b"".join(cobs.encode(packet) + b"\0" for packet in PACKETS)
    assert bytes(bench.run(extra_cycles=10)) == wanted


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_decoder_undoes_the_library(stall):
    dut = COBSDecoder()
    bench = Streams(dut, stall=stall)
    long = bytes(range(1, 255)) * 3 + b"\0" + bytes(range(1, 255))
    packets = [*PACKETS, long]
    bench.send(dut.i, b"".join(cobs.encode(packet) + b"\0" for packet in packets))
    bench.receive(dut.o)
    assert bench.run(extra_cycles=10) == [t for packet in packets for t in tokens(packet)]


def test_decoder_marks_a_cut_frame_skips_empty_ones_and_finds_the_next():
    dut = COBSDecoder()
    bench = Streams(dut)
    bench.send(dut.i, b"\0\0\x05ab\0\0\x02c\0")
    bench.receive(dut.o)
    assert bench.run(extra_cycles=5) == [ord("a"), ord("b"), BROKEN, ord("c"), END]


def test_decoder_forgets_a_frame_when_cleared():
    dut = COBSDecoder()
    bench = Streams(dut)
    bench.receive(dut.o)

    async def drive(ctx):
        for word in [9, 8, None, 2, 7, 0]:
            ctx.set(dut.clear, word is None)
            ctx.set(dut.i.valid, word is not None)
            ctx.set(dut.i.payload, word or 0)
            await ctx.tick()

    bench.drive(drive)
    assert bench.run() == [8, 7, END]

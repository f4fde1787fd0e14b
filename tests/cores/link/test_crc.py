import random
from binascii import crc_hqx

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.link.crc import CRC_INIT, crc16_next

RNG = random.Random(7)


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

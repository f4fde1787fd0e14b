"""CRC-16 of packets."""

from amaranth.hdl import Cat, Const, Value

CRC_INIT = 0xFFFF


def crc16_next(crc: Value, byte: Value) -> Value:
    """CRC-16/CCITT-FALSE (polynomial 0x1021, highest bit first) after one more byte."""
    x = crc[8:16] ^ byte
    x = x ^ (x >> 4)
    return (Cat(Const(0, 8), crc[:8]) ^ (x << 12) ^ (x << 5) ^ x)[:16]

"""Packets that the link refuses, and what they leave unchanged."""

import struct
from binascii import crc_hqx

import pytest
from cobs import cobs

from cores.link.packets import MAX_PAYLOAD, NakCode, Type
from hwgen.host.protocol import Packet
from tests.cores.link.client import Client, ack


def flip(frame, at):
    return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]


@pytest.mark.long
def test_damaged_packets_are_refused_and_change_nothing():
    client = Client(4)
    client.data(0, 0, b"ab")
    good = Packet(Type.DATA, 1, struct.pack("<I", 2) + b"cd").encode()
    for at in range(len(good) - 1):
        damaged = flip(good, at)
        if damaged.count(0) > 1 or damaged[at] == 0:
            continue
        client.pipe.write(damaged)
        reply = client.reply()
        assert (reply.type, reply.payload) == (Type.NAK, bytes([NakCode.DAMAGED, 1]))
    client.pipe.write(good)
    assert client.reply() == ack(Type.DATA, 1)
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"bcde"


@pytest.mark.parametrize("body", [b"", b"\x02"])
def test_packets_too_short_for_a_header_are_refused_even_with_a_good_crc(body):
    client = Client()
    packet = body + struct.pack("<H", crc_hqx(body, 0xFFFF))
    client.pipe.write(cobs.encode(packet) + b"\0")
    reply = client.reply()
    assert (reply.type, reply.payload) == (Type.NAK, bytes([NakCode.DAMAGED, 0]))


@pytest.mark.parametrize("excess", [1, 13, 300, 700])
@pytest.mark.long
def test_a_payload_too_long_is_refused_and_the_next_packet_served(excess):
    client = Client()
    client.send(Type.PING, 9, b"x" * (MAX_PAYLOAD + excess))
    client.nak(NakCode.TOO_LONG, 9)
    assert client.ask(Type.PING, 10, b"ok").payload == b"ok"


@pytest.mark.parametrize("kind", [0x00, 0x04, 0x0F, 0x13, 0x1F, 0x23, 0x7F, 0x82, 0x91])
def test_unknown_types_are_refused(kind):
    client = Client()
    client.send(kind, 5)
    client.nak(NakCode.UNKNOWN, 5)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0"])
def test_data_without_an_offset_is_refused(payload):
    client = Client()
    client.send(Type.DATA, 0, payload)
    client.nak(NakCode.SHORT, 0)


@pytest.mark.parametrize("offset", [1, 3, 4, 2 + (1 << 8), 2 + (1 << 16), 2 + (1 << 24)])
@pytest.mark.long
def test_data_that_does_not_continue_the_batch_is_refused(offset):
    client = Client(1000)
    client.data(0, 0, b"ab")
    client.send(Type.DATA, 1, struct.pack("<I", offset) + b"c")
    client.nak(NakCode.OFFSET, 1)
    assert client.data(1, 2, b"c") == ack(Type.DATA, 1)


def test_data_at_offset_zero_begins_the_batch_anew():
    client = Client(2, batch=2)
    client.data(0, 0, b"abc")
    client.data(1, 0, b"xy")
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"yz"


def test_data_beyond_the_batch_is_refused_and_changes_nothing():
    client = Client(4, batch=2)
    client.data(0, 0, b"abcdefg")
    client.send(Type.DATA, 1, struct.pack("<I", 7) + b"hi")
    client.nak(NakCode.OFFSET, 1)
    client.data(1, 7, b"h")
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"bcdefghi"

"""The link by its packets, with an accelerator that adds one to each byte and can be held back."""

import random
import struct
from binascii import crc_hqx
from dataclasses import replace

import pytest
from cobs import cobs

from cores.link import packets
from cores.link.packets import MAX_PAYLOAD
from hwgen.host import protocol
from hwgen.host.protocol import NakCode, Packet, Type
from tests.cores.link.client import CLK_HZ, INFO, RESULT, Client, config


def test_numbers_of_host_and_device_agree():
    assert MAX_PAYLOAD == protocol.MAX_PAYLOAD
    assert packets.NAK == Type.NAK
    assert {r.name: r.value for r in packets.Request} == {
        t.name: t.value for t in Type if t is not Type.NAK
    }
    assert {c.name: c.value for c in packets.NakCode} == {c.name: c.value for c in NakCode}


def test_a_frame_through_by_hand():
    client = Client(5)
    assert client.ask(Type.INFO, 1) == Packet(Type.INFO | 0x80, 1, INFO)
    assert client.data(2, 0, bytes([0, 1, 2])) == Packet(Type.DATA | 0x80, 2)
    assert client.data(3, 3, bytes([0xFF, 9])) == Packet(Type.DATA | 0x80, 3)
    client.send(Type.INFER, 4)
    # Five bytes enter in a row and pass three registers.
    assert client.result(4) == (7, bytes([1, 2, 3, 0, 10]))
    client.silent()


@pytest.mark.parametrize("gaps", [(0,), (0, 3, 50, 0, 1)])
def test_ping_returns_payloads_of_every_length(gaps):
    client = Client(gaps=gaps)
    rng = random.Random(1)
    for sequence, length in enumerate((0, 1, 2, MAX_PAYLOAD)):
        payload = bytes(rng.choice([0, rng.randrange(256)]) for _ in range(length))
        assert client.ask(Type.PING, sequence, payload) == Packet(
            Type.PING | 0x80, sequence, payload
        )


def test_latency_is_from_first_beat_in_to_last_beat_out():
    client = Client(5)
    client.data(1, 0, bytes(5))
    client.hold(True)
    client.send(Type.INFER, 2)
    client.silent()
    client.hold(False)
    latency, data = client.result(2)
    assert data == bytes([1] * 5)
    assert latency == client.pipe.look(client.dut.last) - client.pipe.look(client.dut.first)
    assert latency > CLK_HZ * 0.0005


def test_latency_stops_at_its_highest_value():
    client = Client(5, latency_bits=4)
    client.data(1, 0, bytes(5))
    client.hold(True)
    client.send(Type.INFER, 2)
    client.silent()
    client.hold(False)
    assert client.result(2) == (15, bytes([1] * 5))
    client.send(Type.INFER, 3)
    assert client.result(3) == (7, bytes([1] * 5))


def test_results_longer_than_a_packet_come_in_pieces_and_again():
    size = 250
    client = Client(size)
    frame = random.Random(3).randbytes(size)
    for sequence, at in enumerate(range(0, size, 236)):
        client.data(sequence, at, frame[at : at + 236])
    for _ in range(2):
        client.send(Type.INFER, 9)
        packets = [client.reply() for _ in range(2)]
        assert {(p.type, p.sequence) for p in packets} == {(RESULT, 9)}
        assert [int.from_bytes(p.payload[5:9], "little") for p in packets] == [0, 231]
        data = b"".join(p.payload[9:] for p in packets)
        assert data == bytes((b + 1) % 256 for b in frame)
    client.silent()


def test_a_repeated_request_acts_once_and_is_answered_twice():
    client = Client(4)
    assert client.data(1, 0, b"ab") == client.data(1, 0, b"ab")
    assert client.data(2, 2, b"cd") == client.data(2, 2, b"cd")
    client.send(Type.INFER, 3)
    first = client.result(3)
    assert client.ask(Type.PING, 4, b"between").payload == b"between"
    client.send(Type.INFER, 3)
    assert client.result(3) == first
    assert client.taken() == 4
    client.send(Type.INFER, 5)
    assert client.result(5) == first
    assert client.taken() == 8


def test_data_and_infer_with_the_same_number_are_different_requests():
    client = Client(1)
    client.data(7, 0, b"a")
    client.send(Type.INFER, 7)
    assert client.result(7)[1] == b"b"


def flip(frame, at):
    return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]


def test_damaged_packets_are_refused_and_change_nothing():
    client = Client(4)
    client.data(1, 0, b"ab")
    good = Packet(Type.DATA, 2, struct.pack("<I", 2) + b"cd").encode()
    for at in range(len(good) - 1):
        damaged = flip(good, at)
        if damaged.count(0) > 1 or damaged[at] == 0:
            continue
        client.pipe.write(damaged)
        reply = client.reply()
        assert (reply.type, reply.payload) == (Type.NAK, bytes([NakCode.DAMAGED]))
    client.pipe.write(good)
    assert client.reply() == Packet(Type.DATA | 0x80, 2)
    client.send(Type.INFER, 3)
    assert client.result(3)[1] == b"bcde"


@pytest.mark.parametrize("body", [b"", b"\x02"])
def test_packets_too_short_for_a_header_are_refused_even_with_a_good_crc(body):
    client = Client()
    packet = body + struct.pack("<H", crc_hqx(body, 0xFFFF))
    client.pipe.write(cobs.encode(packet) + b"\0")
    reply = client.reply()
    assert (reply.type, reply.payload) == (Type.NAK, bytes([NakCode.DAMAGED]))


@pytest.mark.parametrize("excess", [1, 13, 300])
def test_a_payload_too_long_is_refused_and_the_next_packet_served(excess):
    client = Client()
    client.send(Type.PING, 9, b"x" * (MAX_PAYLOAD + excess))
    client.nak(NakCode.TOO_LONG, 9)
    assert client.ask(Type.PING, 10, b"ok").payload == b"ok"


@pytest.mark.parametrize("kind", [0x00, 0x04, 0x12, 0x20, 0x21, 0x22, 0x7F, 0x82, 0x91])
def test_unknown_types_are_refused(kind):
    client = Client()
    client.send(kind, 5)
    client.nak(NakCode.UNKNOWN, 5)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0"])
def test_data_without_an_offset_is_refused(payload):
    client = Client()
    client.send(Type.DATA, 5, payload)
    client.nak(NakCode.SHORT, 5)


def test_infer_before_the_whole_frame_is_refused():
    client = Client(4)
    client.send(Type.INFER, 1)
    client.nak(NakCode.INCOMPLETE, 1)
    client.data(2, 0, b"abc")
    client.send(Type.INFER, 3)
    client.nak(NakCode.INCOMPLETE, 3)
    client.data(4, 3, b"d")
    client.send(Type.INFER, 5)
    assert client.result(5)[1] == b"bcde"
    client.data(6, 0, b"x")
    client.send(Type.INFER, 7)
    client.nak(NakCode.INCOMPLETE, 7)
    assert client.taken() == 4


@pytest.mark.parametrize("offset", [1, 3, 4, 2 + (1 << 8), 2 + (1 << 16), 2 + (1 << 31)])
def test_data_that_does_not_continue_the_frame_is_refused(offset):
    client = Client(1000)
    client.data(1, 0, b"ab")
    client.send(Type.DATA, 2, struct.pack("<I", offset) + b"c")
    client.nak(NakCode.OFFSET, 2)
    assert client.data(2, 2, b"c") == Packet(Type.DATA | 0x80, 2)


def test_data_beyond_the_frame_is_refused_and_the_frame_begins_again():
    client = Client(4)
    client.data(1, 0, b"abc")
    client.send(Type.DATA, 2, struct.pack("<I", 3) + b"de")
    client.nak(NakCode.OFFSET, 2)
    client.send(Type.INFER, 3)
    client.nak(NakCode.INCOMPLETE, 3)
    client.data(4, 0, b"wxyz")
    client.send(Type.INFER, 5)
    assert client.result(5)[1] == b"xyz{"


def test_while_a_frame_runs_only_harmless_requests_are_served():
    client = Client(4)
    client.data(1, 0, b"abcd")
    client.hold(True)
    client.send(Type.INFER, 2)
    client.silent()
    assert client.ask(Type.PING, 3, b"p").payload == b"p"
    assert client.ask(Type.INFO, 4).payload == INFO
    client.send(Type.DATA, 5, struct.pack("<I", 0) + b"x")
    client.nak(NakCode.BUSY, 5)
    client.send(Type.INFER, 6)
    client.nak(NakCode.BUSY, 6)
    client.send(Type.INFER, 2)
    client.silent()
    client.hold(False)
    assert client.result(2)[1] == b"bcde"
    client.silent()


def test_reset_empties_accelerator_and_frame():
    client = Client(4)
    client.data(1, 0, b"abcd")
    client.hold(True)
    client.send(Type.INFER, 2)
    client.silent()
    assert client.ask(Type.RESET, 3) == Packet(Type.RESET | 0x80, 3)
    client.hold(False)
    client.silent()
    client.send(Type.INFER, 4)
    client.nak(NakCode.INCOMPLETE, 4)
    client.data(4, 0, b"wx")
    assert client.ask(Type.RESET, 3) == Packet(Type.RESET | 0x80, 3)
    client.data(4, 0, b"wxyz")
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"xyz{"


def test_reset_forgets_a_result_half_collected():
    client = Client(6)
    client.data(1, 0, b"abcdef")
    client.hold(True)
    client.send(Type.INFER, 2)
    client.silent()
    client.hold(False)
    client.hold(True)
    assert client.pipe.look(client.dut.left) in range(1, 6)
    client.ask(Type.RESET, 3)
    client.hold(False)
    client.data(4, 0, b"uvwxyz")
    client.send(Type.INFER, 5)
    assert client.result(5)[1] == b"vwxyz{"


def test_noise_ends_at_the_next_delimiter():
    client = Client()
    client.pipe.write(b"\x31\x07noise")
    client.pipe.write(b"\0")
    assert client.reply().type == Type.NAK
    client.pipe.write(b"\0\0\0")
    client.silent()
    assert client.ask(Type.PING, 1, b"ok").payload == b"ok"


def test_a_frame_cut_off_is_forgotten_after_silence():
    timeout_s = 0.001
    client = Client(timeout_s=timeout_s)
    frame = Packet(Type.PING, 1, b"abc").encode()
    client.pipe.write(frame[:5])
    client.pipe.drain()
    client.pipe.run(int(0.8 * timeout_s * CLK_HZ))
    client.pipe.write(frame[5:])
    assert client.reply() == Packet(Type.PING | 0x80, 1, b"abc")
    client.pipe.write(frame[:5])
    client.pipe.drain()
    client.pipe.run(int(1.1 * timeout_s * CLK_HZ))
    client.pipe.write(frame)
    assert client.reply() == Packet(Type.PING | 0x80, 1, b"abc")
    client.silent()


def test_a_packet_that_comes_too_early_is_dropped_whole():
    client = Client()
    long = bytes(range(1, 121))
    for sequence in range(3):
        client.send(Type.PING, sequence, long)
    replies = []
    while (reply := client.reply()) is not None:
        replies.append(reply)
    assert replies[0] == Packet(Type.PING | 0x80, 0, long)
    assert len(replies) < 3
    assert all(reply.payload == long for reply in replies)
    assert client.ask(Type.PING, 9, b"ok").payload == b"ok"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("baud", 900_000, r"^a clock of 4 MHz must divide .* nearest: 800000, 1000000$"),
        ("latency_bits", 33, r"^latency_bits must be in 1\.\.32, not 33$"),
        ("info", bytes(239), r"^INFO payload must have at most 238 bytes, not 239$"),
    ],
)
def test_rejects(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(config(4), **{field: value})

"""The link by its packets, with an accelerator that adds one to each byte and can be held back."""

import random
import struct
from dataclasses import replace

import pytest

from cores.link.packets import MAX_PAYLOAD, NakCode, Type
from hwgen.host.protocol import Packet
from tests.cores.link.client import CLK_HZ, INFO, RESULT, Client, ack, config


def test_a_frame_through_by_hand():
    client = Client(5)
    assert client.ask(Type.INFO, 77) == Packet(Type.INFO | 0x80, 77, INFO)
    assert client.data(0, 0, bytes([0, 1, 2])) == ack(Type.DATA, 0)
    assert client.data(1, 3, bytes([0xFF, 9])) == ack(Type.DATA, 1)
    client.send(Type.INFER, 2)
    # Five bytes enter in a row and pass three registers.
    assert client.result(2) == (7, bytes([1, 2, 3, 0, 10]))
    client.silent()


@pytest.mark.parametrize("gaps", [(0,), (0, 3, 50, 0, 1)])
@pytest.mark.long
def test_ping_returns_payloads_of_every_length(gaps):
    client = Client(gaps=gaps)
    rng = random.Random(1)
    for sequence, length in enumerate((0, 1, 2, MAX_PAYLOAD)):
        payload = bytes(rng.choice([0, rng.randrange(256)]) for _ in range(length))
        assert client.ask(Type.PING, sequence, payload) == Packet(
            Type.PING | 0x80, sequence, payload
        )


@pytest.mark.parametrize("payload", [bytes(MAX_PAYLOAD), b"\x01" * MAX_PAYLOAD])
@pytest.mark.long
def test_blocks_of_one_length_only(payload):
    assert Client().ask(Type.PING, 255, payload) == Packet(Type.PING | 0x80, 255, payload)


def test_latency_is_that_of_the_first_frame_of_a_batch():
    client = Client(5, batch=2)
    client.data(0, 0, bytes(10))
    client.hold(True)
    client.send(Type.INFER, 1)
    client.silent()
    first = client.pipe.look(client.dut.first)
    client.hold(False)
    latency, data = client.result(1)
    assert data == bytes([1] * 10)
    # The other frame leaves right behind.
    assert latency == client.pipe.look(client.dut.last) - 5 - first
    assert latency > CLK_HZ * 0.0005


def test_latency_stops_at_its_highest_value():
    client = Client(5, latency_bits=4)
    client.data(0, 0, bytes(5))
    client.hold(True)
    client.send(Type.INFER, 1)
    client.silent()
    client.hold(False)
    assert client.result(1) == (15, bytes([1] * 5))
    client.data(2, 0, bytes(5))
    client.send(Type.INFER, 3)
    assert client.result(3) == (7, bytes([1] * 5))


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.long
def test_results_longer_than_a_packet_come_in_pieces_and_again(banks):
    size = 231 + 256 + 19
    client = Client(size // 2, batch=2, banks=banks)
    frames = random.Random(3).randbytes(size)
    for sequence, at in enumerate(range(0, size, 236)):
        client.data(sequence, at, frames[at : at + 236])
    for _ in range(2):
        client.send(Type.INFER, 3)
        packets = [client.reply() for _ in range(3)]
        assert {(p.type, p.sequence) for p in packets} == {(RESULT, 3)}
        assert [int.from_bytes(p.payload[5:9], "little") for p in packets] == [0, 231, 462]
        data = b"".join(p.payload[9:] for p in packets)
        assert data == bytes((b + 1) % 256 for b in frames)
    client.silent()
    assert client.taken() == size


@pytest.mark.long
def test_a_result_of_a_whole_number_of_packets_has_no_empty_one():
    client = Client(231)
    client.data(0, 0, bytes(231))
    client.send(Type.INFER, 1)
    assert client.result(1)[1] == b"\x01" * 231
    client.silent()


@pytest.mark.long
def test_a_repeated_request_acts_once_and_is_answered_twice():
    client = Client(4)
    assert client.data(0, 0, b"ab") == client.data(0, 0, b"ab") == ack(Type.DATA, 0)
    assert client.data(1, 2, b"cd") == client.data(1, 2, b"cd") == ack(Type.DATA, 1)
    client.send(Type.INFER, 2)
    first = client.result(2)
    assert client.ask(Type.PING, 4, b"between").payload == b"between"
    client.send(Type.INFER, 2)
    assert client.result(2) == first
    assert client.data(0, 0, b"wrong") == ack(Type.DATA, 0)
    assert client.taken() == 4
    # Nothing has been filled by the repeats.
    client.send(Type.INFER, 3)
    assert client.nak(NakCode.INCOMPLETE, 3) == 3


@pytest.mark.parametrize("kind", [Type.DATA, Type.INFER])
def test_only_the_number_expected_acts(kind):
    client = Client(1)
    client.ask(Type.RESET, 200)  # 201 is expected
    client.data(201, 0, b"a")
    for ahead in (1, 2, 127):
        number = (202 + ahead) % 256
        client.send(kind, number, bytes(4) + b"b" if kind == Type.DATA else b"")
        assert client.nak(NakCode.ORDER, number) == 202
    assert client.taken() == 0
    client.send(Type.INFER, 202)
    assert client.result(202)[1] == b"b"


def test_repeats_reach_back_half_the_numbers_across_zero():
    client = Client(1)
    client.ask(Type.RESET, 9)
    for number in (9, 200, 138):
        assert client.data(number, 0, b"x") == ack(Type.DATA, number)
    client.send(Type.DATA, 137, bytes(4))
    assert client.nak(NakCode.ORDER, 137) == 10
    client.send(Type.INFER, 10)
    assert client.nak(NakCode.INCOMPLETE, 10) == 10


def test_a_refused_request_does_not_count():
    client = Client(4)
    client.send(Type.INFER, 0)
    assert client.nak(NakCode.INCOMPLETE, 0) == 0
    client.data(0, 0, b"abc")
    client.send(Type.INFER, 1)
    assert client.nak(NakCode.INCOMPLETE, 1) == 1
    client.data(1, 3, b"d")
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"bcde"


def test_reset_says_what_number_comes_next():
    client = Client(1)
    for number in (255, 7, 7):
        assert client.ask(Type.RESET, number) == ack(Type.RESET, number)
        following = (number + 1) % 256
        assert client.data(following, 0, b"m") == ack(Type.DATA, following)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.long
def test_batches_of_every_size_one_after_another(frames, banks):
    size = 3
    client = Client(size, batch=3, banks=banks)
    number = 0
    for start in (0, 50, 100):
        data = bytes(range(start, start + frames * size))
        client.data(number, 0, data)
        client.send(Type.INFER, number + 1)
        assert client.result(number + 1)[1] == bytes(b + 1 for b in data)
        number += 2


@pytest.mark.long
def test_one_batch_fills_while_another_runs_and_waits_its_turn():
    client = Client(2, banks=2)
    client.hold(True)
    client.data(0, 0, b"ab")
    client.send(Type.INFER, 1)
    assert client.data(2, 0, b"cd") == ack(Type.DATA, 2)
    client.send(Type.INFER, 3)
    client.silent()
    # Both banks are taken; both repeats will be answered by what is still to come.
    client.send(Type.DATA, 4, bytes(4) + b"e")
    assert client.nak(NakCode.BUSY, 4) == 4
    client.send(Type.INFER, 1)
    client.send(Type.INFER, 3)
    client.silent()
    assert client.ask(Type.PING, 4, b"p").payload == b"p"
    client.hold(False)
    assert client.result(1)[1] == b"bc"
    assert client.result(3)[1] == b"de"
    client.silent()
    assert client.data(4, 0, b"ef") == ack(Type.DATA, 4)
    # Both results are still there.
    for number, data in ((3, b"de"), (1, b"bc"), (3, b"de")):
        client.send(Type.INFER, number)
        assert client.result(number)[1] == data
    client.send(Type.INFER, 5)
    assert client.result(5)[1] == b"fg"
    client.send(Type.INFER, 1)
    assert client.nak(NakCode.STALE, 1) == 6
    client.send(Type.INFER, 3)
    assert client.result(3)[1] == b"de"
    assert client.taken() == 6


@pytest.mark.long
def test_one_bank_serves_one_batch_at_a_time():
    client = Client(2, banks=1)
    client.hold(True)
    client.data(0, 0, b"ab")
    client.send(Type.INFER, 1)
    client.silent()
    client.send(Type.DATA, 2, bytes(4) + b"c")
    assert client.nak(NakCode.BUSY, 2) == 2
    client.hold(False)
    assert client.result(1)[1] == b"bc"
    client.data(2, 0, b"cd")
    client.send(Type.INFER, 3)
    assert client.result(3)[1] == b"de"
    client.send(Type.INFER, 1)
    client.nak(NakCode.STALE, 1)


@pytest.mark.long
def test_data_beyond_a_batch_of_255_bytes_is_refused():
    client = Client(5, batch=51)
    client.data(0, 0, bytes(236))
    client.send(Type.DATA, 1, struct.pack("<I", 236) + bytes(20))
    client.nak(NakCode.OFFSET, 1)


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.long
def test_a_result_sent_again_ends_where_its_bank_is_taken_for_the_next(banks):
    size = 160
    client = Client(size, batch=3, banks=banks)
    frames = random.Random(6).randbytes(3 * size)
    wanted = bytes((b + 1) % 256 for b in frames)
    number = 0
    for at in range(0, 3 * size, 236):
        client.data(number, at, frames[at : at + 236])
        number += 1
    client.send(Type.INFER, number)
    assert b"".join(client.reply().payload[9:] for _ in range(3)) == wanted
    again, number = number, number + 1
    if banks == 2:
        client.data(number, 0, frames[:size])
        client.send(Type.INFER, number + 1)
        assert client.result(number + 1)[1] == wanted[:size]
        number += 2
    client.send(Type.INFER, again)
    client.send(Type.DATA, number, bytes(4) + bytes(size))
    client.send(Type.INFER, number + 1)
    found = {again: [], number: [], number + 1: []}
    while (reply := client.reply()) is not None:
        found[reply.sequence].append(reply)
    assert found[number] == [ack(Type.DATA, number)]
    assert [p.payload[5:] for p in found[number + 1]] == [bytes(4) + b"\x01" * size]
    assert 1 <= len(found[again]) <= 3
    for packet in found[again]:
        at = int.from_bytes(packet.payload[5:9], "little")
        assert packet.payload[9:] == wanted[at : at + 231]


@pytest.mark.long
def test_requests_wait_in_both_packet_buffers():
    client = Client(200, batch=2, banks=2)
    frame = random.Random(5).randbytes(200)
    client.send(Type.DATA, 0, struct.pack("<I", 0) + frame)
    client.pipe.write(b"\0")
    client.send(Type.DATA, 1, struct.pack("<I", 200) + frame)
    client.pipe.write(b"\0")
    assert [client.reply() for _ in range(2)] == [ack(Type.DATA, 0), ack(Type.DATA, 1)]
    client.send(Type.INFER, 2)
    packets = [client.reply() for _ in range(2)]
    assert b"".join(p.payload[9:] for p in packets) == bytes((b + 1) % 256 for b in frame * 2)


@pytest.mark.long
def test_reset_empties_accelerator_and_batches():
    client = Client(4, banks=2)
    client.data(0, 0, b"abcd")
    client.hold(True)
    client.send(Type.INFER, 1)
    client.data(2, 0, b"ef")
    assert client.ask(Type.RESET, 3) == ack(Type.RESET, 3)
    client.hold(False)
    client.silent()
    client.send(Type.INFER, 4)
    client.nak(NakCode.INCOMPLETE, 4)
    client.send(Type.INFER, 1)
    client.nak(NakCode.STALE, 1)
    client.data(4, 0, b"wx")
    assert client.ask(Type.RESET, 3) == ack(Type.RESET, 3)
    client.data(4, 0, b"wxyz")
    client.send(Type.INFER, 5)
    assert client.result(5)[1] == b"xyz{"


def test_reset_forgets_a_result_half_collected():
    client = Client(6)
    client.data(0, 0, b"abcdef")
    client.hold(True)
    client.send(Type.INFER, 1)
    client.silent()
    client.hold(False)
    client.hold(True)
    assert client.pipe.look(client.dut.left) in range(1, 6)
    client.ask(Type.RESET, 2)
    client.hold(False)
    client.data(3, 0, b"uvwxyz")
    client.send(Type.INFER, 4)
    assert client.result(4)[1] == b"vwxyz{"


@pytest.mark.long
def test_nothing_of_a_result_comes_after_the_reply_to_a_reset():
    size = 700
    client = Client(size)
    for number, at in enumerate(range(0, size, 236)):
        client.data(number, at, bytes(min(236, size - at)))
    client.send(Type.INFER, 3)
    client.pipe.drain()
    client.send(Type.RESET, 4)
    replies = []
    while (reply := client.reply()) is not None:
        replies.append(reply.type)
    assert replies[-1] == Type.RESET | 0x80
    assert replies.count(Type.RESET | 0x80) == 1


def test_noise_ends_at_the_next_delimiter():
    client = Client()
    client.pipe.write(b"\x31\x07noise")
    client.pipe.write(b"\0")
    assert client.reply().type == Type.NAK
    client.pipe.write(b"\0\0\0")
    client.silent()
    assert client.ask(Type.PING, 1, b"ok").payload == b"ok"


@pytest.mark.long
def test_a_frame_cut_off_is_forgotten_after_silence():
    timeout_s = 0.002
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


@pytest.mark.long
def test_a_flood_loses_packets_but_never_their_bytes():
    client = Client()
    long = bytes(range(1, 121))
    for sequence in range(12):
        client.send(Type.PING, sequence, long)
    replies = []
    while (reply := client.reply()) is not None:
        replies.append(reply)
    assert replies[0] == Packet(Type.PING | 0x80, 0, long)
    assert len(replies) < 12
    assert all(r.payload == long or r.type == Type.NAK for r in replies)
    assert client.ask(Type.PING, 9, b"ok").payload == b"ok"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("baud", 900_000, r"^a clock of 4 MHz must divide .* nearest: 800000, 1000000$"),
        ("latency_bits", 33, r"^latency_bits must be in 1\.\.32, not 33$"),
        ("info", bytes(145), r"^INFO payload must have at most 144 bytes, not 145$"),
    ],
)
def test_rejects(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(config(4), **{field: value})

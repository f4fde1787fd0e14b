"""Weights through the link, behind which the last four words can be seen."""

import struct

import pytest

from cores.link.packets import NakCode, Type
from hwgen.host.protocol import Packet
from tests.cores.link.client import Client

ACK = Type.WEIGHTS | 0x80


def load(client, sequence, offset, data):
    return client.ask(Type.WEIGHTS, sequence, struct.pack("<I", offset) + data)


def words(client):
    value = client.pipe.look(client.dut.weights)
    return [value >> 16 * k & 0xFFFF for k in (3, 2, 1, 0)]


def test_an_image_in_pieces_of_odd_length_comes_as_words():
    client = Client(2, weight_bytes=8)
    assert load(client, 0, 0, bytes([1, 2, 3])) == Packet(ACK, 0)
    assert words(client) == [0, 0, 0, 0x0201]
    assert load(client, 1, 3, bytes([4, 5])) == Packet(ACK, 1)
    assert not client.pipe.look(client.dut.loaded)
    assert load(client, 2, 5, bytes([6, 7, 8])) == Packet(ACK, 2)
    assert words(client) == [0x0201, 0x0403, 0x0605, 0x0807]
    assert client.pipe.look(client.dut.loaded)


def test_infer_waits_for_the_weights_which_stay_through_a_reset():
    client = Client(2, weight_bytes=4)
    client.data(0, 0, b"ab")
    client.send(Type.INFER, 1)
    assert client.nak(NakCode.NOT_LOADED, 1) == 1
    load(client, 1, 0, bytes(4))
    client.send(Type.INFER, 2)
    assert client.result(2)[1] == b"bc"
    client.ask(Type.RESET, 9)
    client.data(10, 0, b"cd")
    client.send(Type.INFER, 11)
    assert client.result(11)[1] == b"de"


@pytest.mark.long
def test_an_image_begun_anew_or_cut_off_by_a_reset_comes_from_its_beginning():
    client = Client(2, weight_bytes=4)
    load(client, 0, 0, bytes([1, 2, 3]))
    client.ask(Type.RESET, 0)
    client.send(Type.WEIGHTS, 1, struct.pack("<I", 3) + b"x")
    client.nak(NakCode.OFFSET, 1)
    load(client, 1, 0, bytes([9, 9, 9]))
    load(client, 2, 0, bytes([5, 6]))
    assert words(client) == [0, 0, 0, 0x0605]
    load(client, 3, 2, bytes([7, 8]))
    assert words(client) == [0, 0, 0x0605, 0x0807]
    assert client.pipe.look(client.dut.loaded)
    load(client, 4, 0, bytes([1, 2]))
    assert not client.pipe.look(client.dut.loaded)
    client.data(5, 0, b"ab")
    client.send(Type.INFER, 6)
    client.nak(NakCode.NOT_LOADED, 6)


def test_a_repeat_loads_nothing():
    client = Client(2, weight_bytes=8)
    for _ in range(3):
        assert load(client, 0, 0, bytes([1, 2, 3, 4])) == Packet(ACK, 0)
    assert words(client) == [0, 0, 0x0201, 0x0403]


def test_words_wait_until_they_are_taken():
    client = Client(2, weight_bytes=8)
    client.hold(True)
    client.send(Type.WEIGHTS, 0, bytes(4) + bytes(range(1, 9)))
    client.silent()
    client.hold(False)
    assert client.reply() == Packet(ACK, 0)
    assert words(client) == [0x0201, 0x0403, 0x0605, 0x0807]


def test_what_does_not_fit_is_refused():
    client = Client(2, weight_bytes=4)
    load(client, 0, 0, bytes([1, 2]))
    for offset, data in ((2, b"abc"), (1, b"a"), (3, b"a"), (0, b"abcde"), (2 + (1 << 24), b"a")):
        client.send(Type.WEIGHTS, 1, struct.pack("<I", offset) + data)
        client.nak(NakCode.OFFSET, 1)
    client.send(Type.WEIGHTS, 1, b"abc")
    client.nak(NakCode.SHORT, 1)


def test_weights_are_refused_while_a_batch_runs():
    client = Client(2, weight_bytes=2)
    load(client, 0, 0, bytes(2))
    client.hold(True)
    client.data(1, 0, b"ab")
    client.send(Type.INFER, 2)
    client.send(Type.WEIGHTS, 3, bytes(6))
    client.nak(NakCode.BUSY, 3)
    client.hold(False)
    assert client.result(2)[1] == b"bc"


def test_a_link_without_weights_does_not_know_them():
    client = Client(2)
    client.send(Type.WEIGHTS, 0, bytes(6))
    client.nak(NakCode.UNKNOWN, 0)

"""RUN and the registers through the link, with an accelerator that adds one to each byte."""

import struct

import pytest

from cores.link.packets import NakCode, Register, Type
from hwgen.host.pattern import as_words, checksum, pattern
from hwgen.host.protocol import Packet
from tests.cores.link.client import Client

SIZE = 3


def client(**options):
    return Client(SIZE, probe=True, edges=3, **options)


def read(client, register):
    packet = client.ask(Type.CSR_READ, 99, bytes([register]))
    assert (packet.type, packet.sequence) == (Type.CSR_READ | 0x80, 99)
    (value,) = struct.unpack("<I", packet.payload)
    return value


def run(client, sequence, frames):
    client.send(Type.RUN, sequence, struct.pack("<I", frames))


def report(client, sequence):
    """Status, cycles, frames, checksum."""
    packet = client.reply()
    assert (packet.type, packet.sequence) == (Type.RUN | 0x80, sequence)
    return struct.unpack("<BQII", packet.payload)


def sum_of(frames):
    beats = (pattern(0, 255, 1, frames * SIZE) + 1) % 256
    return checksum(as_words(beats, 8))


@pytest.mark.parametrize("frames", [1, 2, 3, 300])
@pytest.mark.long
def test_a_run_reports_cycles_frames_and_checksum(frames):
    dut = client()
    run(dut, 0, frames)
    # A beat enters in each cycle and passes three registers.
    assert report(dut, 0) == (0, frames * SIZE - 1 + 3, frames, sum_of(frames))
    assert dut.taken() == dut.pipe.look(dut.dut.left) == frames * SIZE
    assert read(dut, Register.LATENCY) == SIZE - 1 + 3
    assert read(dut, Register.INTERVAL) == (SIZE if frames > 1 else 0)
    assert read(dut, Register.FRAMES_IN) == read(dut, Register.FRAMES_OUT) == frames


@pytest.mark.long
def test_runs_and_batches_alternate_and_every_run_has_the_same_patterns():
    dut = client(batch=2, banks=2)
    dut.data(0, 0, b"abcdef")
    dut.send(Type.INFER, 1)
    assert dut.result(1)[1] == b"bcdefg"
    run(dut, 2, 5)
    first = report(dut, 2)
    dut.data(3, 0, b"xyz")
    dut.send(Type.INFER, 4)
    assert dut.result(4) == (SIZE - 1 + 3, b"yz{")
    run(dut, 5, 5)
    assert report(dut, 5) == first
    assert read(dut, Register.FRAMES_IN) == 2 + 5 + 1 + 5


@pytest.mark.long
def test_a_run_repeated_is_answered_again_until_another_job_begins():
    dut = client()
    run(dut, 0, 2)
    first = report(dut, 0)
    run(dut, 0, 2)
    assert report(dut, 0) == first
    assert dut.taken() == 2 * SIZE
    dut.data(1, 0, b"abc")
    dut.send(Type.INFER, 2)
    dut.result(2)
    run(dut, 0, 2)
    assert dut.nak(NakCode.STALE, 0) == 3


@pytest.mark.long
def test_while_patterns_run_all_waits():
    dut = client(banks=2)
    dut.hold(True)
    run(dut, 0, 2)
    run(dut, 0, 2)
    dut.silent()
    run(dut, 1, 2)
    assert dut.nak(NakCode.BUSY, 1) == 1
    assert read(dut, Register.STATUS) & 1
    assert read(dut, Register.FRAMES_OUT) == 0
    assert dut.data(1, 0, b"abc") == Packet(Type.DATA | 0x80, 1)
    dut.send(Type.INFER, 2)
    dut.hold(False)
    assert report(dut, 0)[2:] == (2, sum_of(2))
    assert dut.result(2)[1] == b"bcd"
    assert not read(dut, Register.STATUS) & 1


def test_a_run_waits_for_no_batch():
    dut = client()
    dut.hold(True)
    dut.data(0, 0, b"abc")
    dut.send(Type.INFER, 1)
    run(dut, 2, 2)
    dut.nak(NakCode.BUSY, 2)
    dut.hold(False)
    assert dut.result(1)[1] == b"bcd"


@pytest.mark.parametrize(
    ("payload", "code"), [(bytes(3), NakCode.SHORT), (bytes(4), NakCode.INCOMPLETE)]
)
def test_a_run_of_nothing_is_refused(payload, code):
    dut = client()
    dut.send(Type.RUN, 0, payload)
    assert dut.nak(code, 0) == 0


@pytest.mark.long
def test_a_reset_ends_a_run_and_clears_the_registers():
    dut = client()
    dut.data(0, 0, b"abc")
    dut.send(Type.INFER, 1)
    dut.result(1)
    dut.hold(True)
    run(dut, 2, 1000)
    dut.ask(Type.RESET, 7)
    dut.hold(False)
    dut.silent()
    names = [r for r in Register if r not in (Register.CYCLES, Register.STATUS)]
    assert [read(dut, r) for r in names] == [0] * len(names)
    assert read(dut, Register.STATUS) == 2
    run(dut, 8, 1)
    assert report(dut, 8)[2:] == (1, sum_of(1))


@pytest.mark.long
def test_cycles_are_counted_since_the_reset():
    dut = client()
    dut.ask(Type.RESET, 0)
    before = dut.pipe.cycle
    first = read(dut, Register.CYCLES)
    assert 0 < first < dut.pipe.cycle
    dut.pipe.run(70_000 - (dut.pipe.cycle - before))
    second = read(dut, Register.CYCLES)
    assert 69_000 < second - first < 72_000


@pytest.mark.long
def test_a_running_counter_is_never_torn():
    dut = client()
    behind = []
    for _ in range(60):
        start = dut.pipe.cycle
        behind.append(read(dut, Register.CYCLES) - start)
    # Between request and reading pass as many cycles each time, but for the idle loop.
    assert max(behind) - min(behind) < 200


@pytest.mark.long
def test_stalls_of_the_boundary_selected():
    dut = client()
    select = struct.Struct("<BI")
    # The accelerator stands still while its output is held back; edge 1 always does, edge 2 never.
    dut.hold(True)
    dut.data(0, 0, b"abc")
    dut.send(Type.INFER, 1)
    dut.silent()
    for number, (boundary, least, most) in enumerate(
        [(2, 3000, 9000), (3, 3000, 9000), (4, 0, 0), (1, 0, 0), (0, 0, 0)], 2
    ):
        reply = dut.ask(Type.CSR_WRITE, number, select.pack(Register.STREAM, boundary))
        assert reply == Packet(Type.CSR_WRITE | 0x80, number)
        assert read(dut, Register.STREAM) == boundary
        dut.pipe.run(3000)
        assert least <= read(dut, Register.STALLS) <= most


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        (Type.CSR_READ, b"", NakCode.SHORT),
        (Type.CSR_READ, b"\x08", NakCode.ADDRESS),
        (Type.CSR_READ, b"\xff", NakCode.ADDRESS),
        (Type.CSR_WRITE, bytes([6, 1, 0, 0]), NakCode.SHORT),
        (Type.CSR_WRITE, bytes([5, 1, 0, 0, 0]), NakCode.ADDRESS),
        (Type.CSR_WRITE, bytes([6, 5, 0, 0, 0]), NakCode.ADDRESS),
        (Type.CSR_WRITE, bytes([6, 1, 0, 0, 1]), NakCode.ADDRESS),
    ],
)
def test_other_registers_and_values_are_refused(kind, payload, code):
    dut = client()
    dut.send(kind, 0, payload)
    assert dut.nak(code, 0) == 0


@pytest.mark.long
def test_bytes_lost_are_seen_until_the_next_reset():
    dut = client()
    assert read(dut, Register.STATUS) == 2
    for sequence in range(8):
        dut.send(Type.PING, sequence, bytes(range(1, 200)))
    while dut.reply() is not None:
        pass
    assert read(dut, Register.STATUS) == 2 + 4
    dut.ask(Type.RESET, 0)
    assert read(dut, Register.STATUS) == 2


@pytest.mark.parametrize("kind", [Type.RUN, Type.CSR_READ, Type.CSR_WRITE])
def test_the_minimal_link_knows_neither(kind):
    dut = Client(SIZE)
    dut.send(kind, 0, bytes(5))
    dut.nak(NakCode.UNKNOWN, 0)

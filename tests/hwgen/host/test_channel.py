"""Numbering, credits, repeats and deadlines against a model of the device."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cores.link.packets import RESPONSE, NakCode, Type
from hwgen.host.channel import (
    ATTEMPTS,
    FRUITLESS,
    Channel,
    LinkError,
    LostError,
    RefusedError,
    Request,
)
from hwgen.host.protocol import Packet
from hwgen.host.transport import LinkClosedError
from tests.hwgen.host.model_device import INFO, ModelDevice

PATIENCE_S = 0.5


def channel(device, *, credits=2):
    result = Channel(device, 1_000_000, patience_s=PATIENCE_S)
    result.credits = credits
    return result


def data(*chunks):
    """DATA requests that fill a batch, and the list that their answers go to."""
    requests, at = [], 0
    for chunk in chunks:
        requests.append(Request(Type.DATA, at.to_bytes(4, "little") + chunk))
        at += len(chunk)
    return requests


def infer(found):
    def take(payload):
        found.append(payload[9:])
        return True

    return Request(Type.INFER, take=take)


def silent(packet, reply):
    return b""


def damaged(packet, reply):
    return bytes([reply[0], reply[1] ^ 1 or 2]) + reply[2:]


def nak(code, packet, reply, *, sequence=None, expected=0):
    at = packet.sequence if sequence is None else sequence
    return Packet(Type.NAK, at, bytes([code, expected])).encode()


def stale(packet, reply):
    """Replies of other requests first: of another type, of another number, and a refusal."""
    other = Packet(packet.type | RESPONSE, (packet.sequence - 9) % 256).encode()
    refusal = Packet(Type.NAK, (packet.sequence - 9) % 256, bytes([NakCode.STALE, 0])).encode()
    return b"\0" + Packet(0x99, packet.sequence, b"old").encode() + other + refusal + reply


def closing(packet, reply):
    raise LinkClosedError("unplugged")


def serve(device, *, credits=2):
    """Three DATA and an INFER after a reset; returns the channel and the result."""
    port, found = channel(device, credits=credits), []
    port.reset()
    port.run_all([*data(b"ab", b"cd", b"ef"), infer(found)])
    return port, b"".join(found)


@pytest.mark.parametrize("credits", [1, 2, 3])
def test_requests_are_sent_ahead_as_far_as_credits_go(credits):
    device = ModelDevice()
    port, found = serve(device, credits=credits)
    assert (found, port.retries, device.most_waiting) == (b"bcdefg", 0, credits)
    numbers = [packet.sequence for packet in device.requests[2:]]
    assert numbers == [(numbers[0] + k) % 256 for k in range(4)]
    assert device.requests[0].sequence == (numbers[0] - 1) % 256


@pytest.mark.parametrize("kind", [Type.RESET, Type.PING, Type.DATA, Type.INFER])
@pytest.mark.parametrize(
    "spoil",
    [silent, damaged, partial(nak, NakCode.DAMAGED), partial(nak, NakCode.DAMAGED, sequence=200)],
)
def test_what_is_lost_is_sent_again_with_its_number(kind, spoil):
    device = ModelDevice(scripts={kind: [spoil] * (ATTEMPTS - 1)})
    port, found = serve(device)
    assert found == b"bcdefg"
    # The acknowledgement of another DATA stands for one that was lost.
    assert port.retries >= (1 if kind == Type.DATA else ATTEMPTS - 1)
    assert len({packet.sequence for packet in device.requests if packet.type == kind}) <= 3


def test_a_delimiter_ends_noise_before_the_first_request_and_before_repetitions():
    device = ModelDevice(scripts={Type.INFER: [silent]})
    written = []
    write = device.write
    device.write = lambda frame: (written.append(frame), write(frame))
    serve(device)
    # RESET, PING, three DATA and INFER sent ahead of their answers, INFER again.
    assert [frame[0] == 0 for frame in written] == [True, True, True, False, False, False, True]


def test_one_acknowledgement_stands_for_all_before_it():
    device = ModelDevice(scripts={Type.DATA: [silent]})
    port, found = serve(device)
    assert (found, port.retries) == (b"bcdefg", 0)


@pytest.mark.parametrize("lost", range(4))
def test_a_request_lost_on_its_way_is_sent_again_with_those_behind_it(lost):
    device = ModelDevice()
    write, count = device.write, [0]

    def lossy(frame):
        count[0] += 1
        if count[0] != lost + 3:
            write(frame)

    device.write = lossy
    port, found = serve(device)
    # The last request of those sent ahead leaves a silence, the others are found out at once.
    assert found == b"bcdefg"
    assert port.retries == (1 if lost == 3 else 2)
    assert (device.clock > PATIENCE_S) == (lost == 3)


def test_no_request_is_sent_again_before_all_that_wait_have_answered():
    device = ModelDevice()
    write, count = device.write, [0]

    def lossy(frame):
        count[0] += 1
        if count[0] != 3:
            write(frame)

    device.write = lossy
    port, found = serve(device, credits=3)
    # Two refusals come for the two requests behind the one lost; each of the three goes once more.
    assert (found, port.retries) == (b"bcdefg", 3)


def test_a_damaged_request_is_sent_again_without_waiting():
    for lost in range(6):
        device = ModelDevice()
        write, count = device.write, [0]

        def damaging(frame, lost=lost, write=write, count=count):
            count[0] += 1
            write(
                frame[:3] + bytes([frame[3] ^ 0x40]) + frame[4:] if count[0] == lost + 1 else frame
            )

        device.write = damaging
        port, found = serve(device)
        assert (found, device.clock) == (b"bcdefg", 0)
        assert 1 <= port.retries <= 2


def test_replies_of_other_requests_are_ignored():
    device = ModelDevice(scripts={kind: [stale] * 9 for kind in Type})
    port, found = serve(device)
    assert (found, port.retries) == (b"bcdefg", 0)


def test_a_reply_cut_off_does_not_spoil_the_next():
    device = ModelDevice(scripts={Type.INFER: [lambda packet, reply: reply[:-2]]})
    port, found = serve(device)
    assert (found, port.retries) == (b"bcdefg", 1)


def test_nothing_of_an_earlier_host_is_taken_for_an_answer():
    # The line holds the reply to the very number that the next RESET will have.
    for number in range(256):
        device = ModelDevice()
        port = channel(device)
        port._sequence = number
        left = [Packet(kind | RESPONSE, number).encode() for kind in (Type.RESET, Type.PING)]
        device.outgoing += left[0] + left[1]
        assert device.requests == []
        port.reset()
        found = []
        port.run_all([*data(b"ab"), infer(found)])
        assert found == [b"bc"]


@pytest.mark.parametrize("kind", [Type.RESET, Type.DATA, Type.INFER])
def test_a_device_without_replies_is_an_error_in_time(kind):
    device = ModelDevice(scripts={kind: [silent] * 999})
    message = rf"^no valid reply to {kind.name} in 4 attempts of 0\.5\d s$"
    with pytest.raises(LinkError, match=message):
        serve(device)
    assert device.clock <= ATTEMPTS * 0.6


def test_a_device_with_damaged_replies_only_is_an_error_in_time():
    device = ModelDevice(scripts={Type.DATA: [damaged] * 999})
    message = r"^no progress with DATA in 32 attempts: the line damages too many packets$"
    with pytest.raises(LinkError, match=message):
        serve(device)
    assert device.count(Type.DATA) <= 2 * FRUITLESS


def test_a_device_that_babbles_is_an_error_in_time():
    class Babbling(ModelDevice):
        def read(self, count, timeout):
            self.clock += 0.01
            return Packet(0x99, 5).encode()

    device = Babbling()
    with pytest.raises(LinkError, match=r"^no valid reply to RESET in 4 attempts of 0\.5\d s$"):
        serve(device)
    assert device.clock < ATTEMPTS * 0.6


def test_the_deadline_counts_the_line_and_the_device():
    device = ModelDevice(scripts={Type.INFER: [silent] * 9})
    port = Channel(device, 1000, patience_s=PATIENCE_S)
    port.reset()
    request = Request(Type.INFER, reply_bytes=193, busy_s=3.0)
    # Twice 2 s for 14 bytes of frames and the reply, twice 3 s, and the patience.
    with pytest.raises(LinkError, match=r"^no valid reply to INFER in 4 attempts of 10\.64 s$"):
        port.run_all([*data(b"ab"), request])
    assert device.clock > ATTEMPTS * 10.6


def test_a_slow_device_gets_more_time():
    class Slow(ModelDevice):
        def read(self, count, timeout):
            if self.waiting:
                self.clock += 0.45
            return super().read(count, timeout)

    device = Slow(scripts={Type.INFER: [silent] * 9})
    port = channel(device)
    port.reset()
    # The 7 bytes of the reply to RESET took 0.45 s, not 70 us, whereof 0.05 s may be the host's.
    assert port.slowness == pytest.approx(0.4 / 70e-6, rel=1e-3)
    # Twice 0.8 s for two frames of 7 bytes, twice 28.6 s, and the patience.
    with pytest.raises(LinkError, match=r"^no valid reply to INFER in 4 attempts of 59\.23 s$"):
        port.run_all([*data(b"ab"), Request(Type.INFER, busy_s=0.005)])


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (NakCode.UNKNOWN, RefusedError, "the packet type is unknown to this device"),
        (NakCode.SHORT, RefusedError, "the packet is shorter than its type needs"),
        (NakCode.BUSY, RefusedError, "a batch is running and there is no other bank"),
        (NakCode.STALE, LostError, "its result is no longer held"),
        (NakCode.INCOMPLETE, LostError, "INFER came before the whole input frame"),
    ],
)
def test_a_refusal_is_an_error_with_its_reason(code, error, message):
    device = ModelDevice(scripts={Type.DATA: [partial(nak, code)] * 99})
    with pytest.raises(error, match=rf"^the device refused DATA: {message}$") as caught:
        serve(device)
    assert caught.value.code == code
    assert (device.count(Type.DATA) > 3) == (code == NakCode.BUSY)


def test_a_device_that_lost_its_power_is_noticed():
    device = ModelDevice()
    port = channel(device)
    port.reset()
    port._sequence = device.expected = 100  # neither 0 nor, seen from 0, a repeat
    port.run_all(data(b"ab"))
    device.power_on()
    with pytest.raises(LostError, match=r"^the device refused DATA: it is not the request that "):
        port.run_all(data(b"ab"))


@pytest.mark.parametrize("kind", [Type.RESET, Type.DATA])
def test_an_unplugged_device_is_an_error(kind):
    device = ModelDevice(scripts={kind: [closing]})
    with pytest.raises(LinkError, match=rf"^the link closed during {kind.name}: unplugged$"):
        serve(device)


def test_any_byte_may_be_lost_doubled_or_wrong():
    def spoilt(device, at, change):
        """A device where byte `at` of all that is sent, or received, is changed."""
        count = [0]

        def spoil(stretch):
            first, count[0] = count[0], count[0] + len(stretch)
            if first <= at < count[0]:
                return (
                    stretch[: at - first] + change(stretch[at - first]) + stretch[at - first + 1 :]
                )
            return stretch

        return spoil

    rng = np.random.default_rng(7)
    changes = [
        lambda byte: b"",
        lambda byte: bytes([byte, byte]),
        lambda byte: bytes([byte ^ 1 << int(rng.integers(8))]),
        lambda byte: b"\0" + bytes([byte]),
    ]
    for change in changes:
        for at in range(60):
            for side in ("write", "read"):
                device = ModelDevice(replace(INFO, batch_frames=8))
                spoil = spoilt(device, at, change)
                inner = getattr(device, side)
                if side == "write":
                    device.write = lambda data, inner=inner, spoil=spoil: inner(spoil(data))
                else:
                    device.read = lambda n, t, inner=inner, spoil=spoil: spoil(inner(n, t))
                _, found = serve(device)
                assert found == b"bcdefg"

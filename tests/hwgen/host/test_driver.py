"""The driver against a scripted device; `tests/hwgen/test_top.py` has it against the hardware."""

import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from cobs import cobs

from hwgen.errors import InputError
from hwgen.host import edges
from hwgen.host.driver import ATTEMPTS, Accelerator, LinkError, RefusedError
from hwgen.host.manifest import Manifest, Port
from hwgen.host.protocol import FrameError, Info, NakCode, Packet, Type
from hwgen.host.transport import LinkClosedError, SerialTransport

ELEMENT = Port(shape=(2,), elem="int64", int_shape=(2,), dtype="u8", link_lanes=1, steps=())
MANIFEST = Manifest(
    model="toy",
    model_hash="0011223344556677",
    build_id="8899aabbccddeeff",
    board="none",
    device="none",
    clock_mhz=1.0,
    baud=1_000_000,
    inputs={"x": ELEMENT},
    outputs={"y": ELEMENT},
    cycles_per_frame=10,
    latency_cycles=20,
)
INFO = Info(
    model_hash=bytes.fromhex(MANIFEST.model_hash),
    build_id=bytes.fromhex(MANIFEST.build_id),
    clk_hz=1_000_000,
    in_bytes=2,
    out_bytes=2,
    cycles_per_frame=10,
    latency_cycles=20,
    generator=(0, 1, 0),
)


class Scripted:
    """A device that returns what came in; scripts spoil its replies.

    Parameters
    ----------
    info : Info
    scripts : dict of int to callable
        By request type, a list of functions of (packet, good reply bytes) to bytes, one per
        request received, used up in order.
    """

    def __init__(self, info=INFO, scripts=None):
        self.info = info
        self.scripts = {kind: list(steps) for kind, steps in (scripts or {}).items()}
        self.requests = []
        self.frame = b""
        self.waiting = b""
        self.clock = 0.0
        self.closed = False

    def write(self, data):
        for frame in data.split(b"\0"):
            if frame:
                packet = Packet.decode(frame)
                self.requests.append(packet)
                reply = self.reply(packet)
                if self.scripts.get(packet.type):
                    reply = self.scripts[packet.type].pop(0)(packet, reply)
                self.waiting += reply

    def reply(self, packet):
        payload = packet.payload
        if packet.type == Type.INFO:
            payload = self.info.pack()
        elif packet.type == Type.DATA:
            self.frame, payload = self.frame[: payload[0]] + payload[4:], b""
        elif packet.type == Type.INFER:
            payload = bytes([0, 33, 0, 0, 0, 0, 0, 0, 0]) + self.frame
        return Packet(packet.type | 0x80, packet.sequence, payload).encode()

    def read(self, count, timeout):
        if not self.waiting:
            self.clock += timeout
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data

    def now(self):
        return self.clock

    def close(self):
        self.closed = True

    def count(self, kind):
        return sum(packet.type == kind for packet in self.requests)


def silent(packet, reply):
    return b""


def damaged(packet, reply):
    return bytes([reply[0]]) + bytes([reply[1] ^ 1 or 2]) + reply[2:]


def nak(code, packet, reply, *, sequence=None):
    at = packet.sequence if sequence is None else sequence
    return Packet(Type.NAK, at, bytes([code])).encode()


def late(packet, reply):
    """Stale replies first: of another request, of another number."""
    other = Packet(packet.type | 0x80, (packet.sequence - 1) % 256).encode()
    return b"\0" + Packet(0x82, packet.sequence, b"old").encode() + other + reply


def closing(packet, reply):
    raise LinkClosedError("unplugged")


X = np.array([[1, 2], [3, 255]])


def test_opening_resets_and_identifies():
    device = Scripted()
    with Accelerator.open(device, MANIFEST) as accelerator:
        assert accelerator.info == INFO
        assert [packet.type for packet in device.requests] == [Type.RESET, Type.INFO]
    assert device.closed


def test_execute_one_frame_or_many():
    accelerator = Accelerator.open(Scripted(), MANIFEST)
    assert np.array_equal(accelerator.execute(X), X)
    assert np.array_equal(accelerator.execute(X[1]), X[1])
    assert accelerator.execute(X[:0]).shape == (0, 2)
    assert (accelerator.latency_cycles, accelerator.retries) == (33, 0)


@pytest.mark.parametrize("kind", [Type.RESET, Type.INFO, Type.DATA, Type.INFER])
@pytest.mark.parametrize(
    "spoil",
    [silent, damaged, partial(nak, NakCode.DAMAGED), partial(nak, NakCode.DAMAGED, sequence=200)],
)
def test_a_lost_or_damaged_packet_is_sent_again_with_the_same_number(kind, spoil):
    device = Scripted(scripts={kind: [spoil] * (ATTEMPTS - 1)})
    accelerator = Accelerator.open(device, MANIFEST)
    assert np.array_equal(accelerator.execute(X[0]), X[0])
    assert accelerator.retries == ATTEMPTS - 1
    tries = [packet for packet in device.requests if packet.type == kind]
    assert tries == [tries[0]] * ATTEMPTS


def test_a_reply_cut_off_does_not_spoil_the_next():
    device = Scripted(scripts={Type.DATA: [lambda packet, reply: reply[:-2]]})
    accelerator = Accelerator.open(device, MANIFEST)
    assert np.array_equal(accelerator.execute(X), X)
    assert accelerator.retries == 1


def test_replies_of_other_requests_are_ignored():
    device = Scripted(scripts={kind: [late] * 9 for kind in Type})
    accelerator = Accelerator.open(device, MANIFEST)
    assert np.array_equal(accelerator.execute(X), X)
    assert accelerator.retries == 0


@pytest.mark.parametrize("kind", [Type.RESET, Type.INFO, Type.DATA, Type.INFER])
@pytest.mark.parametrize("spoil", [silent, damaged])
def test_a_device_without_valid_replies_is_an_error_in_time(kind, spoil):
    device = Scripted(scripts={kind: [spoil] * 99})
    with pytest.raises(
        LinkError, match=rf"^no valid reply to {kind.name} in 4 attempts of 0\.50 s$"
    ):
        Accelerator.open(device, MANIFEST).execute(X)
    assert device.count(kind) == ATTEMPTS
    assert device.clock <= ATTEMPTS * 0.6


def test_the_deadline_grows_with_line_time_and_latency():
    slow = replace(INFO, clk_hz=1000, latency_cycles=3000)
    device = Scripted(slow, {Type.INFER: [silent] * 99})
    accelerator = Accelerator.open(device, replace(MANIFEST, baud=1000))
    with pytest.raises(LinkError, match=r"^no valid reply to INFER in 4 attempts of 6\.\d\d s$"):
        accelerator.execute(X)
    assert device.clock > ATTEMPTS * 6.5


@pytest.mark.parametrize("code", [NakCode.OFFSET, NakCode.INCOMPLETE])
def test_a_frame_that_the_device_lost_is_sent_again(code):
    device = Scripted(scripts={Type.INFER: [partial(nak, code)]})
    accelerator = Accelerator.open(device, MANIFEST)
    assert np.array_equal(accelerator.execute(X[0]), X[0])
    assert (device.count(Type.DATA), device.count(Type.INFER)) == (2, 2)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (NakCode.UNKNOWN, r"^the device refused INFER: the packet type is unknown to this device$"),
        (NakCode.INCOMPLETE, r"^the device refused INFER: INFER came before the whole input .*$"),
    ],
)
def test_a_refusal_is_an_error_with_its_reason(code, message):
    device = Scripted(scripts={Type.INFER: [partial(nak, code)] * 99})
    with pytest.raises(RefusedError, match=message):
        Accelerator.open(device, MANIFEST).execute(X)


@pytest.mark.parametrize("kind", [Type.RESET, Type.DATA])
def test_an_unplugged_device_is_an_error(kind):
    device = Scripted(scripts={kind: [closing]})
    with pytest.raises(LinkError, match=rf"^the link closed during {kind.name}: unplugged$"):
        Accelerator.open(device, MANIFEST).execute(X)


def test_the_result_must_be_whole():
    def status(packet, reply):
        return Packet(packet.type | 0x80, packet.sequence, bytes([7]) + bytes(10)).encode()

    def longer(packet, reply):
        return Packet(packet.type | 0x80, packet.sequence, bytes(9) + b"abc").encode()

    for spoil, message in (
        (status, "^RESULT must have status 0 and a header, not 070000000000000000$"),
        (longer, "^RESULT must have 2 bytes, not 3$"),
    ):
        device = Scripted(scripts={Type.INFER: [spoil]})
        with pytest.raises(LinkError, match=message):
            Accelerator.open(device, MANIFEST).execute(X)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (
            replace(INFO, model_hash=bytes(8)),
            r"^the device holds model 0000000000000000, the manifest is of toy \(0.*programmed$",
        ),
        (
            replace(INFO, protocol=(1, 0)),
            r"^wrong device: the device must speak protocol version 2, not 1\.0$",
        ),
        (
            replace(INFO, out_bytes=4),
            r"^the device has frames of 2 and 4 bytes, the manifest 2 and 2: .*programmed$",
        ),
    ],
)
def test_another_device_is_refused(info, message):
    with pytest.raises(InputError, match=message):
        Accelerator.open(Scripted(info), MANIFEST)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"^input x must have shape \(2,\) or \(N, 2\), not \(3,\)$"),
        (np.zeros((1, 1, 2)), r"^input x must have shape \(2,\) or \(N, 2\), not \(1, 1, 2\)$"),
        (np.array([1, 256]), r"^input x: integers must lie within 0\.\.255, not 1\.\.256$"),
    ],
)
def test_rejects_inputs(x, message):
    with pytest.raises(InputError, match=message):
        Accelerator.open(Scripted(), MANIFEST).execute(x)


def test_rejects_several_inputs():
    manifest = replace(MANIFEST, inputs={"a": ELEMENT, "b": ELEMENT})
    with pytest.raises(
        InputError,
        match=r"^the driver serves models with one input and one output, not the 2 inputs a, b$",
    ):
        Accelerator.open(Scripted(), manifest)


def test_host_edges_are_applied():
    quantise = {
        "op": "quantise",
        "args": [-1],
        "scale": edges.real(np.array([0.5])),
        "zero_point": edges.real(np.array([0.0])),
        "lo": 0,
        "hi": 255,
        "rounding": "HALF_EVEN",
        "round_first": True,
    }
    scale = {
        "op": "affine",
        "args": [-1],
        "scale": edges.real(np.array([0.25])),
        "bias": edges.real(np.array([-1.0])),
        "axis": 0,
    }
    float32 = {"op": "float32", "args": [0]}
    manifest = replace(
        MANIFEST,
        inputs={"x": replace(ELEMENT, elem="float32", steps=(quantise,))},
        outputs={"y": replace(ELEMENT, elem="float32", steps=(scale, float32))},
    )
    accelerator = Accelerator.open(Scripted(), manifest)
    y = accelerator.execute(np.array([[0.75, 500.0]], np.float32))
    assert y.dtype == np.float32
    assert y.tolist() == [[-0.5, 62.75]]  # integers 2 (a tie) and 255


def test_validate_counts_equal_samples_or_labels():
    accelerator = Accelerator.open(Scripted(), MANIFEST)
    assert accelerator.validate(X, X).accuracy == 1
    wrong = X.copy()
    wrong[0, 1] = 9
    assert accelerator.validate(X, wrong).correct == 1
    assert accelerator.validate(X, np.array([1, 0])).accuracy == 0.5
    with pytest.raises(
        InputError,
        match=r"^expected values must have shape \(2, 2\) or, as labels, \(2,\), not \(3,\)$",
    ):
        accelerator.validate(X, np.zeros(3))


def test_ping_must_return_its_bytes():
    def other(packet, reply):
        return Packet(packet.type | 0x80, packet.sequence, b"no").encode()

    accelerator = Accelerator.open(Scripted(scripts={Type.PING: [lambda p, r: r, other]}), MANIFEST)
    accelerator.ping(b"yes")
    with pytest.raises(LinkError, match=r"^PING must return 796573, not 6e6f$"):
        accelerator.ping(b"yes")


def test_open_reports_a_missing_port_and_manifest(tmp_path):
    with pytest.raises(LinkError, match=r"^cannot open the link: .*no-such-port"):
        Accelerator.open(str(tmp_path / "no-such-port"), MANIFEST)
    with pytest.raises(InputError, match=r"no-such-file"):
        Accelerator.open(Scripted(), tmp_path / "no-such-file")


def test_serial_transport_over_a_pseudo_terminal():
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    transport = SerialTransport(os.ttyname(slave), 115_200)
    try:
        transport.write(b"\x00\x11\x13\xffto")
        assert os.read(master, 99) == b"\x00\x11\x13\xffto"
        assert transport.read(10, 0.01) == b""
        os.write(master, b"\x00\x11\x13\xfffrom")
        start = transport.now()
        found = b""
        while len(found) < 8:
            found += transport.read(3, 2.0)
        assert found == b"\x00\x11\x13\xfffrom"
        assert transport.now() - start < 2
        os.close(master)
        with pytest.raises(LinkClosedError):
            for _ in range(99):
                transport.write(b"?")
                transport.read(1, 0.01)
    finally:
        transport.close()
        os.close(slave)


def test_frames_of_the_driver_are_cobs():
    device = Scripted()
    written = []
    device.write = lambda data: (written.append(data), Scripted.write(device, data))
    Accelerator.open(device, MANIFEST)
    for data in written:
        assert data[0] == data[-1] == 0
        assert len(cobs.decode(data[1:-1])) == 4


def test_damaged_frames_are_never_taken_for_packets():
    good = Packet(Type.PING, 1, b"abc").encode()[:-1]
    for at in range(len(good)):
        for bit in range(8):
            bad = good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
            with pytest.raises(FrameError):
                Packet.decode(bad)

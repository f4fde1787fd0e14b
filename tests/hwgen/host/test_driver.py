"""The driver against a model of the device; `tests/hwgen/board/test_emulated_board.py` has it
against the hardware."""

import os
from dataclasses import replace
from hashlib import blake2s

import numpy as np
import pytest
from cobs import cobs

from cores.link.packets import Type
from hwgen.errors import InputError
from hwgen.host import edges
from hwgen.host.driver import Accelerator, LinkError
from hwgen.host.protocol import FrameError, Packet
from hwgen.host.transport import LinkClosedError, SerialTransport
from tests.hwgen.host.model_device import ELEMENT, INFO, LATENCY, MANIFEST, ModelDevice

X = np.array([[1, 2], [3, 255]])


def test_opening_resets_and_identifies():
    device = ModelDevice()
    with Accelerator.open(device, MANIFEST) as accelerator:
        assert accelerator.device.info == INFO
        assert [packet.type for packet in device.requests] == [Type.RESET, Type.PING, Type.INFO]
    assert device.closed


def test_execute_one_frame_or_many():
    accelerator = Accelerator.open(ModelDevice(), MANIFEST)
    assert np.array_equal(accelerator.execute(X), (X + 1) % 256)
    assert np.array_equal(accelerator.execute(X[1]), (X[1] + 1) % 256)
    assert accelerator.execute(X[:0]).shape == (0, 2)
    assert (accelerator.device.latency_cycles, accelerator.device.retries) == (LATENCY, 0)


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
    device = ModelDevice(info)
    with pytest.raises(InputError, match=message):
        Accelerator.open(device, MANIFEST)
    assert device.closed


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
        Accelerator.open(ModelDevice(), MANIFEST).execute(x)


def test_rejects_several_inputs():
    manifest = replace(MANIFEST, inputs={"a": ELEMENT, "b": ELEMENT})
    with pytest.raises(
        InputError,
        match=r"^the driver serves models with one input and one output, not the 2 inputs a, b$",
    ):
        Accelerator.open(ModelDevice(), manifest)


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
    accelerator = Accelerator.open(ModelDevice(), manifest)
    y = accelerator.execute(np.array([[0.75, 500.0]], np.float32))
    assert y.dtype == np.float32
    assert y.tolist() == [[-0.25, -1.0]]  # integers 2 (a tie) and 255, to each of which 1 is added


def test_validate_counts_equal_samples_or_labels():
    accelerator = Accelerator.open(ModelDevice(), MANIFEST)
    right = (X + 1) % 256
    assert accelerator.validate(X, right).accuracy == 1
    wrong = right.copy()
    wrong[0, 1] = 9
    assert accelerator.validate(X, wrong).correct == 1
    assert accelerator.validate(X, np.array([1, 1])).accuracy == 0.5
    with pytest.raises(
        InputError,
        match=r"^expected values must have shape \(2, 2\) or, as labels, \(2,\), not \(3,\)$",
    ):
        accelerator.validate(X, np.zeros(3))


def test_ping_must_return_its_bytes():
    def other(packet, reply):
        return Packet(packet.type | 0x80, packet.sequence, b"no").encode()

    good = [lambda packet, reply: reply] * 2
    accelerator = Accelerator.open(ModelDevice(scripts={Type.PING: [*good, other]}), MANIFEST)
    accelerator.device.ping(b"yes")
    with pytest.raises(LinkError, match=r"^PING must return 796573, not 6e6f$"):
        accelerator.device.ping(b"yes")


def test_open_reports_a_missing_port_and_manifest(tmp_path):
    with pytest.raises(LinkError, match=r"^cannot open the link: .*no-such-port"):
        Accelerator.open(str(tmp_path / "no-such-port"), MANIFEST)
    with pytest.raises(InputError, match=r"no-such-file"):
        Accelerator.open(ModelDevice(), tmp_path / "no-such-file")


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


def test_a_port_that_takes_no_more_bytes_is_an_error(monkeypatch):
    pty = pytest.importorskip("pty")
    monkeypatch.setattr("hwgen.host.transport.WRITE_S", 0.2)
    master, slave = pty.openpty()
    transport = SerialTransport(os.ttyname(slave), 115_200)
    try:
        with pytest.raises(LinkClosedError, match="Write timeout"):
            transport.write(bytes(1 << 20))
    finally:
        transport.close()
        os.close(master)
        os.close(slave)


def test_frames_of_the_driver_are_cobs():
    device = ModelDevice()
    written = []
    write = device.write
    device.write = lambda data: (written.append(data), write(data))
    Accelerator.open(device, MANIFEST)
    for data in written:
        assert data[0] == data[-1] == 0
        assert len(cobs.decode(data[1:-1])) in (4, 12)


WEIGHTS = bytes(range(256)) * 3
LOADED = replace(INFO, weight_bytes=len(WEIGHTS))
WITH_WEIGHTS = replace(MANIFEST, weights_hash=blake2s(WEIGHTS, digest_size=8).hexdigest())


def test_weights_are_loaded_before_frames_run(tmp_path):
    device = ModelDevice(LOADED)
    accelerator = Accelerator.open(device, WITH_WEIGHTS)
    with pytest.raises(
        LinkError, match=r"^the device refused INFER: the weights must be loaded fi"
    ):
        accelerator.execute(X)
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    accelerator.load_weights(tmp_path / "weights.bin")
    assert device.image == WEIGHTS
    assert np.array_equal(accelerator.execute(X), (X + 1) % 256)
    accelerator.device.reset()
    assert np.array_equal(accelerator.execute(X), (X + 1) % 256)


def test_weights_come_from_the_folder_of_the_build(tmp_path):
    device = ModelDevice(LOADED)
    WITH_WEIGHTS.save(tmp_path / "manifest.json")
    accelerator = Accelerator.open(device, tmp_path)
    with pytest.raises(InputError, match=r"weights\.bin"):
        accelerator.load_weights()
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    accelerator.load_weights()
    assert device.image == WEIGHTS
    with pytest.raises(
        InputError, match=r"^weights must be given where the manifest was not read "
    ):
        Accelerator.open(device, WITH_WEIGHTS).load_weights()


def test_weights_are_loaded_again_after_power_was_lost():
    device = ModelDevice(LOADED)
    accelerator = Accelerator.open(device, WITH_WEIGHTS)
    accelerator.load_weights(WEIGHTS)
    device.power_on()
    assert np.array_equal(accelerator.execute(X), (X + 1) % 256)
    assert device.image == WEIGHTS


@pytest.mark.parametrize(
    ("image", "info", "message"),
    [
        (WEIGHTS, INFO, r"^toy has its weights in its bitstream$"),
        (b"1234", LOADED, r"^weights must have 768 bytes, not 4: take the image of the bitstream "),
        (
            bytes(768),
            LOADED,
            r"^weights must be the image [0-9a-f]{16} of the manifest, not [0-9a-f]{16}$",
        ),
        ("no-such-file", LOADED, r"No such file"),
    ],
)
def test_rejects_weights(image, info, message):
    with pytest.raises(InputError, match=message):
        Accelerator.open(ModelDevice(info), WITH_WEIGHTS).load_weights(image)


def test_damaged_frames_are_never_taken_for_packets():
    good = Packet(Type.PING, 1, b"abc").encode()[:-1]
    for at in range(len(good)):
        for bit in range(8):
            bad = good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
            with pytest.raises(FrameError):
                Packet.decode(bad)

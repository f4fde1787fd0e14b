"""Frames, runs and counters in bytes, at a device that may forget everything at any time."""

from dataclasses import replace

import numpy as np
import pytest

from cores.link.packets import NakCode, Type
from hwgen.errors import InputError
from hwgen.host.channel import LinkError, LostError
from hwgen.host.device import RECOVERIES, ConnectedDevice, Counters, PatternRun
from hwgen.host.protocol import Feature, Packet
from tests.hwgen.host.model_device import INFO, LATENCY, MANIFEST, ModelDevice

FRAMES = [bytes([k, 255 - k]) for k in range(23)]
OUTPUTS = [bytes([k + 1, (256 - k) % 256]) for k in range(23)]


def connect(device, patience_s=0.5):
    return ConnectedDevice(device, MANIFEST, patience_s=patience_s, progress=False)


@pytest.mark.parametrize("banks", [1, 2])
@pytest.mark.parametrize("credits", [1, 2])
@pytest.mark.parametrize("batch_frames", [1, 4, 200])
def test_frames_come_back_in_order(banks, credits, batch_frames):
    device = ModelDevice(
        replace(INFO, banks=banks, credits=credits, batch_frames=batch_frames), result_bytes=3
    )
    port = connect(device)
    assert port.transfer(FRAMES) == OUTPUTS
    assert (port.latency_cycles, port.retries, port.recoveries) == (LATENCY, 0, 0)
    assert device.count(Type.INFER) == -(-23 // batch_frames)
    assert device.most_waiting == credits


@pytest.mark.parametrize("credits", [1, 2])
def test_one_batch_fills_while_another_runs(credits):
    device = ModelDevice(replace(INFO, credits=credits))
    running = []
    infer = device.infer
    device.infer = lambda packet: (
        running.append(sum(not j.done for j in device.jobs)) or infer(packet)
    )
    connect(device).transfer(FRAMES)
    assert running == [0, 1, 1, 1, 1, 1]


def test_long_batches_are_cut_into_packets():
    device = ModelDevice(replace(INFO, batch_frames=300))
    frames = [bytes([k % 256, 7]) for k in range(500)]
    found = connect(device).transfer(frames)
    assert found == [bytes([(k + 1) % 256, 8]) for k in range(500)]
    sizes = [len(packet.payload) - 4 for packet in device.requests if packet.type == Type.DATA]
    assert sizes == [236, 236, 128, 236, 164]


@pytest.mark.parametrize("credits", [1, 2])
def test_power_may_be_lost_at_any_request(credits):
    for at in range(4, 16):
        device = ModelDevice(replace(INFO, credits=credits))
        write, count = device.write, [0]

        def fading(data, device=device, write=write, count=count, at=at):
            count[0] += 1
            if count[0] == at:
                device.power_on()
            write(data)

        device.write = fading
        port = connect(device)
        assert port.transfer(FRAMES) == OUTPUTS
        assert port.recoveries == 1


def test_faults_of_every_kind_cost_retries_only():
    """Bytes lost, doubled, changed and added in both directions, and power lost."""
    wrong = retries = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        device = ModelDevice(result_bytes=5)

        def spoil(data, rng=rng):
            spoilt = bytearray()
            for byte in data:
                kind = int(rng.integers(1600))
                if kind < 4:
                    byte ^= 1 << int(rng.integers(8))
                spoilt += b"" if kind == 4 else bytes([byte]) * (2 if kind == 5 else 1)
                if kind == 6:
                    spoilt.append(int(rng.integers(256)))
            return bytes(spoilt)

        write, read = device.write, device.read

        def lossy(data, device=device, write=write, rng=rng, spoil=spoil):
            if rng.random() < 0.005:
                device.power_on()
            write(spoil(data))

        device.write = lossy
        device.read = lambda count, timeout, read=read, spoil=spoil: spoil(read(count, timeout))
        port = connect(device, patience_s=0.01)
        for _ in range(10):
            wrong += port.transfer(FRAMES) != OUTPUTS
        retries += port.retries
    assert wrong == 0
    assert retries > 500


def test_a_device_that_always_forgets_is_an_error():
    def forgetful(packet, reply):
        return Packet(Type.NAK, packet.sequence, bytes([NakCode.INCOMPLETE, 0])).encode()

    device = ModelDevice(scripts={Type.INFER: [forgetful] * 99})
    with pytest.raises(LostError, match=r"^the device refused INFER: INFER came before the whole"):
        connect(device).transfer(FRAMES)
    assert device.count(Type.INFER) == 2 * (RECOVERIES + 1)


def test_a_device_that_forgets_after_every_result_is_served():
    device = ModelDevice()
    answer = device.answer

    def forgetful(job):
        answer(job)
        device.power_on()

    device.answer = forgetful
    port = connect(device)
    assert port.transfer(FRAMES) == OUTPUTS
    assert port.recoveries > RECOVERIES


def test_another_model_after_a_power_loss_is_refused():
    device = ModelDevice()
    port = connect(device)
    device.power_on()
    device.expected = 77
    device.info = replace(INFO, model_hash=bytes(8))
    with pytest.raises(InputError, match=r"^the device holds model 0000000000000000, the manifest"):
        for _ in range(2):
            port.transfer(FRAMES)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            bytes([7]) + bytes(10),
            "^RESULT must have status 0 and a header, not 070000000000000000$",
        ),
        (bytes(9) + b"abc", "^RESULT must have 2 bytes, not 3$"),
        (bytes(5) + b"\1\0\0\0ab", "^RESULT must have 2 bytes from the first on, not from 1$"),
    ],
)
def test_the_result_must_be_whole(reply, message):
    def other(packet, _):
        return Packet(packet.type | 0x80, packet.sequence, reply).encode()

    with pytest.raises(LinkError, match=message):
        connect(ModelDevice(scripts={Type.INFER: [other]})).transfer(FRAMES[:1])


def test_run_returns_what_the_device_measured():
    device = ModelDevice()
    assert connect(device).run(5) == PatternRun(cycles=60, saturated=False, frames=5, checksum=385)
    assert device.requests[-1].payload == bytes([5, 0, 0, 0])


def test_run_is_repeated_when_its_reply_or_the_power_is_lost():
    device = ModelDevice(scripts={Type.RUN: [lambda packet, reply: b""]})
    port = connect(device)
    assert port.run(5).cycles == 60
    assert (port.retries, port.recoveries) == (1, 0)
    device.power_on()
    device.expected = (device.requests[-1].sequence + 100) % 256
    assert port.run(6).frames == 6
    assert port.recoveries == 1


@pytest.mark.parametrize("frames", [0, 1 << 32])
def test_rejects_numbers_of_frames(frames):
    with pytest.raises(
        InputError, match=rf"^frames of a RUN must be in 1\.\.4294967295, not {frames}$"
    ):
        connect(ModelDevice()).run(frames)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (bytes(16), r"^the reply to RUN must have 17 bytes and status 0 or 1, not (00){16}$"),
        (b"\2" + bytes(16), r"^the reply to RUN must have 17 bytes and status 0 or 1, not 02"),
        (bytes(17), r"^RUN must answer for 5 frames, not 0$"),
    ],
)
def test_the_answer_of_a_run_must_be_whole(reply, message):
    def other(packet, _):
        return Packet(packet.type | 0x80, packet.sequence, reply).encode()

    with pytest.raises(LinkError, match=message):
        connect(ModelDevice(scripts={Type.RUN: [other]})).run(5)


def test_counters_and_the_stream_they_watch():
    device = ModelDevice()
    port = connect(device)
    port.watch("middle")
    device.stalls = 9
    assert port.counters() == Counters(
        cycles=100,
        frames_in=101,
        frames_out=102,
        latency_cycles=103,
        interval_cycles=104,
        stream="middle",
        stalls=9,
    )
    port.watch("output")
    assert (port.counters().stream, port.counters().stalls) == ("output", 0)
    with pytest.raises(InputError, match=r"^stream must be one of input, output, middle, not up$"):
        port.watch("up")


def test_a_choice_of_stream_that_did_not_act_is_an_error():
    device = ModelDevice()
    port = connect(device)
    device.power_on()
    device.expected = 100  # the number comes for a repeat: it is acknowledged, and does not act
    with pytest.raises(LinkError, match=r"^register STREAM must be 2, not 0$"):
        port.watch("middle")


@pytest.mark.parametrize("use", [ConnectedDevice.counters, lambda port: port.run(1)])
def test_a_minimal_link_has_neither_counters_nor_pattern(use):
    port = connect(ModelDevice(replace(INFO, features=Feature(0))))
    with pytest.raises(
        InputError,
        match=r"^the link of toy has no counters and no pattern source: build it with the full ",
    ):
        use(port)

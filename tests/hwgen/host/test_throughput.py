from dataclasses import replace

import numpy as np
import pytest

from cores.link.packets import Type
from hwgen.errors import InputError
from hwgen.host.driver import Accelerator
from hwgen.host.manifest import PatternCheck
from hwgen.host.pattern import checksum, pattern
from hwgen.host.protocol import Packet
from hwgen.host.throughput import ChecksumError, expected_checksum, pattern_frames
from tests.hwgen.host.model_device import MANIFEST, ModelDevice

FINN_KEYS = {
    "runtime[ms]",
    "throughput[images/s]",
    "DRAM_in_bandwidth[MB/s]",
    "DRAM_out_bandwidth[MB/s]",
    "fclk[mhz]",
    "batch_size",
    "fold_input[ms]",
    "pack_input[ms]",
    "copy_input_data_to_device[ms]",
    "copy_output_data_from_device[ms]",
    "unpack_output[ms]",
    "unfold_output[ms]",
}


def add_one(n):
    return (n + 1) % 256


class Computing(ModelDevice):
    """Runs the pattern, and gives its outputs' checksum, plus `error`."""

    error = 0

    def run(self, packet):
        frames = int.from_bytes(packet.payload, "little")
        right = expected_checksum(MANIFEST, frames, add_one)
        failed = super().run(packet)
        payload = self.jobs[-1].replies[0]
        found = (right + self.error).to_bytes(4, "little")
        self.jobs[-1].replies[0] = payload[:-4] + found
        return failed


def test_the_report_has_finns_keys_and_the_device_s_cycles():
    accelerator = Accelerator.open(Computing(), MANIFEST)
    found = accelerator.throughput_test(50)
    assert found.keys() - FINN_KEYS == {"cycles", "cycles_per_frame", "checksum", "checksum_frames"}
    assert found.keys() >= FINN_KEYS
    # 50 frames of 2 bytes in 20 + 49 * 10 cycles at 1 MHz.
    assert found["cycles"] == 510
    assert found["cycles_per_frame"] == 10.2
    assert found["runtime[ms]"] == pytest.approx(0.51)
    assert found["throughput[images/s]"] == pytest.approx(50 / 510e-6)
    assert found["DRAM_in_bandwidth[MB/s]"] == pytest.approx(100 / 510)
    assert (found["fclk[mhz]"], found["batch_size"]) == (1.0, 50)
    assert found["checksum_frames"] == 0


def test_the_checksum_of_the_build_and_of_a_reference_are_compared():
    check = PatternCheck(16, expected_checksum(MANIFEST, 16, add_one))
    device = Computing()
    accelerator = Accelerator.open(device, replace(MANIFEST, pattern=check))
    assert accelerator.throughput_test(3)["checksum_frames"] == 16
    assert accelerator.throughput_test(50, reference=add_one)["checksum_frames"] == 50
    message = (
        r"^the outputs of {} frames must have the checksum 0x[0-9a-f]{{8}}, "
        r"not 0x[0-9a-f]{{8}}: the device computes something else than its model$"
    )
    with pytest.raises(ChecksumError, match=message.format(50)):
        accelerator.throughput_test(50, reference=lambda n: n)
    device.error = 1
    with pytest.raises(ChecksumError, match=message.format(16)):
        accelerator.throughput_test(3)


def test_a_run_too_long_for_the_counter_is_refused():
    def saturated(packet, reply):
        payload = b"\1" + b"\xff" * 8 + (9).to_bytes(4, "little") + bytes(4)
        return Packet(packet.type | 0x80, packet.sequence, payload).encode()

    accelerator = Accelerator.open(ModelDevice(scripts={Type.RUN: [saturated]}), MANIFEST)
    with pytest.raises(
        InputError, match=r"^9 frames take more cycles than the device counts: run fewer$"
    ):
        accelerator.throughput_test(9)


def test_pattern_and_checksum_follow_the_beats_of_the_accelerator():
    port = replace(MANIFEST.inputs["x"], int_shape=(3, 4), lanes=2, dtype="-2..5")
    frames = pattern_frames(port, 7)
    assert frames.shape == (7, 3, 4)
    assert np.array_equal(frames.reshape(-1, 2), pattern(-2, 5, 2, 7 * 6))
    out = replace(MANIFEST.outputs["y"], int_shape=(4,), lanes=4, dtype="s4")
    manifest = replace(MANIFEST, inputs={"x": port}, outputs={"y": out})
    y = np.array([[1, -1, 7, -8]])
    words = [0x87F1]  # lane 0 lowest, two's complement
    assert expected_checksum(manifest, 1, lambda n: y) == checksum(words)

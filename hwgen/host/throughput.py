"""Throughput of the device itself, on its own pattern, and of the way to it."""

import time
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from hwgen.errors import InputError
from hwgen.host import edges
from hwgen.host.channel import LinkError
from hwgen.host.device import ConnectedDevice, PatternRun
from hwgen.host.manifest import Manifest, Port
from hwgen.host.pattern import as_words, checksum, pattern


class ChecksumError(LinkError):
    """The device computes something else than its model."""


Reference = Callable[[np.ndarray], np.ndarray]


def measure(
    device: ConnectedDevice, manifest: Manifest, frames: int, reference: Reference | None
) -> dict[str, Any]:
    """Runs the pattern, checks its checksum, and times one batch on its way.

    Parameters
    ----------
    frames : int
    reference : callable or None
        Integers of the accelerator's input to those of its output.

    Returns
    -------
    dict
        The keys of FINN's driver (times in ms; ``DRAM_*`` are the bytes of the frames over the
        runtime; ``fold_input`` quantises, ``unfold_output`` scales; those and the copies are of
        one batch of the link), and ``cycles``, ``cycles_per_frame``, ``checksum`` and
        ``checksum_frames``: the frames whose checksum equalled the reference.

    Raises
    ------
    InputError
        The device has no pattern source.
    ChecksumError
    LinkError
        No answer.
    """
    compared = 0
    if manifest.pattern is not None:
        run = device.run(manifest.pattern.frames)
        _compare(run, manifest.pattern.checksum)
        compared = manifest.pattern.frames
    run = device.run(frames)
    if reference is not None:
        _compare(run, expected_checksum(manifest, frames, reference))
        compared = max(compared, frames)
    if run.saturated:
        raise InputError(f"{frames} frames take more cycles than the device counts: run fewer")
    seconds = run.cycles / device.info.clk_hz
    return {
        "runtime[ms]": 1e3 * seconds,
        "throughput[images/s]": frames / seconds,
        "DRAM_in_bandwidth[MB/s]": 1e-6 * frames * device.info.in_bytes / seconds,
        "DRAM_out_bandwidth[MB/s]": 1e-6 * frames * device.info.out_bytes / seconds,
        "fclk[mhz]": device.info.clk_hz / 1e6,
        "batch_size": frames,
        **_time_the_way(device, manifest),
        "cycles": run.cycles,
        "cycles_per_frame": run.cycles / frames,
        "checksum": run.checksum,
        "checksum_frames": compared,
    }


def pattern_frames(port: Port, frames: int) -> np.ndarray:
    """The integers (frames, *int_shape) that RUN feeds."""
    wire = port.wire
    beats = prod(port.int_shape) // port.lanes
    return pattern(wire.lo, wire.hi, port.lanes, frames * beats).reshape(frames, *port.int_shape)


def expected_checksum(manifest: Manifest, frames: int, reference: Reference) -> int:
    """The checksum of a RUN of so many frames, by a reference in integers."""
    (sent,), (returned,) = manifest.inputs.values(), manifest.outputs.values()
    y = np.asarray(reference(pattern_frames(sent, frames))).reshape(-1, returned.lanes)
    return checksum(as_words(y, returned.wire.width))


def _compare(run: PatternRun, expected: int) -> None:
    if run.checksum != expected:
        raise ChecksumError(
            f"the outputs of {run.frames} frames must have the checksum {expected:#010x}, "
            f"not {run.checksum:#010x}: the device computes something else than its model"
        )


def _time_the_way(device: ConnectedDevice, manifest: Manifest) -> dict[str, float]:
    (sent,), (returned,) = manifest.inputs.values(), manifest.outputs.values()
    count = device.info.batch_frames
    clock = time.perf_counter
    x = np.zeros((count, *sent.shape), sent.elem)
    marks = [clock()]
    n = edges.apply(sent.steps, x).reshape(count, *sent.int_shape)
    marks.append(clock())
    frames = sent.wire.pack(n)
    marks.append(clock())
    way_in, way_out = device.time_batch(frames)
    wire = returned.wire
    results = [bytes(wire.frame_bytes)] * count
    back = [clock()]
    y = np.array([wire.unpack(frame) for frame in results]).reshape(count, *returned.int_shape)
    back.append(clock())
    edges.apply(returned.steps, y)
    back.append(clock())
    return {
        "fold_input[ms]": 1e3 * (marks[1] - marks[0]),
        "pack_input[ms]": 1e3 * (marks[2] - marks[1]),
        "copy_input_data_to_device[ms]": 1e3 * way_in,
        "copy_output_data_from_device[ms]": 1e3 * way_out,
        "unpack_output[ms]": 1e3 * (back[1] - back[0]),
        "unfold_output[ms]": 1e3 * (back[2] - back[1]),
    }

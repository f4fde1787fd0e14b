"""Processor time and memory of `hwgen estimate`, as a process of its own, with an empty cache and
with that of the run before.

python -m scripts.bench_estimate [--models FOLDER] [NAME ...]

Large layers and deep networks are made here; `--models` names a folder with the ONNX files of three
published networks, without which they are left out. Ends with status 1 if a run takes more than its
goal.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tests.onnx_models import Dense, Maker, mlp

GIB = 1 << 20
"""In KiB, as the system counts the memory of a process."""


@dataclass(frozen=True)
class Case:
    """A run of `hwgen estimate` and the most that it may take.

    Parameters
    ----------
    options : str
        Of the command, behind the model.
    cold, warm : float
        Seconds of processor time, of all processes.
    memory : int
        KiB that the largest process may have at once.
    make : callable, optional
        Makes the model; without it, it is a file of the folder of models.
    status : int
        With which the command ends.
    """

    options: str
    cold: float
    warm: float
    memory: int = 4 * GIB
    make: Callable[[], onnx.ModelProto] | None = None
    status: int = 0


def layer(rows: int, cols: int, bits: int) -> onnx.ModelProto:
    """A fully connected layer of random weights."""
    top = 2 ** (bits - 1) - 1
    weights = np.random.default_rng(0).integers(-top, top + 1, (rows, cols))
    return mlp([Dense(weights, bits=bits, act_bits=None)])


def deep_mlp(layers: int, size: int = 16) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    return mlp(
        [
            Dense(rng.integers(-3, 4, (size, size)), relu=True, act_bits=4, act_scale=4.0)
            for _ in range(layers)
        ]
    )


def deep_convolutional(layers: int, channels: int = 4, side: int = 8) -> onnx.ModelProto:
    """Convolutions of 3 x 3 kernels, every tenth of which halves a side as long as there is one."""
    rng = np.random.default_rng(0)
    maker = Maker((1, channels, side, side))
    x = maker.quant("x", bits=4.0, signed=False)
    for number in range(layers):
        weights = maker.constant(rng.integers(-3, 4, (channels, channels, 3, 3)).astype(np.float32))
        w = maker.quant(weights, bits=3.0, narrow=True)
        halves = number % 10 == 9 and side > 2
        side = side // 2 if halves else side
        strides = [2, 2] if halves else [1, 1]
        x = maker.node("Conv", x, w, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=strides)
        x = maker.quant(maker.node("Relu", x), scale=4.0, signed=False)
    return maker.model(x)


ECP5 = "--device ecp5-85f"
CASES = {
    # 4 bits of a million weights are more block RAM than the device has: the message comes last.
    "layer_1024x1024": Case(
        f"{ECP5} --fps 1000", 10, 10, 1200 << 10, lambda: layer(1024, 1024, 4), 2
    ),
    "layer_4096x256": Case(
        f"{ECP5} --fps 1000", 10, 10, 1200 << 10, lambda: layer(4096, 256, 4), 2
    ),
    "layer_1024x1024_3_bits": Case(
        f"{ECP5} --fps 1000", 10, 10, 1200 << 10, lambda: layer(1024, 1024, 3)
    ),
    "mlp_100": Case(f"{ECP5} --fps 100000", 60, 5, make=lambda: deep_mlp(100)),
    "convolutional_50": Case(f"{ECP5} --fps 10000", 60, 5, make=lambda: deep_convolutional(50)),
    "mlperf_ic_resnet8": Case(f"{ECP5} --fps 1000", 5, 2),
    "TFC_1W1A": Case(f"{ECP5} --fps 10e6", 5, 2),
    "qkeras_jettagging": Case(  # searches for adder graphs at first
        f"{ECP5} --input-type s8:2^-5 --link none --fps 50e6", 20, 2
    ),
}


@dataclass(frozen=True)
class Used:
    """What a process took: seconds of processor time, and KiB of memory."""

    seconds: float
    memory: int
    status: int


def run(model: Path, options: str, cache: Path) -> Used:
    """One estimate in a process of its own."""
    command = [sys.executable, "-m", "hwgen.cli", "estimate", str(model), *options.split()]
    child = os.fork()
    if not child:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.execve(sys.executable, command, os.environ | {"XDG_CACHE_HOME": str(cache)})
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    return Used(seconds, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


def measured(name: str, case: Case, models: Path | None) -> Iterator[tuple[str, bool]]:
    """Lines of the table, each with whether its goals are met."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if case.make is not None:
            path = folder / f"{name}.onnx"
            path.write_bytes(case.make().SerializeToString())
        elif models is None:
            return
        else:
            path = models / f"{name}.onnx"
        for kind, goal in (("cold", case.cold), ("warm", case.warm)):
            used = run(path, case.options, folder / "cache")
            met = used.seconds <= goal and used.memory <= case.memory and used.status == case.status
            yield (
                (
                    f"{name:24} {kind}  {used.seconds:6.1f} of {goal:3.0f} s"
                    f"  {used.memory / GIB:5.2f} of {case.memory / GIB:4.2f} GiB"
                    f"  {'met' if met else f'missed, status {used.status}'}"
                ),
                met,
            )


def main() -> int:
    """Prints a line per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--models", type=Path, help="a folder of ONNX files")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CASES):
        parser.error(f"NAME must be one of {', '.join(CASES)}, not {', '.join(sorted(unknown))}")
    missed = 0
    for name in options.names or CASES:
        for line, met in measured(name, CASES[name], options.models):
            print(line, flush=True)
            missed += not met
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())

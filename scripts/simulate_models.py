"""Models from file to compiled simulation: every element compared, cycles with the schedule.

python -m scripts.simulate_models [--device ecp5-85f] [--fps N] [--model NAME ...] [FOLDER]

FOLDER holds NAME.onnx with samples in NAME.npz (array `input`); without such a file, the frames
are random.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.design import Goal
from hwgen.errors import HwgenError
from hwgen.ladder import simulation
from hwgen.ladder.checks import random_integers
from hwgen.prepare import Loaded, Prepared, load, prepare
from platforms.devices import device as find_device

LEAST_FRAMES = simulation.WARM_UP + 2
"""Frames after which a constant interval shows."""

INPUT_TYPES = {
    "qkeras_jettagging": "s8:2^-5",
    "hls4ml_rn07_cifar10": "u8:2^-8",
    "espcn_subpixel_w4a4_24x24": "u8:1/255",
}
"""Float inputs that no quantiser of the model's own follows."""


@dataclass(frozen=True)
class Found:
    """What the simulation of one model gave.

    Parameters
    ----------
    frames, differences : int
        Frames, and elements that are not those of the dataflow graph.
    golden : int or None
        Elements that are not those of `output_float64`, else of `output`, in the vector file.
    distance : float
        Largest difference of these, as a share of the largest element: what float32 rounds in the
        last operation is below 1e-6, a step of a quantiser is above.
    interval, scheduled : int
        Cycles between frames, simulated and by the schedule.
    """

    frames: int
    differences: int
    golden: int | None
    distance: float
    interval: int | None
    scheduled: int


def simulate(prepared: Prepared, samples: Path, frames: int, cache: Path) -> Found:
    """Samples through graph and compiled accelerator."""
    arrays: dict[str, np.ndarray] = {}
    if samples.exists():
        with np.load(samples) as file:
            arrays = dict(file)
    if "input" in arrays:
        n = simulation.to_integers(prepared.loaded, arrays["input"][:frames])
    else:
        n = random_integers(prepared)[:frames]
    given = len(n)
    n = np.concatenate([n] * -(-LEAST_FRAMES // len(n)))[: max(len(n), LEAST_FRAMES)]
    wanted = simulation.interpret(prepared, n)
    rtl = simulation.run_integers(prepared, n, simulation.compiled(prepared, cache=cache))
    return Found(
        len(n),
        int((rtl.output_int != wanted).sum()),
        *_against_golden(rtl.output[:given], arrays),
        rtl.interval,
        prepared.timing.interval,
    )


def _against_golden(output: np.ndarray, arrays: dict[str, np.ndarray]) -> tuple[int | None, float]:
    golden = arrays.get("output_float64", arrays.get("output"))
    if golden is None:
        return None, 0.0
    count = min(len(golden), len(output))
    wanted = golden[:count].reshape(output[:count].shape).astype(output.dtype)
    distance = np.abs(wanted.astype(np.float64) - output[:count]).max()
    return int((wanted != output[:count]).sum()), float(distance / max(np.abs(wanted).max(), 1e-30))


def _prepared(loaded: Loaded, arguments: argparse.Namespace) -> Prepared:
    return prepare(
        loaded,
        find_device(arguments.device),
        clock_mhz=arguments.clock_mhz,
        goal=Goal(fps=arguments.fps),
        cache=arguments.cache,
    )


def run(path: Path, arguments: argparse.Namespace) -> str:
    """One line about one model."""
    start = time.monotonic()
    try:
        loaded = load(path, INPUT_TYPES.get(path.stem))
        prepared = _prepared(loaded, arguments)
        ready = time.monotonic()
        found = simulate(prepared, path.with_suffix(".npz"), arguments.frames, arguments.cache)
    except HwgenError as error:
        return f"refused: {str(error)[: arguments.width]}"
    golden = "no vectors" if found.golden is None else f"{found.golden} differ from the vectors"
    if found.golden:
        golden += f" by up to {found.distance:.1e} of the largest"
    return (
        f"{found.frames} frames, {found.differences} differences, {golden}, "
        f"{found.interval:,} cycles, scheduled {found.scheduled:,} "
        f"(prepared in {ready - start:.1f} s, simulated in {time.monotonic() - ready:.1f} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/models"))
    parser.add_argument("--model", nargs="*", help="names of some models; all by default")
    parser.add_argument("--device", default="ecp5-85f")
    parser.add_argument("--clock-mhz", type=float, default=40)
    parser.add_argument("--fps", type=float, help="rate to fold for; by default what fits")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--width", type=int, default=200, help="most characters of a refusal")
    parser.add_argument("--cache", type=Path, default=Path("build/simulators"))
    arguments = parser.parse_args()
    for path in sorted(arguments.folder.glob("*.onnx")):
        if not arguments.model or path.stem in arguments.model:
            print(f"{path.stem:32} {run(path, arguments)}", flush=True)


if __name__ == "__main__":
    main()

"""What the digits designs share when they run: the test split through a board or an emulated one.

A port needs only the base install of hwgen; the emulated board needs the build install.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hwgen.errors import HwgenError
from hwgen.host.driver import Accelerator
from hwgen.host.protocol import Feature

RUN_FRAMES = 100
"""Frames of the device's own pattern: enough to tell the rate, few enough to be simulated."""


def main(design: Path, arguments: Sequence[str] | None = None) -> int:
    """Classifies, prints the confusion table and the throughput; returns the exit status.

    Parameters
    ----------
    design : Path
        Folder with ``vectors.npz``.
    arguments : sequence of str, optional
        Those of the command line if None.
    """
    options = _parser(design).parse_args(arguments)
    try:
        with np.load(design / "vectors.npz") as vectors:
            x, labels = vectors["input"][: options.frames], vectors["label"][: options.frames]
        accelerator, now = _connect(options)
        with accelerator:
            if accelerator.device.info.weight_bytes:
                accelerator.load_weights()
            start = now()
            found = classes(accelerator.execute(x))
            seconds = now() - start
            manifest = accelerator.manifest
            print(f"{manifest.model} on {options.port or 'an emulated ' + manifest.board}")
            print(table(confusion(labels, found)))
            right = int((found == labels).sum())
            print(f"right: {right} of {len(labels)} ({right / len(labels):.2%})")
            print(f"through the serial line: {len(x) / seconds:,.0f} frames/s")
            if accelerator.device.info.features & Feature.RUN:
                print(on_the_device(accelerator.throughput_test(RUN_FRAMES)))
    except HwgenError as error:
        print(f"{design.name}: {error}", file=sys.stderr)
        return error.status
    return 0


def on_the_device(measured: Mapping[str, float]) -> str:
    """What the device counted while it ran frames of its own, by `Accelerator.throughput_test`."""
    return (
        f"on the device: {measured['throughput[images/s]']:,.0f} frames/s, "
        f"{measured['cycles']:,} cycles for {measured['batch_size']:,} frames "
        f"at {measured['fclk[mhz]']:g} MHz"
    )


def classes(scores: np.ndarray) -> np.ndarray:
    """The class of each frame: the largest of several scores, or the single number."""
    scores = scores.reshape(len(scores), -1)
    return scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0].astype(int)


def confusion(labels: np.ndarray, found: np.ndarray) -> np.ndarray:
    """How many frames of each label (row) were taken for each class (column)."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, found), 1)
    return counts


def table(counts: np.ndarray) -> str:
    """The confusion table as text; zeros are left out."""
    head = "label" + "".join(f"{name:5}" for name in range(len(counts)))
    rows = [
        f"{name:5}" + "".join(f"{count or '':5}" for count in row)
        for name, row in enumerate(counts)
    ]
    return "\n".join([head, *(row.rstrip() for row in rows)])


def _parser(design: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=f"Classifies digits with {design.name}.")
    parser.add_argument(
        "build",
        type=Path,
        nargs="?",
        default=Path("build") / design.name,
        help="output folder of the build",
    )
    parser.add_argument("--port", help="serial port of the board; emulated if left out")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N digits")
    return parser


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _connect(options: argparse.Namespace) -> tuple[Accelerator, Callable[[], float]]:
    """The accelerator and the clock of its serial line, in seconds."""
    manifest = options.build / "manifest.json"
    if options.port:
        return Accelerator.open(options.port, manifest), time.monotonic
    from hwgen.board.emulated_board import SimulatedTransport
    from hwgen.session import Session
    from hwgen.verbs.flow import emulated

    # As the command `hwgen`: what one has compiled serves the other.
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    session = Session(environment=os.environ, cache=caches / "hwgen", progress=_tell)
    transport = SimulatedTransport(emulated(options.build, session))
    return Accelerator.open(transport, manifest), transport.now

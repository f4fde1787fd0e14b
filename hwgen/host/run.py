"""``hwgen run``: samples of a file through a board; all that it needs is the base install."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.errors import HwgenError, InputError
from hwgen.host.driver import PATIENCE_S, Accelerator
from hwgen.vectors import accuracy, against_stored, load_arrays

SUMMARY = "run inputs on a board, or on one that `hwgen emulate` serves"
RUN_FRAMES = 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", type=Path, help="output folder of a build, or its manifest.json")
    parser.add_argument("--port", required=True, help="serial port, or what `hwgen emulate` prints")
    parser.add_argument("--inputs", type=Path, help="npz with `input` and optionally `label`")
    parser.add_argument("-o", "--out", type=Path, help="npz for output")
    parser.add_argument(
        "--weights", type=Path, help="weights to be loaded first, if not those of the build folder"
    )
    parser.add_argument(
        "--throughput",
        type=int,
        nargs="?",
        const=RUN_FRAMES,
        metavar="N",
        help=f"run N frames of a pattern on the device alone ({RUN_FRAMES} if not given)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        metavar="SECONDS",
        help=f"what a reply may take beyond its time on the line ({PATIENCE_S:g} if not given)",
    )


def run(options: argparse.Namespace) -> dict[str, Any]:
    """What the verb does; returns what it prints.

    Raises
    ------
    InputError
        Neither inputs nor a throughput test, or the device is another.
    LinkError
    """
    if options.inputs is None and options.throughput is None:
        raise InputError("--inputs must name an npz file, or --throughput a number of frames")
    arrays = load_arrays(options.inputs) if options.inputs else {}
    record: dict[str, Any] = {}
    with Accelerator.open(options.port, options.folder, patience_s=options.patience) as accelerator:
        if options.weights or accelerator.device.info.weight_bytes:
            accelerator.load_weights(options.weights)
        if arrays:
            start = time.monotonic()
            output = accelerator.execute(arrays["input"])
            seconds = time.monotonic() - start
            record |= {"samples": len(output), "seconds": round(seconds, 3)}
            if accelerator.device.latency_cycles is not None:
                record["latency_cycles"] = accelerator.device.latency_cycles
            if (share := accuracy(output, arrays)) is not None:
                record["accuracy"] = share
            if stored := against_stored(output, arrays):
                record["stored_outputs"] = stored
            if options.out is not None:
                np.savez_compressed(options.out, output=output)
                record["written"] = str(options.out)
        if options.throughput is not None:
            record |= accelerator.throughput_test(options.throughput)
        record["packets_sent_again"] = accelerator.device.retries
    return record


def show(record: dict[str, Any], *, as_json: bool) -> None:
    """Prints a record."""
    if as_json:
        print(json.dumps(record, indent=2))
        return
    for name, value in record.items():
        print(f"{name}: {value:.6g}" if isinstance(value, float) else f"{name}: {value}")


def main(arguments: Sequence[str]) -> int:
    """The verb alone; returns its exit status."""
    parser = argparse.ArgumentParser(prog="hwgen run", description=SUMMARY)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        show(run(options), as_json=options.json)
    except HwgenError as error:
        print(f"hwgen: {error}", file=sys.stderr)
        return error.status
    return 0

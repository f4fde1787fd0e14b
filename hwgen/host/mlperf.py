"""A board for the runner of the MLPerf Tiny benchmark: its protocol here, the driver behind.

python -m hwgen.host.mlperf MANIFEST --port PORT [--pty] [options]

The runner's commands come in on standard input or, with --pty, on a new pseudo-terminal whose path
is printed. PORT is the board's, or what `hwgen emulate` prints. Nothing is said before the first
command: a runner that opens the terminal later would take it for an answer.
"""

import argparse
import os
import pty
import sys
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from hwgen.errors import HwgenError
from hwgen.host.driver import Accelerator
from hwgen.host.mlperf_protocol import InputFormat, Responder

ELEMENTS = ("uint8", "int8", "uint16", "int16", "float32")


class RunnerTerminal:
    """A new pseudo-terminal; `path` is what the runner opens."""

    def __init__(self) -> None:
        # The slave stays open, so that runners may come and go.
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def read(self) -> bytes:
        return os.read(self._master, 4096)

    def write(self, data: bytes) -> None:
        _write(self._master, data)

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


def serve(responder: Responder, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
    """Answers until `read` returns no bytes."""
    while data := read():
        for line in responder.feed(data):
            write(line)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hwgen.host.mlperf",
        description="Presents an accelerator to the runner of the MLPerf Tiny benchmark.",
    )
    parser.add_argument("manifest", type=Path, help="manifest.json of the build")
    parser.add_argument("--port", required=True, help="serial port of the board")
    parser.add_argument("--pty", action="store_true", help="serve at a new pseudo-terminal")
    parser.add_argument("--name", default="", help="name of the device under test")
    parser.add_argument("--model", default="", help="by which the runner finds its inputs: ic01")
    parser.add_argument(
        "--element", default="", choices=ELEMENTS, help="type of an input's elements"
    )
    parser.add_argument("--offset", type=Fraction, default=0, help="added to every element")
    parser.add_argument("--scale", type=Fraction, default=1, help="then multiplied, as 1/255")
    parser.add_argument(
        "--channels-last", action="store_true", help="channels are last in the runner's inputs"
    )
    parser.add_argument(
        "--device-time",
        action="store_true",
        help="timestamps without the serial line: the device's own count of each inference",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; status 0 at the end of input, else that of the error."""
    options = _parser().parse_args(arguments)
    form = InputFormat(
        options.element, float(options.offset), float(options.scale), options.channels_last
    )
    try:
        with Accelerator.open(options.port, options.manifest) as accelerator:
            if accelerator.device.info.weight_bytes:
                accelerator.load_weights()
            responder = Responder(
                accelerator,
                name=options.name,
                model=options.model,
                form=form,
                device_time=options.device_time,
            )
            with suppress(KeyboardInterrupt):
                if options.pty:
                    terminal = RunnerTerminal()
                    print(f"port: {terminal.path}", flush=True)
                    serve(responder, terminal.read, terminal.write)
                else:
                    serve(responder, lambda: os.read(0, 4096), lambda data: _write(1, data))
    except HwgenError as error:
        print(f"mlperf: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An accelerator under the serial protocol of the MLPerf Tiny benchmark.

A command ends with ``%``; every reply ends with a line ``m-ready``.

======================= ==========================================================================
command                 reply
======================= ==========================================================================
``name``                ``m-name-dut-[NAME]``
``profile``             ``m-profile-[...]`` and ``m-model-[MODEL]``
``help``                the commands
``reset``               ``m-init-done``, with the device reset and the buffer empty
``timestamp``           ``m-lap-us-`` and a time in microseconds
``db load N``           ``m-[Expecting N bytes]``: begins an input of N bytes
``db HEX``              adds bytes; ``m-load-done`` with the last one
``db print``            the bytes so far
``infer N [W]``         W inferences (10), N timed ones between two ``m-lap-us-``, results
``results``             ``m-results-[...]``: the outputs of the last inference
======================= ==========================================================================

What is wrong is answered by ``e-[...]``.

Source
------
The firmware and the runner of MLCommons Tiny: benchmark/api and benchmark/runner.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from hwgen.errors import HwgenError
from hwgen.host.driver import Accelerator
from hwgen.host.manifest import Port

PROFILE = "ULPMark for tinyML Firmware V0.0.1"
"""By which the runner knows firmware of this protocol."""

WARM_UP = 10
MAX_COMMAND = 4096
"""Characters of a command; what is longer is noise."""

HELP = (
    "name, profile, help, reset, timestamp, results",
    "db load N, db HH[HH]*, db print",
    f"infer N [W={WARM_UP}]",
)


@dataclass(frozen=True)
class InputFormat:
    """What the bytes of a benchmark's input file stand for: (element + offset) * scale.

    Parameters
    ----------
    element : str
        numpy name, as ``uint8``; little-endian. The model's own type if empty.
    offset, scale : float
    channels_last : bool
        Channels are the last axis of the file and the first of the model's input.
    """

    element: str = ""
    offset: float = 0.0
    scale: float = 1.0
    channels_last: bool = False

    def dtype(self, port: Port) -> np.dtype:
        return np.dtype(self.element or port.elem).newbyteorder("<")

    def size(self, port: Port) -> int:
        """Bytes of one input."""
        return prod(port.shape) * self.dtype(port).itemsize

    def decode(self, data: bytes, port: Port) -> np.ndarray:
        """One sample of the model's input."""
        elements = np.frombuffer(data, self.dtype(port)).astype(np.float64)
        values = (elements + self.offset) * self.scale
        if self.channels_last:
            values = np.moveaxis(values.reshape(*port.shape[1:], port.shape[0]), -1, 0)
        return values.reshape(port.shape).astype(port.elem)


class Responder:
    """Answers a runner's commands.

    Parameters
    ----------
    accelerator : Accelerator
    name : str
        Of the device under test.
    model : str
        By which the runner finds its inputs, as ``ic01``; the manifest's model if empty.
    form : InputFormat
    device_time : bool
        Timestamps count what the device measures of each inference, first input beat to last output
        beat; otherwise they are the host's clock and include the serial line.
    now : callable
        The host's clock, seconds.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        *,
        name: str = "",
        model: str = "",
        form: InputFormat | None = None,
        device_time: bool = False,
        now: Callable[[], float] = time.monotonic,
    ):
        manifest = accelerator.manifest
        self._accelerator = accelerator
        self._name = name or f"hwgen on {manifest.board}"
        self._model = model or manifest.model
        self._form = form or InputFormat()
        self._device_time = device_time
        self._now = now
        (self._port,) = manifest.inputs.values()
        self._command = bytearray()
        self._expected = 0
        self._buffer = b""
        self._results: np.ndarray | None = None
        self._cycles = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Takes bytes of the runner; gives each line of the answers when it is known."""
        for byte in data:
            if byte != ord("%"):
                if len(self._command) <= MAX_COMMAND:
                    self._command.append(byte)
                continue
            command = self._command.decode("ascii", "replace").strip()
            self._command.clear()
            try:
                for line in self._answer(command):
                    yield _line(line)
            except HwgenError as error:
                yield _line(f"e-[{' '.join(str(error).split())}]")
            yield b"m-ready\r\n"

    def _answer(self, command: str) -> Iterator[str]:
        if len(command) > MAX_COMMAND:
            raise _CommandError(f"a command must have at most {MAX_COMMAND} characters")
        verb, *words = command.split() or [""]
        if verb == "name":
            yield f"m-name-dut-[{self._name}]"
        elif verb == "profile":
            yield f"m-profile-[{PROFILE}]"
            yield f"m-model-[{self._model}]"
        elif verb == "help":
            yield from HELP
        elif verb == "reset":
            self._accelerator.device.reset()
            self._expected, self._buffer, self._results = 0, b"", None
            yield "m-init-done"
        elif verb == "timestamp":
            yield self._lap()
        elif verb == "db" and words:
            yield from self._db(*words)
        elif verb == "infer":
            yield from self._infer(*(_number(word) for word in words[:2]))
        elif verb == "results":
            yield self._show_results()
        else:
            raise _CommandError(f"Unknown command: {command}")

    def _db(self, first: str, *rest: str) -> Iterator[str]:
        if first == "load":
            size = _number(rest[0]) if rest else 0
            wanted = self._form.size(self._port)
            if size != wanted:
                raise _CommandError(
                    f"db load must announce the {wanted} bytes of an input, not {size}"
                )
            self._expected, self._buffer = size, b""
            yield f"m-[Expecting {size} bytes]"
        elif first == "print":
            for at in range(0, len(self._buffer), 8):
                yield f"m-buffer-{self._buffer[at : at + 8].hex('-')}"
        else:
            try:
                data = bytes.fromhex(first)
            except ValueError:
                raise _CommandError(
                    f"db must be followed by pairs of hex digits, not {first}"
                ) from None
            if not self._expected:
                raise _CommandError("db load must come before the bytes")
            complete = len(self._buffer) == self._expected
            self._buffer = (self._buffer + data)[: self._expected]
            if not complete and len(self._buffer) == self._expected:
                yield "m-load-done"

    def _infer(self, count: int = 1, warm_up: int = WARM_UP) -> Iterator[str]:
        if count < 1:
            raise _CommandError("Inference iterations must be >0")
        if not self._expected or len(self._buffer) < self._expected:
            raise _CommandError(
                f"infer must come after all {self._form.size(self._port)} bytes of an input, "
                f"not after {len(self._buffer)}"
            )
        x = self._form.decode(self._buffer, self._port)
        yield f"m-warmup-start-{warm_up}"
        for _ in range(warm_up):
            self._run(x)
        yield "m-warmup-done"
        yield f"m-infer-start-{count}"
        yield self._lap()
        for _ in range(count):
            self._run(x)
        yield self._lap()
        yield "m-infer-done"
        yield self._show_results()

    def _run(self, x: np.ndarray) -> None:
        self._results = self._accelerator.execute(x)
        self._cycles += self._accelerator.device.latency_cycles or 0

    def _lap(self) -> str:
        device_seconds = self._cycles / self._accelerator.device.info.clk_hz
        seconds = device_seconds if self._device_time else self._now()
        return f"m-lap-us-{round(seconds * 1e6)}"

    def _show_results(self) -> str:
        if self._results is None:
            raise _CommandError("results must come after infer")
        values = self._results.reshape(-1).astype(np.float64)
        return f"m-results-[{','.join(f'{value:.6f}' for value in values)}]"


class _CommandError(HwgenError):
    """A command that cannot be followed."""


def _line(text: str) -> bytes:
    """Runners take one byte for one character."""
    return text.encode("ascii", "replace") + b"\r\n"


def _number(word: str) -> int:
    if not word.isdecimal():
        raise _CommandError(f"a number must be decimal, not {word}")
    return int(word)

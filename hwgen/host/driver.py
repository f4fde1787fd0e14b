"""A connected accelerator as an object: numpy in, numpy out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from hwgen.errors import HwgenError, InputError
from hwgen.host import edges
from hwgen.host.manifest import Manifest
from hwgen.host.protocol import (
    MAX_PAYLOAD,
    NAK_TEXT,
    RESPONSE,
    FrameError,
    Info,
    NakCode,
    Packet,
    Type,
)
from hwgen.host.transport import LinkClosedError, SerialTransport, Transport

ATTEMPTS = 4
PATIENCE_S = 0.5
OFFSET_BYTES = 4
RESULT_HEADER = 9
LINE_OVERHEAD = 7
"""Bytes of a frame besides payload: type, sequence, CRC, two of COBS, delimiter."""


class LinkError(HwgenError):
    """The device did not answer, or answered what it must not."""

    status = 1


class RefusedError(LinkError):
    """The device refused a request."""

    def __init__(self, request: Type, code: NakCode):
        super().__init__(f"the device refused {request.name}: {NAK_TEXT[code]}")
        self.code = code


@dataclass(frozen=True)
class Validation:
    """Samples compared, and those that were right."""

    samples: int
    correct: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.samples


class Accelerator:
    """An accelerator on a board, or anything that speaks its protocol.

    Opening resets the device and checks that it is the one of the manifest.

    Parameters
    ----------
    transport : Transport
    manifest : Manifest
    patience_s : float
        Time a reply may take beyond its time on the line and in the accelerator.

    Attributes
    ----------
    info : Info
        What the device said about itself.
    latency_cycles : int or None
        Cycles of the last frame from its first beat into the accelerator to its last beat out,
        as counted on the device.
    retries : int
        Packets sent again so far.

    Raises
    ------
    LinkError
        No answer.
    InputError
        The device holds another model, or speaks another protocol.
    """

    def __init__(self, transport: Transport, manifest: Manifest, *, patience_s: float = PATIENCE_S):
        self.manifest = manifest
        self.latency_cycles: int | None = None
        self.retries = 0
        self._transport = transport
        self._patience_s = patience_s
        self._received = bytearray()
        self._sequence = 0
        for what, ports in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
            if len(ports) != 1:
                raise InputError(
                    f"the driver serves models with one input and one output, "
                    f"not the {len(ports)} {what} {', '.join(ports)}"
                )
        ((self._input_name, self._input),) = manifest.inputs.items()
        ((self._output_name, self._output),) = manifest.outputs.items()
        self._request(Type.RESET)
        self.info = self._identify()

    @classmethod
    def open(
        cls,
        port: str | Transport,
        manifest: str | Path | Manifest,
        *,
        patience_s: float = PATIENCE_S,
    ) -> Self:
        """Connects to a serial port, or through another transport.

        Parameters
        ----------
        port : str or Transport
            A serial port such as ``/dev/ttyUSB1``.
        manifest : str, Path or Manifest
            ``manifest.json`` of the build.
        """
        if not isinstance(manifest, Manifest):
            try:
                manifest = Manifest.load(Path(manifest))
            except (ValueError, OSError) as error:
                raise InputError(str(error)) from error
        if not isinstance(port, str):
            return cls(port, manifest, patience_s=patience_s)
        try:
            transport = SerialTransport(port, manifest.baud)
        except LinkClosedError as error:
            raise LinkError(f"cannot open the link: {error}") from error
        try:
            return cls(transport, manifest, patience_s=patience_s)
        except BaseException:
            transport.close()
            raise

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ping(self, payload: bytes = b"hwgen") -> None:
        """Sends bytes and expects the same.

        Raises
        ------
        LinkError
        """
        (reply,) = self._request(Type.PING, payload)
        if reply.payload != payload:
            raise LinkError(f"PING must return {payload.hex()}, not {reply.payload.hex()}")

    def reset(self) -> None:
        """Resets the accelerator and forgets a frame half sent."""
        self._request(Type.RESET)

    def execute(self, x: np.ndarray) -> np.ndarray:
        """What the model returns.

        Parameters
        ----------
        x : array, (N, *shape) or shape of one sample
            The model's input; integers count as numbers, not as quantised values.

        Raises
        ------
        InputError
            Shape or values are not the model's.
        LinkError
            The device did not answer in time.
        """
        x = np.asarray(x)
        port = self._input
        if x.shape == port.shape:
            return self.execute(x[np.newaxis])[0]
        if x.shape[1:] != port.shape or x.ndim != len(port.shape) + 1:
            raise InputError(
                f"input {self._input_name} must have shape {port.shape} or "
                f"(N, {', '.join(map(str, port.shape))}), not {x.shape}"
            )
        try:
            n = edges.apply(port.steps, x).reshape(len(x), *port.int_shape)
        except ValueError as error:
            raise InputError(f"input {self._input_name}: {error}") from error
        y = edges.apply(self._output.steps, self.execute_integers(n))
        return y.reshape(len(x), *self._output.shape).astype(self._output.elem)

    def execute_integers(self, n: np.ndarray) -> np.ndarray:
        """The accelerator alone, without the model's host edges.

        Parameters
        ----------
        n : int array, (N, *int_shape)

        Returns
        -------
        int64 array, (N, *int_shape of the output)
        """
        try:
            frames = self._input.wire.pack(np.asarray(n))
        except ValueError as error:
            raise InputError(f"input {self._input_name}: {error}") from error
        wire = self._output.wire
        results = [wire.unpack(self._infer(frame)) for frame in frames]
        return np.array(results, np.int64).reshape(len(frames), *self._output.int_shape)

    def validate(self, x: np.ndarray, y: np.ndarray) -> Validation:
        """Executes and compares.

        Parameters
        ----------
        x : array, (N, *shape)
        y : array
            What the model must return, compared by equality after rounding to the model's type;
            or labels (N,), compared with the largest score.
        """
        found = self.execute(x)
        y = np.asarray(y)
        if y.shape == found.shape:
            equal = found == y.astype(found.dtype)
            right = equal.reshape(len(found), -1).all(axis=1)
        elif y.shape == found.shape[:1]:
            scores = found.reshape(len(found), -1)
            right = (scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0]) == y
        else:
            raise InputError(
                f"expected values must have shape {found.shape} or, as labels, "
                f"{found.shape[:1]}, not {y.shape}"
            )
        return Validation(len(found), int(right.sum()))

    def _identify(self) -> Info:
        (reply,) = self._request(Type.INFO)
        try:
            info = Info.unpack(reply.payload)
        except ValueError as error:
            raise InputError(f"wrong device: {error}") from error
        if info.model_hash.hex() != self.manifest.model_hash:
            raise InputError(
                f"the device holds model {info.model_hash.hex()}, the manifest is of "
                f"{self.manifest.model} ({self.manifest.model_hash}): program its bitstream, "
                "or take the manifest of the one programmed"
            )
        sizes = self._input.wire.frame_bytes, self._output.wire.frame_bytes
        if (info.in_bytes, info.out_bytes) != sizes:
            raise InputError(
                f"the device has frames of {info.in_bytes} and {info.out_bytes} bytes, the "
                f"manifest {sizes[0]} and {sizes[1]}: take the manifest of the bitstream programmed"
            )
        return info

    def _infer(self, frame: bytes) -> bytes:
        """Sends one frame and waits for its result."""
        for attempt in range(ATTEMPTS):
            try:
                chunk = MAX_PAYLOAD - OFFSET_BYTES
                for at in range(0, len(frame), chunk):
                    self._request(
                        Type.DATA, at.to_bytes(OFFSET_BYTES, "little") + frame[at : at + chunk]
                    )
                return self._result()
            except RefusedError as error:
                # The device was reset or reprogrammed between packets: begin the frame again.
                again = error.code in (NakCode.OFFSET, NakCode.INCOMPLETE, NakCode.ORDER)
                if not again or attempt == ATTEMPTS - 1:
                    raise
                self.retries += 1
        raise AssertionError("unreachable")

    def _result(self) -> bytes:
        size = self.info.out_bytes
        parts: dict[int, bytes] = {}

        def complete(reply: Packet) -> bool:
            header, data = reply.payload[:RESULT_HEADER], reply.payload[RESULT_HEADER:]
            if len(header) < RESULT_HEADER or header[0]:
                raise LinkError(f"RESULT must have status 0 and a header, not {header.hex()}")
            parts[int.from_bytes(header[5:9], "little")] = data
            self.latency_cycles = int.from_bytes(header[1:5], "little")
            return sum(map(len, parts.values())) >= size

        line = size + (size // (MAX_PAYLOAD - RESULT_HEADER) + 1) * (LINE_OVERHEAD + RESULT_HEADER)
        running = 2 * self.info.latency_cycles / self.info.clk_hz
        self._request(Type.INFER, done=complete, reply_bytes=line, busy_s=running)
        result = b"".join(data for _, data in sorted(parts.items()))
        if len(result) != size:
            raise LinkError(f"RESULT must have {size} bytes, not {len(result)}")
        return result

    def _request(
        self,
        request: Type,
        payload: bytes = b"",
        *,
        done: Callable[[Packet], bool] = lambda reply: True,
        reply_bytes: int = MAX_PAYLOAD + LINE_OVERHEAD,
        busy_s: float = 0.0,
    ) -> list[Packet]:
        """Sends a request until its replies are complete; `done` says so of each in turn."""
        frame = Packet(request, self._sequence, payload).encode()
        limit_s = 10 * (len(frame) + reply_bytes) / self.manifest.baud + busy_s + self._patience_s
        for attempt in range(ATTEMPTS):
            if attempt:
                self.retries += 1
            try:
                # The delimiter in front ends whatever noise the device has seen.
                self._transport.write(b"\0" + frame)
                deadline = self._transport.now() + limit_s
                replies = self._replies(request, done, deadline)
            except LinkClosedError as error:
                raise LinkError(f"the link closed during {request.name}: {error}") from error
            if replies is not None:
                if request not in (Type.INFO, Type.PING):
                    self._sequence = (self._sequence + 1) % 256
                return replies
        raise LinkError(
            f"no valid reply to {request.name} in {ATTEMPTS} attempts of {limit_s:.2f} s"
        )

    def _replies(
        self, request: Type, done: Callable[[Packet], bool], deadline: float
    ) -> list[Packet] | None:
        """All replies to the request sent last; None if it must be sent again."""
        replies = []
        while (frame := self._frame(deadline)) is not None:
            try:
                reply = Packet.decode(frame)
            except FrameError:
                return None
            if reply.type == Type.NAK and reply.payload:
                code = reply.payload[0]
                if code in (NakCode.DAMAGED, NakCode.TOO_LONG, NakCode.BUSY):
                    return None
                if reply.sequence == self._sequence and code in set(NakCode):
                    if code == NakCode.ORDER:
                        self._sequence = reply.payload[1]
                    raise RefusedError(request, NakCode(code))
            elif reply.type == request | RESPONSE and reply.sequence == self._sequence:
                replies.append(reply)
                if done(reply):
                    return replies
        return None

    def _frame(self, deadline: float) -> bytes | None:
        """The next frame that is not empty, or None at the deadline."""
        while True:
            while (end := self._received.find(0)) >= 0:
                frame = bytes(self._received[:end])
                del self._received[: end + 1]
                if frame:
                    return frame
            left = deadline - self._transport.now()
            data = self._transport.read(4096, left) if left > 0 else b""
            if not data:
                # The rest of a frame will not come; it must not spoil the next.
                self._received.clear()
                return None
            self._received += data

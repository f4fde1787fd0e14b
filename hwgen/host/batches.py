"""Frames on their way through a device: cut into batches, sent as requests, put together again."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from cores.link.packets import MAX_PAYLOAD, OFFSET_BYTES, RESULT_HEADER, Type
from hwgen.host.channel import LINE_OVERHEAD, LinkError, Request
from hwgen.host.protocol import Info

CHUNK = MAX_PAYLOAD - OFFSET_BYTES
RESULT_CHUNK = MAX_PAYLOAD - RESULT_HEADER


def chunks(kind: Type, data: bytes) -> list[Request]:
    """Requests that carry `data` in order, each with its offset."""
    return [
        Request(kind, at.to_bytes(OFFSET_BYTES, "little") + data[at : at + CHUNK])
        for at in range(0, len(data), CHUNK)
    ]


class RequestSource(Protocol):
    """Requests that can begin again when the device has forgotten some.

    Attributes
    ----------
    answered : int
        Results that are there, and need not be asked for again.
    """

    answered: int

    def next(self) -> Request | None:
        """The next request; None if there is none, or none before another result."""
        ...

    def rewind(self) -> None:
        """Begins again with the first request that has no result."""
        ...


class Single:
    """A source of one request."""

    answered = 0

    def __init__(self, make: Callable[[], Request]):
        self._make = make
        self._waiting = True

    def next(self) -> Request | None:
        waiting, self._waiting = self._waiting, False
        return self._make() if waiting else None

    def rewind(self) -> None:
        self._waiting = True


class Batches:
    """The source of all frames of a call.

    Parameters
    ----------
    frames : sequence of bytes
    info : Info
        Of the device.
    arrived : callable
        Called with the number of frames of each result.

    Attributes
    ----------
    latency_cycles : int or None
        Of the last result.
    answered : int
        Batches whose result is there.
    """

    def __init__(
        self,
        frames: Sequence[bytes],
        info: Info,
        arrived: Callable[[int], None] = lambda frames: None,
    ):
        self.latency_cycles: int | None = None
        self.answered = 0
        self._info = info
        self._arrived = arrived
        size = info.batch_frames
        self._batches = [frames[at : at + size] for at in range(0, len(frames), size)]
        self._results: list[bytes | None] = [None] * len(self._batches)
        self._begun = 0
        self._waiting: deque[Request] = deque()

    def next(self) -> Request | None:
        if not self._waiting:
            while self._begun < len(self._batches) and self._results[self._begun] is not None:
                self._begun += 1
            open_ = self._results.index(None) if None in self._results else self._begun
            if self._begun == len(self._batches) or self._begun >= open_ + self._info.banks:
                return None
            self._waiting.extend(self._requests(self._begun))
            self._begun += 1
        return self._waiting.popleft()

    def rewind(self) -> None:
        self._waiting.clear()
        self._begun = 0

    def outputs(self) -> list[bytes]:
        """The frames that came back."""
        size = self._info.out_bytes
        return [
            result[at : at + size]
            for result in self._results
            if result is not None
            for at in range(0, len(result), size)
        ]

    def _requests(self, number: int) -> list[Request]:
        info, batch = self._info, self._batches[number]
        size = len(batch) * info.out_bytes
        packets = -(-size // RESULT_CHUNK)
        cycles = info.latency_cycles + len(batch) * info.cycles_per_frame
        infer = Request(
            Type.INFER,
            take=self._collector(number, size),
            reply_bytes=size + packets * (RESULT_HEADER + LINE_OVERHEAD),
            busy_s=cycles / info.clk_hz,
        )
        return [*chunks(Type.DATA, b"".join(batch)), infer]

    def _collector(self, number: int, size: int) -> Callable[[bytes], bool]:
        """Takes the packets of a result, in any order and more than once."""
        parts: dict[int, bytes] = {}

        def take(payload: bytes) -> bool:
            header, data = payload[:RESULT_HEADER], payload[RESULT_HEADER:]
            if len(header) < RESULT_HEADER or header[0]:
                raise LinkError(f"RESULT must have status 0 and a header, not {header.hex()}")
            parts[int.from_bytes(header[5:9], "little")] = data
            if sum(map(len, parts.values())) < size:
                return False
            result = b"".join(data for _, data in sorted(parts.items()))
            if len(result) != size:
                raise LinkError(f"RESULT must have {size} bytes, not {len(result)}")
            end = 0
            for at, data in sorted(parts.items()):
                if at != end:
                    raise LinkError(
                        f"RESULT must have {size} bytes from the first on, not from {at}"
                    )
                end = at + len(data)
            self.latency_cycles = int.from_bytes(header[1:5], "little")
            self._results[number] = result
            self.answered += 1
            self._arrived(len(self._batches[number]))
            return True

        return take

"""A connected device in bytes: frames, weights, counters; what it forgets is sent again."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from cores.link.packets import Register, Type
from hwgen.errors import InputError
from hwgen.host.batches import Batches, RequestSource, Single, chunks
from hwgen.host.channel import Channel, LinkError, LostError, Request
from hwgen.host.manifest import Manifest
from hwgen.host.progress import ProgressBar
from hwgen.host.protocol import Feature, Info
from hwgen.host.transport import Transport

RECOVERIES = 4
"""Resets in a row without any result in between after which a device counts as broken."""

_RUN = struct.Struct("<BQII")


@dataclass(frozen=True)
class PatternRun:
    """What a device measured while it ran frames of its own pattern.

    Parameters
    ----------
    cycles : int
        From the first beat in to the last beat out.
    saturated : bool
        `cycles` stopped at its highest value.
    frames : int
    checksum : int
        Of the outputs; see `hwgen.host.pattern`.
    """

    cycles: int
    saturated: bool
    frames: int
    checksum: int

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Reads the reply to RUN.

        Raises
        ------
        LinkError
        """
        if len(payload) != _RUN.size or payload[0] > 1:
            raise LinkError(
                f"the reply to RUN must have {_RUN.size} bytes and status 0 or 1, "
                f"not {payload.hex()}"
            )
        status, cycles, frames, checksum = _RUN.unpack(payload)
        return cls(cycles, bool(status), frames, checksum)


@dataclass(frozen=True)
class Counters:
    """What a device has counted since its last reset.

    Parameters
    ----------
    cycles : int
        Since the reset, modulo 2**32.
    frames_in, frames_out : int
    latency_cycles : int
        Of the last frame, first beat in to last beat out.
    interval_cycles : int
        Between the last beats of the last two frames.
    stream : str
        Of the manifest's `streams`; the one that `Accelerator.watch` chose.
    stalls : int
        Cycles in which a beat of that stream had to wait.
    """

    cycles: int
    frames_in: int
    frames_out: int
    latency_cycles: int
    interval_cycles: int
    stream: str
    stalls: int


class ConnectedDevice:
    """A device that answers packets.

    Making one resets the device and checks that it is the one of the manifest.

    Parameters
    ----------
    transport : Transport
    manifest : Manifest
    patience_s : float
        Time a reply may take beyond its time on the line and in the accelerator.
    progress : bool
        Long transfers show a progress bar on a terminal.

    Attributes
    ----------
    info : Info
        What the device said about itself.
    latency_cycles : int or None
        Of the last frame, as the device counted.
    recoveries : int
        Times that the device had to be reset because it had forgotten what was sent.

    Raises
    ------
    LinkError
        No answer.
    InputError
        The device holds another model, or speaks another protocol.
    """

    def __init__(
        self, transport: Transport, manifest: Manifest, *, patience_s: float, progress: bool
    ):
        self.latency_cycles: int | None = None
        self.recoveries = 0
        self._manifest = manifest
        self._progress = progress
        self._image: bytes | None = None
        self._channel = Channel(transport, manifest.baud, patience_s=patience_s)
        self._channel.reset()
        self.info = self._identify()

    @property
    def retries(self) -> int:
        """Packets sent again so far."""
        return self._channel.retries

    def close(self) -> None:
        self._channel.close()

    def reset(self) -> None:
        """Resets the accelerator and forgets frames half sent; loaded weights stay."""
        self._channel.reset()

    def ping(self, payload: bytes) -> None:
        """Sends bytes and expects the same.

        Raises
        ------
        LinkError
        """
        reply = self._channel.ask(Type.PING, payload)
        if reply != payload:
            raise LinkError(f"PING must return {payload.hex()}, not {reply.hex()}")

    def transfer(self, frames: Sequence[bytes]) -> list[bytes]:
        """Output frames for input frames, both as they are on the link.

        Raises
        ------
        LinkError
        """
        longest = max(self.info.in_bytes, self.info.out_bytes)
        with self._bar("frames", len(frames), each_bytes=longest) as advance:
            batches = Batches(frames, self.info, advance)
            self._serve(batches)
        if batches.latency_cycles is not None:
            self.latency_cycles = batches.latency_cycles
        return batches.outputs()

    def time_batch(self, frames: Sequence[bytes]) -> tuple[float, float]:
        """Seconds that one batch takes on its way in, and from there to its last output byte."""
        batches = Batches(frames, self.info)
        requests: list[Request] = []
        while (request := batches.next()) is not None:
            requests.append(request)
        clock = self._channel.now
        times = [clock()]
        for part in (requests[:-1], requests[-1:]):
            self._channel.run_all(part)
            times.append(clock())
        return times[1] - times[0], times[2] - times[1]

    def load(self, image: bytes) -> None:
        """Loads weights; they are loaded again if the device forgets them.

        Raises
        ------
        LinkError
        """
        self._image = image
        self._load()

    def run(self, frames: int) -> PatternRun:
        """Lets the device run frames of its own pattern at its own speed.

        Raises
        ------
        InputError
            The device has no pattern source.
        LinkError
        """
        self._require_run()
        if not 1 <= frames < 1 << 32:
            raise InputError(f"frames of a RUN must be in 1..{(1 << 32) - 1}, not {frames}")
        cycles = self.info.latency_cycles + frames * self.info.cycles_per_frame
        found: list[PatternRun] = []
        request = Request(
            Type.RUN,
            frames.to_bytes(4, "little"),
            lambda payload: not found.append(PatternRun.unpack(payload)),
            _RUN.size,
            cycles / self.info.clk_hz,
        )
        self._serve(Single(lambda: replace(request, sent=False)))
        if found[-1].frames != frames:
            raise LinkError(f"RUN must answer for {frames} frames, not {found[-1].frames}")
        return found[-1]

    def counters(self) -> Counters:
        """What the device has counted.

        Raises
        ------
        InputError
            The device has no counters.
        """
        self._require_run()
        read = {register: self._read(register) for register in Register}
        return Counters(
            cycles=read[Register.CYCLES],
            frames_in=read[Register.FRAMES_IN],
            frames_out=read[Register.FRAMES_OUT],
            latency_cycles=read[Register.LATENCY],
            interval_cycles=read[Register.INTERVAL],
            stream=self._manifest.streams[read[Register.STREAM]],
            stalls=read[Register.STALLS],
        )

    def watch(self, stream: str) -> None:
        """Counts the stalls of one of the manifest's `streams` from now on.

        Raises
        ------
        InputError
            The device has no counters, or the design no such stream.
        """
        self._require_run()
        streams = self._manifest.streams
        if stream not in streams:
            raise InputError(f"stream must be one of {', '.join(streams)}, not {stream}")
        number = streams.index(stream)
        payload = bytes([Register.STREAM]) + number.to_bytes(4, "little")
        self._serve(Single(lambda: Request(Type.CSR_WRITE, payload)))
        if (found := self._read(Register.STREAM)) != number:
            raise LinkError(f"register {Register.STREAM.name} must be {number}, not {found}")

    def _read(self, register: Register) -> int:
        return int.from_bytes(self._channel.ask(Type.CSR_READ, bytes([register])), "little")

    def _require_run(self) -> None:
        if Feature.RUN not in self.info.features:
            raise InputError(
                f"the link of {self._manifest.model} has no counters and no pattern source: "
                "build it with the full link"
            )

    def _serve(self, source: RequestSource) -> None:
        """Sends the requests of a source; begins again when the device forgot what was sent."""
        resets, reached = 0, source.answered
        while True:
            try:
                self._channel.run(source.next)
                return
            except LostError:
                if source.answered > reached:
                    resets, reached = 0, source.answered
                resets += 1
                if resets > RECOVERIES:
                    raise
                self._restart()
                if self._image is not None:
                    self._load()
                source.rewind()

    def _restart(self) -> None:
        self.recoveries += 1
        self._channel.reset()
        self.info = self._identify()

    def _load(self) -> None:
        assert self._image is not None
        for attempt in range(RECOVERIES + 1):
            requests = chunks(Type.WEIGHTS, self._image)
            size = len(requests[0].payload)
            try:
                with self._bar("weights", len(requests), each_bytes=size) as advance:
                    for request in requests:
                        request.take = lambda payload: not advance(1)
                    self._channel.run_all(requests)
                return
            except LostError:
                if attempt == RECOVERIES:
                    raise
                self._restart()

    def _bar(self, what: str, count: int, *, each_bytes: int) -> ProgressBar:
        seconds = 10 * count * each_bytes / self._manifest.baud * self._channel.slowness
        return ProgressBar(what, count, seconds=seconds if self._progress else 0.0)

    def _identify(self) -> Info:
        reply = self._channel.ask(Type.INFO)
        try:
            info = Info.unpack(reply)
        except ValueError as error:
            raise InputError(f"wrong device: {error}") from error
        if info.model_hash.hex() != self._manifest.model_hash:
            raise InputError(
                f"the device holds model {info.model_hash.hex()}, the manifest is of "
                f"{self._manifest.model} ({self._manifest.model_hash}): program its bitstream, "
                "or take the manifest of the one programmed"
            )
        (sent,), (returned,) = self._manifest.inputs.values(), self._manifest.outputs.values()
        sizes = sent.wire.frame_bytes, returned.wire.frame_bytes
        if (info.in_bytes, info.out_bytes) != sizes:
            raise InputError(
                f"the device has frames of {info.in_bytes} and {info.out_bytes} bytes, the "
                f"manifest {sizes[0]} and {sizes[1]}: take the manifest of the bitstream programmed"
            )
        self._channel.credits = info.credits
        return info

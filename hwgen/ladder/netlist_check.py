"""The last rung before a board: frames through a build's netlist, serial line and all.

Every bit lane of the netlist simulation is a board of its own that gets its own frame, in the very
packets that the host driver sends.
"""

from pathlib import Path

import numpy as np

from cores.link.packets import MAX_PAYLOAD, OFFSET_BYTES, RESPONSE, RESULT_HEADER, Type
from cores.link.uart import baud_divisor
from hwgen.errors import CheckError
from hwgen.host.manifest import Manifest
from hwgen.host.protocol import Packet
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from platforms.boards.board import Board

WAKE_CYCLES = 8192
"""Cycles after which the power-on reset of every board has ended."""

PATIENCE = 100_000
"""Cycles, besides those of frames, without a byte after which the design counts as stuck."""

DATA_BYTES = MAX_PAYLOAD - OFFSET_BYTES
RESULT_BYTES = MAX_PAYLOAD - RESULT_HEADER


def run_netlist(
    path: Path,
    manifest: Manifest,
    board: Board,
    n: np.ndarray,
    *,
    cache: Path,
    weights: bytes = b"",
) -> tuple[np.ndarray, int]:
    """Frames through the netlist of a board design, one frame per lane.

    Parameters
    ----------
    path : Path
        Flattened JSON netlist.
    n : int array, (frames, *shape)
        Integers of the accelerator's input; at most 512 frames.
    weights : bytes
        The image that the design must be loaded with, if it must.

    Returns
    -------
    y : int64 array, (frames, *shape)
    latency : int
        Cycles that the device reports, first input beat to last output beat.

    Raises
    ------
    CheckError
        A reply is not the one expected.
    """
    simulator = NetlistSimulator(
        GateNetlist.load(path, board.device.family), cache=cache, lanes=len(n)
    )
    name, number = board.uart
    line = _Line(
        simulator,
        rx=f"{name}_{number}__rx__io",
        tx=f"{name}_{number}__tx__io",
        divider=baud_divisor(round(manifest.clock_mhz * 1e6), manifest.baud),
        frames=len(n),
        patience=PATIENCE + 2 * manifest.latency_cycles,
    )
    for offset in range(0, len(weights), DATA_BYTES):
        chunk = offset.to_bytes(4, "little") + weights[offset : offset + DATA_BYTES]
        line.exchange(Type.WEIGHTS, [chunk] * len(n), [0])
    (sent,), (returned,) = manifest.inputs.values(), manifest.outputs.values()
    frames = sent.wire.pack(n)
    for offset in range(0, sent.wire.frame_bytes, DATA_BYTES):
        chunks = [
            offset.to_bytes(4, "little") + frame[offset : offset + DATA_BYTES] for frame in frames
        ]
        line.exchange(Type.DATA, chunks, [0])
    sizes = [
        RESULT_HEADER + min(RESULT_BYTES, returned.wire.frame_bytes - offset)
        for offset in range(0, returned.wire.frame_bytes, RESULT_BYTES)
    ]
    replies = line.exchange(Type.INFER, [b""] * len(n), sizes)
    outputs, latencies = [], set()
    for parts in replies:
        if any(part[0] for part in parts):
            raise CheckError(f"the netlist's RESULT has status {parts[0][0]}, not 0")
        latencies.update(int.from_bytes(part[1:5], "little") for part in parts)
        outputs.append(returned.wire.unpack(b"".join(part[RESULT_HEADER:] for part in parts)))
    if len(latencies) != 1:
        raise CheckError(f"all frames must have one latency, not {sorted(latencies)}")
    return np.stack(outputs), latencies.pop()


class _Line:
    """The serial line of all lanes: one request, its replies, in step."""

    def __init__(
        self,
        simulator: NetlistSimulator,
        *,
        rx: str,
        tx: str,
        divider: int,
        frames: int,
        patience: int,
    ):
        self._simulator = simulator
        self._patience = patience + 20 * divider
        self._rx, self._tx = rx, tx
        self._divider = divider
        self._frames = frames
        self._sequence = 0
        simulator.put(rx, 1)
        simulator.step(WAKE_CYCLES)

    def exchange(self, kind: Type, payloads: list[bytes], sizes: list[int]) -> list[list[bytes]]:
        """Sends one request per lane; returns the payloads of its replies, of the sizes given."""
        lines = [Packet(kind, self._sequence, payload).encode() for payload in payloads]
        data = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), -1)
        # COBS adds one byte to packets this short, and the delimiter one more.
        count = sum(2 + size + 2 + 2 for size in sizes)
        received = self._simulator.uart(
            data,
            count,
            rx=self._rx,
            tx=self._tx,
            divider=self._divider,
            patience=self._patience,
        )
        found = [self._payloads(kind, lane.tobytes()) for lane in received[: self._frames]]
        self._sequence = (self._sequence + 1) % 256
        return found

    def _payloads(self, kind: Type, data: bytes) -> list[bytes]:
        packets = [Packet.decode(frame) for frame in data.split(b"\0")[:-1]]
        for packet in packets:
            if packet.type != kind | RESPONSE or packet.sequence != self._sequence:
                raise CheckError(
                    f"the netlist must answer {kind.name} number {self._sequence}, "
                    f"not with type {packet.type:#x} number {packet.sequence}"
                )
        return [packet.payload for packet in packets]

"""What compiled and netlist simulation have in common: beats through two streams, pins, a serial
line; all of it runs in C++ (`driver.hpp`), one call for many cycles."""

import ctypes
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from cores.beats import from_beats, to_beats
from cores.types import StreamType
from hwgen.errors import CheckError

_STUCK, _DISAGREE, _SURPLUS, _FRAMING = 1, 2, 3, 4


@dataclass(frozen=True)
class Stall:
    """Random pauses: the source holds back a beat, or the sink its `ready`, in any cycle.

    Parameters
    ----------
    source, sink : float
        Probability of a pause in a cycle, 0 to below 1.
    seed : int
    """

    source: float = 0.0
    sink: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name, value in (("source", self.source), ("sink", self.sink)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} stall must be in 0 <= p < 1, not {value}")


NO_STALL = Stall()


@dataclass(frozen=True, eq=False)
class StreamRun:
    """Beats out of a design and when they moved; cycle 0 is the first after power-on.

    Attributes
    ----------
    beats : uint8 array, (..., beats, bytes)
        Payloads, little-endian; a leading lane axis where the simulator has lanes.
    in_cycles, out_cycles : int64 array, (beats,)
        Cycle in which each beat was transferred.
    cycles : int
        Cycles run in all.
    """

    beats: np.ndarray
    in_cycles: np.ndarray
    out_cycles: np.ndarray
    cycles: int


@dataclass(frozen=True, eq=False)
class SerialPins:
    """Pins of a serial line and where its two bytes are.

    Parameters
    ----------
    rx, tx : str
        Ports of the design.
    divider : int
        Clock cycles per bit.
    state : int64 array, (4,)
        Bits being sent, cycle within them or -1, byte being received, cycle within it or -1.
    """

    rx: str
    tx: str
    divider: int
    state: np.ndarray = field(default_factory=lambda: np.array([0, -1, 0, -1], np.int64))


class Driver(ABC):
    """A simulated design with an input and an output stream, or just pins.

    Parameters
    ----------
    library : Path
        What was compiled from ``driver.hpp`` and a machine.
    name : str
        Of the design, for messages.
    i, o : str
        Names of the stream ports.
    """

    def __init__(self, library: Path, name: str, *, i: str = "i", o: str = "o"):
        self._library = _declare(ctypes.CDLL(str(library)))
        self._name = name
        self._i, self._o = i, o
        self._machine: int | None = None

    def __del__(self):
        if getattr(self, "_machine", None) is not None:
            self._library.sim_destroy(self._machine)

    @property
    def machine(self) -> int:
        """The machine in its present state; made in its power-on state where there is none."""
        if self._machine is None:
            self._machine = self._create()
        return self._machine

    def reset(self) -> None:
        """Back to the state after power-on."""
        if self._machine is not None:
            self._library.sim_destroy(self._machine)
        self._machine = None

    @abstractmethod
    def _create(self) -> int:
        """Address of a new machine."""

    @abstractmethod
    def _encode(self, values: np.ndarray, width: int) -> np.ndarray:
        """Bytes that the machine takes for little-endian payloads ``(..., n, bytes)``: ``(n,
        size)``."""

    @abstractmethod
    def _decode(self, data: np.ndarray, width: int) -> np.ndarray:
        """The inverse of `_encode`."""

    @abstractmethod
    def _size(self, width: int) -> int:
        """Bytes of a port of this width in the machine."""

    def port(self, name: str) -> int:
        """Number of a top-level port.

        Raises
        ------
        ValueError
            There is no such port.
        """
        number = self._library.sim_port(self.machine, name.encode())
        if number < 0:
            raise ValueError(f"port must be one of {self._name}, not {name!r}")
        return number

    def width(self, name: str) -> int:
        """Bits of a top-level port."""
        return self._library.sim_width(self.machine, self.port(name))

    def run(
        self,
        beats: np.ndarray,
        count: int,
        *,
        stall: Stall = NO_STALL,
        patience: int = 100_000,
        drain: int = 0,
    ) -> StreamRun:
        """Beats in, `count` beats out, from power-on.

        Parameters
        ----------
        beats : uint8 array, (..., beats, bytes)
            Payloads, little-endian.
        patience : int
            Cycles without a transfer at either port after which the design counts as stuck.
        drain : int
            Cycles to go on after the last beat, in which no further one may come.

        Raises
        ------
        CheckError
            The design is stuck, gave more than `count` beats, or its lanes do not keep step.
        """
        self.reset()
        machine = self.machine
        ports = [self.port(f"{self._i}__{field}") for field in ("payload", "valid", "ready")]
        ports += [self.port(f"{self._o}__{field}") for field in ("payload", "valid", "ready")]
        i_width, o_width = (self._library.sim_width(machine, ports[n]) for n in (0, 3))
        data = self._encode(np.asarray(beats, np.uint8), i_width)
        out = np.zeros((count, self._size(o_width)), np.uint8)
        in_cycles, out_cycles = np.zeros(len(data), np.int64), np.zeros(count, np.int64)
        thresholds = [round(p * 2**32) for p in (stall.source, stall.sink)]
        stalls = np.array(
            [thresholds[0], 2 * stall.seed, thresholds[1], 2 * stall.seed + 1], np.uint64
        )
        moved = np.zeros(3, np.int64)
        status = self._library.sim_stream(
            machine,
            np.array(ports, np.int32).ctypes.data,
            data.ctypes.data,
            len(data),
            out.ctypes.data,
            count,
            in_cycles.ctypes.data,
            out_cycles.ctypes.data,
            stalls.ctypes.data,
            patience,
            drain,
            moved.ctypes.data,
        )
        if status:
            self._fail(status, moved, f"beats {len(data)}", f"beats {count}", patience)
        return StreamRun(self._decode(out, o_width), in_cycles, out_cycles, int(moved[2]))

    def put(self, name: str, value: int) -> None:
        """Drive a top-level input, in every lane.

        Raises
        ------
        ValueError
            The value does not fit the port.
        """
        width = self.width(name)
        if not 0 <= value < 1 << width:
            raise ValueError(f"port {name} must get 0..{(1 << width) - 1}, not {value}")
        payload = np.frombuffer(value.to_bytes(-(-width // 8), "little"), np.uint8)
        data = self._encode(payload[None], width)
        self._library.sim_put(self.machine, self.port(name), data.ctypes.data)

    def get(self, name: str) -> int:
        """Read a top-level port; with lanes, that of lane 0."""
        width = self.width(name)
        data = np.zeros((1, self._size(width)), np.uint8)
        self._library.sim_get(self.machine, self.port(name), data.ctypes.data)
        payload = self._decode(data, width).reshape(-1, -(-width // 8))[0]
        return int.from_bytes(payload.tobytes(), "little")

    def step(self, cycles: int = 1) -> None:
        """Run clock cycles with the inputs as they stand."""
        self._library.sim_step(self.machine, cycles)

    def uart(
        self,
        data: np.ndarray,
        count: int,
        *,
        rx: str,
        tx: str,
        divider: int,
        patience: int | None = None,
    ) -> np.ndarray:
        """Send bytes to the design's pin `rx` while receiving `count` bytes from its pin `tx`.

        Goes on from the present state; the line to the design idles high (it must have been driven
        high by ``put(rx, 1)`` if cycles ran before).

        Parameters
        ----------
        data : uint8 array, (..., bytes)
            With a leading lane axis where the simulator has lanes, which may answer at different
            times.
        divider : int
            Clock cycles per bit.
        patience : int, optional
            Cycles in which no byte gets through either way before the design counts as stuck;
            ``100_000 + 20 * divider`` if not given.

        Raises
        ------
        CheckError
            Stuck, more than `count` bytes in a lane, or a missing stop bit.
        """
        pins = [self.port(rx), self.port(tx)]
        bits = np.unpackbits(np.asarray(data, np.uint8), axis=-1, bitorder="little")
        encoded = self._encode(bits[..., None], 1)
        out = np.zeros((8 * count, self._size(1)), np.uint8)
        moved = np.zeros(3, np.int64)
        patience = 100_000 + 20 * divider if patience is None else patience
        status = self._library.sim_uart(
            self.machine,
            *pins,
            divider,
            encoded.ctypes.data,
            len(encoded) // 8,
            out.ctypes.data,
            count,
            patience,
            moved.ctypes.data,
        )
        if status:
            self._fail(status, moved, f"bytes {len(encoded) // 8}", f"bytes {count}", patience)
        received = self._decode(out, 1)[..., 0]
        return np.packbits(received, axis=-1, bitorder="little")

    def run_line(
        self, line: "SerialPins", data: bytes, *, cycles: int, room: int, stop: int = -1
    ) -> tuple[int, bytes, int]:
        """A serial line that goes on from call to call; see `hwgen.simulators.line`.

        Parameters
        ----------
        data : bytes
            For the design. A byte counts as sent when its start bit begins.
        cycles, room, stop : int
            Return after so many cycles, so many bytes received, or behind a byte equal to `stop`.

        Returns
        -------
        sent : int
        received : bytes
        cycles : int

        Raises
        ------
        CheckError
            A missing start or stop bit, or lanes that do not keep step.
        """
        machine = self.machine
        out = np.zeros(room, np.uint8)
        moved = np.zeros(3, np.int64)
        status = self._library.sim_line(
            machine,
            self.port(line.rx),
            self.port(line.tx),
            line.divider,
            line.state.ctypes.data,
            data,
            len(data),
            out.ctypes.data,
            room,
            stop,
            cycles,
            moved.ctypes.data,
        )
        if status:
            self._fail(status, moved, f"bytes {len(data)}", f"bytes {room}", cycles)
        sent, received, ran = moved.tolist()
        return sent, out[:received].tobytes(), ran

    def _fail(
        self, status: int, moved: np.ndarray, wanted_in: str, wanted_out: str, patience: int
    ) -> NoReturn:
        what, n_in = wanted_in.split()
        n_out = wanted_out.split()[1]
        progress = f"at cycle {moved[2]}, {moved[0]} of {n_in} {what} in, {moved[1]} of {n_out} out"
        reasons = {
            _STUCK: f"is stuck: nothing moved for {patience} cycles",
            _DISAGREE: "has lanes that do not keep step: its schedule depends on data",
            _SURPLUS: f"gave more than {n_out} {what}",
            _FRAMING: "sent a byte without start or stop bit",
        }
        raise CheckError(f"{self._name} {reasons[status]} ({progress})")


def pack_tensor(tensor: np.ndarray, stream: StreamType) -> np.ndarray:
    """Payloads of whole frames, uint8 of shape ``(frames, beats, bytes)``."""
    beats = to_beats(tensor, stream)
    bits = beats[..., None] >> np.arange(stream.dtype.width) & 1
    flat = bits.astype(np.uint8).reshape(*beats.shape[:2], stream.width)
    return np.packbits(flat, axis=-1, bitorder="little")


def unpack_tensor(payloads: np.ndarray, stream: StreamType) -> np.ndarray:
    """The inverse of `pack_tensor`."""
    bits = np.unpackbits(payloads, axis=-1, count=stream.width, bitorder="little")
    elements = bits.reshape(-1, stream.beats, stream.elements, stream.dtype.width)
    weights = 1 << np.arange(stream.dtype.width, dtype=np.int64)
    if stream.dtype.signed:
        weights[-1] = -weights[-1]
    return from_beats(elements.astype(np.int64) @ weights, stream)


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    address, text, number, count = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
    beats, serial = (address, count, address, count), (address, count, address, count)
    line = (address, number, number, count, address)
    signatures = {
        "sim_destroy": (None, address),
        "sim_port": (number, address, text),
        "sim_width": (number, address, number),
        "sim_put": (None, address, number, address),
        "sim_get": (None, address, number, address),
        "sim_step": (None, address, count),
        "sim_stream": (number, address, address, *beats, *(address,) * 3, count, count, address),
        "sim_uart": (number, address, number, number, count, *serial, count, address),
        "sim_line": (number, *line, text, count, address, count, number, count, address),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library

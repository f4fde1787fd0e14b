"""Simulation of a post-synthesis netlist, hundreds of frames at a time: one bit lane per frame."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cores.types import StreamType
from hwgen.simulators.cxx import compile_library
from hwgen.simulators.driver import NO_STALL, Driver, Stall, StreamRun, pack_tensor, unpack_tensor
from hwgen.simulators.netlist import GateNetlist

_HERE = Path(__file__).parent
MAX_LANES = 512


class _Program(ctypes.Structure):
    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in ("slots", "ops", "flipflops", "rising", "writes", "memories", "ports")
        ),
        *(
            (name, ctypes.c_void_p)
            for name in (
                *("op", "operands", "flipflop", "initial", "write", "memory_size", "memory"),
                *("written", "port_slots", "port_start"),
            )
        ),
    ]


class NetlistSimulator(Driver):
    """A netlist in simulation; all lanes step together, which data-independent schedules allow.

    Parameters
    ----------
    netlist : GateNetlist
    cache : Path
        Folder for the compiled evaluator, which is the same for all netlists.
    lanes : int
        Frames simulated at a time; rounded up to 64, 128, 256 or 512.
    i, o : str
        Names of the input and output stream port.
    compiler : sequence of str, optional
        See `hwgen.simulators.cxx.find_compiler`.

    Raises
    ------
    ToolError
        The C++ compiler is missing.
    """

    def __init__(
        self,
        netlist: GateNetlist,
        *,
        cache: Path,
        lanes: int = MAX_LANES,
        i: str = "i",
        o: str = "o",
        compiler: Sequence[str] | None = None,
    ):
        if not 1 <= lanes <= MAX_LANES:
            raise ValueError(f"lanes must be in 1..{MAX_LANES}, not {lanes}")
        self.lanes = max(64, 1 << (lanes - 1).bit_length())
        library = compile_library(
            {name: (_HERE / name).read_text() for name in ("netlist.cpp", "driver.hpp")},
            flags=["-O3", "-march=native", f"-DLANE_WORDS={self.lanes // 64}"],
            cache=cache,
            compiler=compiler,
        )
        super().__init__(library, netlist.name, i=i, o=o)
        self._netlist = netlist
        self._numbers = {name: n for n, name in enumerate(netlist.ports)}
        self._arrays: list[np.ndarray] = []  # kept alive for the machine
        self._program = self._layout()
        self._library.sim_create.argtypes = [ctypes.c_void_p]
        self._library.sim_create.restype = ctypes.c_void_p

    def run_tensor(
        self,
        tensor: np.ndarray,
        i_type: StreamType,
        o_type: StreamType,
        *,
        frames_per_lane: int = 1,
        stall: Stall = NO_STALL,
        patience: int = 100_000,
        drain: int = 0,
    ) -> tuple[np.ndarray, StreamRun]:
        """Whole frames through the netlist, spread over the lanes, in several runs if need be.

        Parameters
        ----------
        tensor : int array, (frames, *i_type.shape)
        frames_per_lane : int
            Frames that follow one another in each lane; divides the number of frames.

        Returns
        -------
        tensor : int64 array, (frames, *o_type.shape)
        run : StreamRun
            The first run; its schedule is that of all.
        """
        if not len(tensor) or len(tensor) % frames_per_lane:
            raise ValueError(
                f"frames per lane must divide the {len(tensor)} frames, not {frames_per_lane}"
            )
        payloads = pack_tensor(tensor, i_type)
        per_lane = payloads.reshape(-1, frames_per_lane * i_type.beats, payloads.shape[-1])
        runs = [
            self.run(
                per_lane[first : first + self.lanes],
                frames_per_lane * o_type.beats,
                stall=stall,
                patience=patience,
                drain=drain,
            )
            for first in range(0, len(per_lane), self.lanes)
        ]
        beats = np.concatenate([run.beats for run in runs])
        return unpack_tensor(beats.reshape(-1, beats.shape[-1]), o_type), runs[0]

    def port(self, name: str) -> int:
        if name not in self._numbers:
            raise ValueError(f"port must be one of {self._name}, not {name!r}")
        return self._numbers[name]

    def put(self, name: str, value: int) -> None:
        self.port(name)
        if not self._netlist.ports[name].driven:
            raise ValueError(f"port {name} of {self._name} must be an input, not an output")
        super().put(name, value)

    def _create(self) -> int:
        return self._library.sim_create(ctypes.addressof(self._program))

    def _layout(self) -> _Program:
        program, ports = self._netlist.program, self._netlist.ports.values()
        sizes = np.cumsum([0, *(len(port.slots) for port in ports)])
        layout = _Program(
            slots=program.slots,
            ops=len(program.ops),
            flipflops=len(program.flipflops),
            rising=program.rising,
            writes=len(program.writes),
            memories=len(program.memories),
            ports=len(ports),
        )
        arrays = {
            "op": program.ops,
            "operands": program.operands,
            "flipflop": program.flipflops,
            "initial": program.initial,
            "write": program.writes,
            "memory_size": np.array([len(bits) for bits in program.memories], np.int64),
            "memory": np.array([bits.ctypes.data for bits in program.memories], np.uint64),
            "written": program.written,
            "port_slots": np.array([s for port in ports for s in port.slots], np.int32),
            "port_start": sizes.astype(np.int32),
        }
        for name, array in arrays.items():
            self._arrays.append(np.ascontiguousarray(array))
            setattr(layout, name, self._arrays[-1].ctypes.data)
        return layout

    def _size(self, width: int) -> int:
        return width * self.lanes // 8

    def _encode(self, values: np.ndarray, width: int) -> np.ndarray:
        # [lane][beat][byte] to [beat][bit][lane]; spare lanes repeat the first, to keep step.
        values = values[None] if values.ndim == 2 else values
        if values.ndim != 3 or values.shape[2] != -(-width // 8) or len(values) > self.lanes:
            raise ValueError(
                f"beats of {self._name} must have the shape "
                f"(up to {self.lanes} lanes, beats, {-(-width // 8)}), not {values.shape}"
            )
        self._used = len(values)
        bits = np.unpackbits(values, axis=2, count=width, bitorder="little")
        full = np.repeat(bits[:1], self.lanes, axis=0)
        full[: len(bits)] = bits
        packed = np.packbits(full.transpose(1, 2, 0), axis=2, bitorder="little")
        return np.ascontiguousarray(packed.reshape(values.shape[1], -1))

    def _decode(self, data: np.ndarray, width: int) -> np.ndarray:
        bits = np.unpackbits(
            data.reshape(len(data), width, self.lanes // 8), axis=2, bitorder="little"
        )
        lanes = bits.transpose(2, 0, 1)[: self._used]
        return np.packbits(lanes, axis=2, bitorder="little")

"""A built design in simulation, reached through its serial line, as a board would be."""

from pathlib import Path

from cores.link.uart import baud_divisor
from hwgen.errors import InputError
from hwgen.host.manifest import Manifest
from hwgen.simulators.compiled import READ_RTLIL, CxxrtlSimulator, compile_design
from hwgen.simulators.line import SerialLine
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from platforms.boards.catalogue import board
from platforms.tools import Tools

MANIFEST = "manifest.json"
PORTABLE = "emulation.il"
NETLIST = "tools/top.json"
"""Files of a build folder."""


class EmulatedBoard:
    """A simulated design with the pins of a serial line.

    Parameters
    ----------
    line : SerialLine
    clk_hz : int
        Clock that the design was built for: seconds are simulated ones.
    """

    def __init__(self, line: SerialLine, clk_hz: int):
        self.line = line
        self.clk_hz = clk_hz

    @classmethod
    def of_build(cls, folder: Path, *, cache: Path, tools: Tools) -> "EmulatedBoard":
        """The design of a build folder, compiled at its first use.

        Raises
        ------
        InputError
            No build folder, or one without what emulation needs.
        ToolError
            yosys or the C++ compiler is missing or fails.
        """
        manifest = load_manifest(folder)
        text = _file(folder, PORTABLE).read_text()
        return cls.of_rtlil(text, manifest, cache=cache, tools=tools)

    @classmethod
    def of_rtlil(
        cls, text: str, manifest: Manifest, *, cache: Path, tools: Tools
    ) -> "EmulatedBoard":
        """A design by `hwgen.board.implement.portable_design`."""
        library = compile_design({"top.il": text}, READ_RTLIL, cache=cache, tools=tools)
        simulator = CxxrtlSimulator(library, manifest.model)
        clk_hz, divider = _clock(manifest)
        return cls(SerialLine(simulator, rx="rx", tx="tx", divider=divider), clk_hz)

    @classmethod
    def of_netlist(cls, folder: Path, *, cache: Path) -> "EmulatedBoard":
        """The synthesised netlist of a build folder: its own memories, multipliers and pins, but
        slow.

        Raises
        ------
        InputError
            No build folder.
        ToolError
            The C++ compiler is missing.
        """
        manifest = load_manifest(folder)
        path = _file(folder, NETLIST)
        target = board(manifest.board)
        netlist = GateNetlist.load(path, target.device.family)
        simulator = NetlistSimulator(netlist, cache=cache, lanes=1)
        name, number = target.uart
        rx, tx = (f"{name}_{number}__{pin}__io" for pin in ("rx", "tx"))
        clk_hz, divider = _clock(manifest)
        return cls(SerialLine(simulator, rx=rx, tx=tx, divider=divider), clk_hz)

    def power_on(self) -> None:
        """Off and on again."""
        self.line.power_on()


class SimulatedTransport:
    """The line of an emulated board as a transport of the host driver, in simulated time.

    Nothing runs but what the host waits for.

    Parameters
    ----------
    board : EmulatedBoard
    """

    def __init__(self, board: EmulatedBoard):
        self.board = board

    def write(self, data: bytes) -> None:
        self.board.line.send(data)

    def read(self, count: int, timeout: float) -> bytes:
        # A host acts on whole frames.
        cycles = max(1, round(timeout * self.board.clk_hz))
        return self.board.line.run(cycles, room=count, stop=0)

    def now(self) -> float:
        return self.board.line.cycle / self.board.clk_hz

    def close(self) -> None:
        pass


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a build folder.

    Raises
    ------
    InputError
    """
    try:
        return Manifest.load(_file(folder, MANIFEST))
    except ValueError as error:
        raise InputError(str(error)) from error


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"{folder}: must be the output folder of a build; it has no {name}: build it again"
        )
    return path


def _clock(manifest: Manifest) -> tuple[int, int]:
    clk_hz = round(manifest.clock_mhz * 1e6)
    return clk_hz, baud_divisor(clk_hz, manifest.baud)

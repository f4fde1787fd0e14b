"""Boards: which are supported, and a build written into one."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

from hwgen.errors import InputError, SetupError, ToolError
from hwgen.session import Session
from hwgen.verbs.flow import read_report
from platforms.boards.board import Board
from platforms.boards.catalogue import BOARDS
from platforms.boards.catalogue import board as find_board
from platforms.toolchain import bitstream_name

LAST_LINES = 5
"""Lines of a failed tool that its message repeats."""


def boards() -> list[dict[str, Any]]:
    """Supported boards."""
    return [_row(board) for board in BOARDS.values()]


def _row(board: Board) -> dict[str, Any]:
    bitstream = Path(bitstream_name(board.device))
    return {
        "name": board.name,
        "title": board.title,
        "device": board.device.name,
        "oscillator_mhz": board.oscillator_mhz,
        "clock_mhz": board.device.default_clock_mhz,
        "link": {**board.link_pins, "via": board.link},
        "program": {
            "command": shlex.join(board.programmer.command(bitstream)),
            "memory": board.programmer.memory,
            "note": board.note,
        },
    }


def program(folder: Path, session: Session, *, dry_run: bool = False) -> dict[str, Any]:
    """Writes the bitstream of a build folder into its board.

    Parameters
    ----------
    dry_run : bool
        Only tells the command, whether its tool is installed or not.

    Raises
    ------
    InputError
        No build folder.
    SetupError
        The tool is not installed; the message says how to install it.
    ToolError
        The tool failed; the message ends with what it said last.
    """
    record = read_report(folder)
    board = find_board(record["board"])
    bitstream = folder / Path(record["bitstream"]).name
    if not bitstream.is_file():
        raise InputError(f"{folder}: must hold {bitstream.name}; build it again")
    programmer = board.programmer
    found = {
        "board": board.name,
        "bitstream": str(bitstream),
        "memory": programmer.memory,
        "command": shlex.join(programmer.command(bitstream)),
        "note": board.note,
        "programmed": not dry_run,
    }
    if dry_run:
        return found
    try:
        command = programmer.installed_command(bitstream, session.environment)
    except FileNotFoundError as error:
        raise SetupError(str(error)) from error
    with session.step(f"program {board.name}"):
        _run(command, programmer.tool, session)
    return found


def _run(command: list[str], tool: str, session: Session) -> None:
    lines = []
    with subprocess.Popen(
        command,
        env=dict(session.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            session.progress(lines[-1])
    if process.returncode:
        said = "\n".join(lines[-LAST_LINES:]) or "(nothing)"
        raise ToolError(f"{tool} ended with status {process.returncode} and said:\n{said}")

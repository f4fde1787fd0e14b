"""Board, device and clock that a design is for, and the design prepared for them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwgen.design import Design, Goal
from hwgen.errors import InputError
from hwgen.prepare import Prepared, load, prepare
from platforms.boards.board import Board
from platforms.boards.catalogue import BOARDS
from platforms.boards.catalogue import board as find_board
from platforms.device import Device
from platforms.devices import device as find_device

LARGEST = "ecp5-85f"
"""The device of simulations for which neither board nor folding is asked."""


@dataclass(frozen=True)
class Target:
    """What a design is folded for.

    Parameters
    ----------
    device : Device
    clock_mhz : float
    board_name : str or None
        None where only a device is known.
    """

    device: Device
    clock_mhz: float
    board_name: str | None = None


def board_of(design: Design) -> Board:
    """The design's board.

    Raises
    ------
    InputError
        It names none, or one that is unknown.
    """
    if design.board is None:
        raise InputError(f"--board must be given; boards: {', '.join(BOARDS)}")
    return _found(find_board, design.board)


def on_board(design: Design) -> Target:
    """The design's board at the clock that it can make.

    Raises
    ------
    InputError
        As `board_of`, or the board cannot make the clock.
    """
    board = board_of(design)
    try:
        clock_mhz = float(board.clock_plan(design.clock_mhz).achieved_mhz)
    except ValueError as error:
        raise InputError(str(error)) from error
    return Target(board.device, clock_mhz, board.name)


def on_device(design: Design, name: str) -> Target:
    """A device alone, at any clock.

    Raises
    ------
    InputError
        The device is unknown.
    """
    device = _found(find_device, name)
    return Target(device, design.clock_mhz or device.default_clock_mhz)


def prepared_for(
    design: Design, target: Target, *, cache: Path | None, link: str = "uart"
) -> Prepared:
    """The design's model, read, analysed and folded; for `cache` see `prepare`."""
    loaded = load(design.model, design.input_type, name=design.name, sequential=design.sequential)
    return prepare(
        loaded,
        target.device,
        clock_mhz=target.clock_mhz,
        goal=design.goal,
        link=link,
        cache=cache,
    )


def prepared_for_simulation(design: Design, *, cache: Path | None) -> Prepared:
    """Folded for the design's board; without one as far as it goes, for the largest device."""
    if design.board is not None:
        return prepared_for(design, on_board(design), cache=cache)
    if design.goal == Goal():
        design = replace(design, goal=Goal(fps=1))
    return prepared_for(design, on_device(design, LARGEST), cache=cache)


def _found(find: Callable[[str], Any], name: str) -> Any:
    try:
        return find(name)
    except ValueError as error:
        raise InputError(str(error)) from error

"""Board, device and clock that a design is for, and the design prepared for them."""

from dataclasses import dataclass, replace
from pathlib import Path

from hwgen.design import Design, Goal
from hwgen.errors import InputError
from hwgen.prepare import Loaded, Prepared, load, prepare
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
        It names none.
    """
    if design.board is None:
        raise InputError(f"--board must be given; boards: {', '.join(BOARDS)}")
    return find_board(design.board)


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


def target_of(design: Design) -> Target:
    """The design's board, or its device alone, which runs at any clock.

    Raises
    ------
    InputError
        It names neither, or the board cannot make the clock.
    """
    if design.board is not None or design.device is None:
        return on_board(design)
    device = find_device(design.device)
    return Target(device, design.clock_mhz or device.default_clock_mhz)


def loaded_of(design: Design) -> Loaded:
    """The design's model, read and analysed, not folded."""
    return load(
        design.model,
        design.input_type,
        name=design.name,
        sequential=design.sequential,
        plugins=design.plugins,
    )


def prepared_for(design: Design, target: Target, *, cache: Path | None) -> Prepared:
    """The design's model, read, analysed and folded; for `cache` see `prepare`."""
    loaded = loaded_of(design)
    return prepare(
        loaded,
        target.device,
        clock_mhz=target.clock_mhz,
        goal=design.goal,
        link=design.link,
        cache=cache,
    )


def prepared_for_simulation(design: Design, *, cache: Path | None) -> Prepared:
    """Folded for the design's board or device; without one, for the largest device, where a
    design that has no goal is not unfolded."""
    if design.board is None and design.device is None:
        goal = Goal(fps=1) if design.goal == Goal() else design.goal
        design = replace(design, device=LARGEST, goal=goal)
    return prepared_for(design, target_of(design), cache=cache)

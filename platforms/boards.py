"""Every board by name."""

from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)

from platforms.board import Board
from platforms.ecp5 import ecp5
from platforms.ice40 import UP5K

_BOARDS = (
    Board("icebreaker", "iCEBreaker", ICEBreakerPlatform, UP5K, pll_pad=True),
    Board("ulx3s-12f", "ULX3S 12F", ULX3S_12F_Platform, ecp5("12")),
    Board("ulx3s-25f", "ULX3S 25F", ULX3S_25F_Platform, ecp5("25")),
    Board("ulx3s-45f", "ULX3S 45F", ULX3S_45F_Platform, ecp5("45")),
    Board("ulx3s-85f", "ULX3S 85F", ULX3S_85F_Platform, ecp5("85")),
)

BOARDS = {board.name: board for board in _BOARDS}


def board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    ValueError
        No such board; the message lists the names.
    """
    if name not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]

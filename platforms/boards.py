"""Every board by name."""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform
from amaranth_boards.ecpix5 import ECPIX545Platform, ECPIX585Platform
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.icestick import ICEStickPlatform
from amaranth_boards.icesugar import ICESugarPlatform
from amaranth_boards.icesugar_pro import ICESugarProPlatform
from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)
from amaranth_boards.versa_ecp5 import VersaECP5Platform
from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

from platforms.board import Board
from platforms.ecp5 import ecp5
from platforms.ice40 import HX1K, HX8K, UP5K

_BOARDS = (
    Board("icebreaker", "iCEBreaker", ICEBreakerPlatform, UP5K, pll_pad=True),
    Board("icesugar", "iCESugar", ICESugarPlatform, UP5K, pll_pad=True),
    Board("icestick", "iCEstick", ICEStickPlatform, HX1K),
    Board("hx8k-b-evn", "iCE40-HX8K-B-EVN", ICE40HX8KBEVNPlatform, HX8K),
    Board("ulx3s-12f", "ULX3S 12F", ULX3S_12F_Platform, ecp5("12")),
    Board("ulx3s-25f", "ULX3S 25F", ULX3S_25F_Platform, ecp5("25")),
    Board("ulx3s-45f", "ULX3S 45F", ULX3S_45F_Platform, ecp5("45")),
    Board("ulx3s-85f", "ULX3S 85F", ULX3S_85F_Platform, ecp5("85")),
    Board("icesugar-pro", "iCESugar-Pro", ICESugarProPlatform, ecp5("25", package="CABGA256")),
    Board(
        "colorlight-5a-75b",
        "Colorlight 5A-75B R7.0",
        Colorlight_5A75B_R70Platform,
        ecp5("25", package="CABGA256"),
    ),
    Board(
        "ecpix5-45",
        "ECPIX-5 45F",
        ECPIX545Platform,
        ecp5("45", variant="um5g", package="CABGA554", speed=8),
    ),
    Board(
        "ecpix5-85",
        "ECPIX-5 85F",
        ECPIX585Platform,
        ecp5("85", variant="um5g", package="CABGA554", speed=8),
    ),
    Board(
        "versa-ecp5",
        "ECP5 Versa",
        VersaECP5Platform,
        ecp5("45", variant="um", package="CABGA381", speed=8),
    ),
    Board(
        "versa-ecp5-5g",
        "ECP5-5G Versa",
        VersaECP55GPlatform,
        ecp5("45", variant="um5g", package="CABGA381", speed=8),
    ),
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

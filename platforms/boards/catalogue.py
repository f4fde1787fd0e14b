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

from platforms.boards.board import Board
from platforms.boards.colorlight_i5 import ColorlightI5Platform, ColorlightI9Platform
from platforms.boards.header_uart import (
    OrangeCrab25FUARTPlatform,
    OrangeCrab85FUARTPlatform,
    UP5KBEVNUARTPlatform,
)
from platforms.ecp5.device import ecp5
from platforms.ice40.device import HX1K, HX8K, UP5K
from platforms.programming import Programmer

_ICEPROG = Programmer("iceprog")
_ICESPROG = Programmer("icesprog")
_ULX3S = Programmer("openFPGALoader", ("-b", "ulx3s", "-m"), "SRAM")
_ECPIX5 = Programmer("openFPGALoader", ("-b", "ecpix5", "-m"), "SRAM")
_ECPIX5_NOTE = "openFPGALoader calls revision 03 of the board ecpix5_r03"
_VERSA = Programmer("ecpprog", ("-S",), "SRAM")
_VERSA_NOTE = "the JTAG jumpers (J50) must bypass the clock chip"
_ORANGECRAB = Programmer("dfu-util", ("-d", "1209:5af0", "-a", "0", "-D"))
_ORANGECRAB_NOTE = "hold the button while plugging in, so that the boot loader runs"

_BOARDS = (
    Board("icebreaker", "iCEBreaker", ICEBreakerPlatform, UP5K, _ICEPROG, pll_pad=True),
    Board("icesugar", "iCESugar", ICESugarPlatform, UP5K, _ICESPROG, pll_pad=True),
    Board(
        "up5k-b-evn",
        "iCE40UP5K-B-EVN",
        UP5KBEVNUARTPlatform,
        UP5K,
        _ICEPROG,
        link="header C: rx pin 3, tx pin 2",
        pll_pad=True,
    ),
    Board("icestick", "iCEstick", ICEStickPlatform, HX1K, _ICEPROG),
    Board(
        "hx8k-b-evn",
        "iCE40-HX8K-B-EVN",
        ICE40HX8KBEVNPlatform,
        HX8K,
        Programmer("iceprog", ("-S",), "SRAM"),
        note="the programming jumpers must be set for the SRAM",
    ),
    Board("ulx3s-12f", "ULX3S 12F", ULX3S_12F_Platform, ecp5("12"), _ULX3S),
    Board("ulx3s-25f", "ULX3S 25F", ULX3S_25F_Platform, ecp5("25"), _ULX3S),
    Board("ulx3s-45f", "ULX3S 45F", ULX3S_45F_Platform, ecp5("45"), _ULX3S),
    Board("ulx3s-85f", "ULX3S 85F", ULX3S_85F_Platform, ecp5("85"), _ULX3S),
    Board(
        "icesugar-pro",
        "iCESugar-Pro",
        ICESugarProPlatform,
        ecp5("25", package="CABGA256"),
        _ICESPROG,
    ),
    Board(
        "colorlight-5a-75b",
        "Colorlight 5A-75B R7.0",
        Colorlight_5A75B_R70Platform,
        ecp5("25", package="CABGA256"),
        Programmer("openFPGALoader", ("-c", "ft232", "-m"), "SRAM"),
        link="J19: rx KEY+, tx DATA_LED-",
        note="an FT232H must be wired to the JTAG pads",
    ),
    Board(
        "colorlight-i5",
        "Colorlight i5 v7.0",
        ColorlightI5Platform,
        ecp5("25"),
        Programmer("openFPGALoader", ("-b", "colorlight-i5", "-m"), "SRAM"),
        link="USB of the extension board",
    ),
    Board(
        "colorlight-i9",
        "Colorlight i9 v7.2",
        ColorlightI9Platform,
        ecp5("45"),
        Programmer("openFPGALoader", ("-b", "colorlight-i9", "-m"), "SRAM"),
        link="USB of the extension board",
    ),
    Board(
        "orangecrab-25f",
        "OrangeCrab r0.2 25F",
        OrangeCrab25FUARTPlatform,
        ecp5("25", package="CSFBGA285", speed=8),
        _ORANGECRAB,
        link="header: rx pin 0, tx pin 1",
        note=_ORANGECRAB_NOTE,
    ),
    Board(
        "orangecrab-85f",
        "OrangeCrab r0.2 85F",
        OrangeCrab85FUARTPlatform,
        ecp5("85", package="CSFBGA285", speed=8),
        _ORANGECRAB,
        link="header: rx pin 0, tx pin 1",
        note=_ORANGECRAB_NOTE,
    ),
    Board(
        "ecpix5-45",
        "ECPIX-5 45F",
        ECPIX545Platform,
        ecp5("45", variant="um5g", package="CABGA554", speed=8),
        _ECPIX5,
        note=_ECPIX5_NOTE,
    ),
    Board(
        "ecpix5-85",
        "ECPIX-5 85F",
        ECPIX585Platform,
        ecp5("85", variant="um5g", package="CABGA554", speed=8),
        _ECPIX5,
        note=_ECPIX5_NOTE,
    ),
    Board(
        "versa-ecp5",
        "ECP5 Versa",
        VersaECP5Platform,
        ecp5("45", variant="um", package="CABGA381", speed=8),
        _VERSA,
        note=_VERSA_NOTE,
    ),
    Board(
        "versa-ecp5-5g",
        "ECP5-5G Versa",
        VersaECP55GPlatform,
        ecp5("45", variant="um5g", package="CABGA381", speed=8),
        _VERSA,
        note=_VERSA_NOTE,
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

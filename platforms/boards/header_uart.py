"""Boards without a serial adapter: the link is on header pins, for an external 3.3 V adapter.

Source
------
litex_boards/platforms of litex-hub/litex-boards: lattice_ice40up5k_evn.py and orangecrab.py, whose
serial ports are on these pins; header pins to FPGA pins there and in amaranth-boards.
"""

from amaranth.build import Attrs
from amaranth_boards.ice40_up5k_b_evn import ICE40UP5KBEVNPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource


class UP5KBEVNUARTPlatform(ICE40UP5KBEVNPlatform):
    """iCE40UP5K-B-EVN with a serial line on header C (J3): pin 2 transmits, pin 3 receives."""

    # By FPGA pins: amaranth-boards' table of J3 gives its pin 3 the FPGA pin of pin 5.
    resources = [
        *ICE40UP5KBEVNPlatform.resources,
        UARTResource(0, rx="4", tx="12", attrs=Attrs(IO_STANDARD="SB_LVCMOS")),
    ]


_FEATHER_UART = UARTResource(
    0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")
)


class OrangeCrab25FUARTPlatform(OrangeCrabR0_2_25FPlatform):
    """OrangeCrab r0.2 25F with the serial line of a Feather: pin 1 transmits, pin 0 receives."""

    resources = [*OrangeCrabR0_2_25FPlatform.resources, _FEATHER_UART]


class OrangeCrab85FUARTPlatform(OrangeCrabR0_2_85FPlatform):
    """The same with the 85F."""

    resources = [*OrangeCrabR0_2_85FPlatform.resources, _FEATHER_UART]

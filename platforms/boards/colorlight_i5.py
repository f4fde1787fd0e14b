"""Colorlight i5 v7.0 and i9 v7.2: LED receiver cards that serve as modules of an extension board.

The extension board's USB debugger programs the module and carries the serial line.

Source
------
Pins: wuxx/Colorlight-FPGA-Projects, and litex_boards/platforms/colorlight_i5.py of
litex-hub/litex-boards, which agree.
"""

from typing import Any

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import LEDResources, UARTResource


def _resources(led: str) -> list[Resource]:
    lvcmos33 = Attrs(IO_TYPE="LVCMOS33")
    return [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), lvcmos33),
        *LEDResources(pins=led, invert=True, attrs=lvcmos33),
        UARTResource(0, rx="H18", tx="J17", attrs=lvcmos33),
    ]


class _ColorlightPlatform(LatticeECP5Platform):
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    connectors = []

    def toolchain_prepare(self, fragment: Any, name: str, **options: Any) -> Any:
        return super().toolchain_prepare(fragment, name, ecppack_opts="--compress", **options)


class ColorlightI5Platform(_ColorlightPlatform):
    device = "LFE5U-25F"
    resources = _resources(led="U16")


class ColorlightI9Platform(_ColorlightPlatform):
    device = "LFE5U-45F"
    resources = _resources(led="L2")

"""What a board adds to its device: pins, an oscillator, the link to a host and a programmer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from platforms.clocks import ClockPlan, plan_clock
from platforms.device import Device
from platforms.programming import Programmer


@dataclass(frozen=True)
class Board:
    """A board that designs are built for.

    Parameters
    ----------
    name : str
        The name users type.
    title : str
        The name on the box.
    platform : callable
        Class of `amaranth_boards`, or one like it: pins, default clock and packing options.
    device : Device
        With the board's package and speed grade.
    programmer : Programmer
    uart : (str, int)
        Resource of the host link.
    link : str
        How a host reaches the link's pins.
    note : str
        What a user must know before programming; empty if nothing.
    pll_pad : bool
        Whether the oscillator's pin is the pad of an iCE40's PLL.
    """

    name: str
    title: str
    platform: Callable[[], Any]
    device: Device
    programmer: Programmer
    uart: tuple[str, int] = ("uart", 0)
    link: str = "USB"
    note: str = ""
    pll_pad: bool = False

    @property
    def oscillator_mhz(self) -> float:
        return self.platform().default_clk_frequency / 1e6

    @property
    def link_pins(self) -> dict[str, str]:
        """Pins of the FPGA that receive (`rx`) and transmit (`tx`)."""
        platform = self.platform()
        lines = {line.name: line for line in platform.lookup(*self.uart).ios}
        return {name: next(_pins(platform, lines[name])) for name in ("rx", "tx")}

    @property
    def led(self) -> tuple[str, int] | None:
        """Resource of the first LED; None without one, or if it shares its pin with the link."""
        platform = self.platform()
        led = ("led", 0)
        if led not in platform.resources:
            return None
        shared = set(_pins(platform, platform.lookup(*led))) & set(self.link_pins.values())
        return None if shared else led

    def clock_plan(self, clock_mhz: float | None = None) -> ClockPlan:
        """The plan for a clock, the device's default one if None.

        Raises
        ------
        ValueError
            The board cannot make that clock.
        """
        try:
            return plan_clock(
                self.device.family,
                oscillator_mhz=self.oscillator_mhz,
                wanted_mhz=self.device.default_clock_mhz if clock_mhz is None else clock_mhz,
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error


def _pins(platform: Any, resource: Any) -> Iterator[str]:
    """Pins of the FPGA of a resource or a part of one, connectors resolved."""
    for part in resource.ios:
        if hasattr(part, "ios"):
            yield from _pins(platform, part)
        else:
            yield from part.map_names(platform._conn_pins, resource)

"""What a board adds to its device: pins, an oscillator and the link to a host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from platforms.clocks import ClockPlan, plan_clock
from platforms.device import Device


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
        Class of `amaranth_boards`: pins, default clock and packing options.
    device : Device
        With the board's package and speed grade.
    uart : (str, int)
        Resource of the host link.
    pll_pad : bool
        Whether the oscillator's pin is the pad of an iCE40's PLL.
    """

    name: str
    title: str
    platform: Callable[[], Any]
    device: Device
    uart: tuple[str, int] = ("uart", 0)
    pll_pad: bool = False

    @property
    def oscillator_mhz(self) -> float:
        return self.platform().default_clk_frequency / 1e6

    def clock_plan(self, clock_mhz: float | None = None) -> ClockPlan:
        """The plan for a clock, the device's default one if None.

        Raises
        ------
        ValueError
            The board cannot make that clock.
        """
        return plan_clock(
            self.device.family,
            oscillator_mhz=self.oscillator_mhz,
            wanted_mhz=self.device.default_clock_mhz if clock_mhz is None else clock_mhz,
        )

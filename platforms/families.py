"""The families of devices: one line each, which names the rooms of its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from amaranth.hdl import Instance, Signal

from platforms.device import Device
from platforms.ecp5 import device as ecp5_device
from platforms.ecp5 import pll as ecp5_pll
from platforms.ecp5 import synthesis as ecp5_synthesis
from platforms.ecp5 import tidy as ecp5_tidy
from platforms.ecp5 import usage as ecp5_usage
from platforms.ice40 import device as ice40_device
from platforms.ice40 import pll as ice40_pll
from platforms.ice40 import synthesis as ice40_synthesis
from platforms.ice40 import tidy as ice40_tidy
from platforms.ice40 import usage as ice40_usage
from platforms.pll import Pll, PllLimits


class DeviceRoom(Protocol):
    @property
    def DEVICES(self) -> tuple[Device, ...]:  # noqa: N802
        """Its devices, in their usual packages."""
        ...


class PllRoom(Protocol):
    @property
    def LIMITS(self) -> PllLimits: ...  # noqa: N802

    def instance(
        self, setting: Pll, reference: Any, *, clock: Signal, lock: Signal, pad: bool
    ) -> Instance:
        """The PLL behind `reference`, which is a pin if `pad`."""
        ...


class SynthesisRoom(Protocol):
    """Tools.

    Attributes
    ----------
    CONSTRAINTS, ROUTED, BITSTREAM : str
        Suffixes of files; that of the constraints is the placer's option as well.
    PLACER, PACKER : str
    ROUTE_OPTION : str
        Of the placer, for the routed design.
    PLACE_OPTIONS : tuple of str
        Further ones.
    WHEELS : mapping
        Tool to the YoWASP package that has it, and the function that runs it.
    """

    @property
    def CONSTRAINTS(self) -> str: ...  # noqa: N802
    @property
    def ROUTED(self) -> str: ...  # noqa: N802
    @property
    def BITSTREAM(self) -> str: ...  # noqa: N802
    @property
    def PLACER(self) -> str: ...  # noqa: N802
    @property
    def PACKER(self) -> str: ...  # noqa: N802
    @property
    def ROUTE_OPTION(self) -> str: ...  # noqa: N802
    @property
    def PLACE_OPTIONS(self) -> Sequence[str]: ...  # noqa: N802
    @property
    def WHEELS(self) -> Mapping[str, tuple[str, str]]: ...  # noqa: N802

    def script(self, device: Device) -> str:
        """Commands of yosys from module `top` to cells of the family."""
        ...

    def pack_arguments(self, routed: str, bitstream: str) -> list[str]: ...


class TidyRoom(Protocol):
    def tidy(self, module: dict[str, Any]) -> bool:
        """Change a flat module of yosys' JSON in place for placement; return whether it did."""
        ...


class UsageRoom(Protocol):
    """What the placer reports.

    Attributes
    ----------
    BELS : mapping of str to str
        Resource, as in `Placed`, to its name in the report.
    """

    @property
    def BELS(self) -> Mapping[str, str]: ...  # noqa: N802

    def flip_flops(self, cells: Mapping[str, int]) -> int:
        """Of the netlist, where the report has none."""
        ...

    def carries(self, cells: Mapping[str, int], logic: int) -> tuple[int, int]:
        """Of the netlist: used, and available beside so much logic."""
        ...


@dataclass(frozen=True)
class Family:
    """The rooms of a family."""

    device: DeviceRoom
    pll: PllRoom
    synthesis: SynthesisRoom
    tidy: TidyRoom
    usage: UsageRoom


FAMILIES = {
    "ice40": Family(ice40_device, ice40_pll, ice40_synthesis, ice40_tidy, ice40_usage),
    "ecp5": Family(ecp5_device, ecp5_pll, ecp5_synthesis, ecp5_tidy, ecp5_usage),
}

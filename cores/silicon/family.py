"""What the silicon of a device looks like to a core: one set of functions, a room for each family.

Every family has the same modules with the same functions. What a family lacks is the portable form:
plain RTL that takes as many cycles. No other code of `cores` names a cell or asks for a family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from amaranth.hdl import Module, Signal, Value

from cores.silicon.ecp5 import block_ram as ecp5_block_ram
from cores.silicon.ecp5 import logic as ecp5_logic
from cores.silicon.ecp5 import single_port as ecp5_single_port
from cores.silicon.ice40 import block_ram as ice40_block_ram
from cores.silicon.ice40 import logic as ice40_logic
from cores.silicon.ice40 import single_port as ice40_single_port
from cores.silicon.portable import block_ram as portable_block_ram
from cores.silicon.portable import logic as portable_logic
from cores.silicon.portable import single_port as portable_single_port
from platforms.device import Device


class BlockRamCells(Protocol):
    """Block RAM: `en` moves all registers, a word comes two enabled cycles after its address."""

    def rom(
        self,
        m: Module,
        words: Sequence[int],
        *,
        en: Value,
        addr: Signal,
        data: Signal,
    ) -> None:
        """Constant words, as many and as wide as there are."""
        ...

    def shared_rom(
        self,
        m: Module,
        name: str,
        words: Sequence[int],
        readers: Sequence[tuple[Value, Value]],
        *,
        en: Value,
    ) -> None:
        """One block of constant words that is read at several addresses at once.

        Parameters
        ----------
        words : sequence of int
            As many as `BlockRam.port` says, of as many bits.
        readers : sequence of (address, data)
            At most `BlockRam.readers` of them; data may be narrower than a word.
        """
        ...

    def dual_port(
        self,
        m: Module,
        name: str,
        *,
        depth: int,
        write: Value,
        write_address: Value,
        i: Value,
        en: Value,
        read_address: Value,
        o: Signal,
    ) -> None:
        """One port to write and one to read; what is read while it is written is undefined."""
        ...


class SinglePortCells(Protocol):
    """Large memories with one port."""

    def single_port(
        self,
        m: Module,
        *,
        words: int,
        init: Sequence[int],
        address: Signal,
        write_bytes: Signal,
        write_data: Signal,
        en: Value,
        data: Signal,
    ) -> None:
        """Words of 32 bits; in a cycle, some bytes of one are written, or it is read if there is
        `en`, to be there in the next. Where a device has large memories with one port, `words` must
        fit them, and `init` is not used."""
        ...


class LogicCells(Protocol):
    """Registers, and small memories in LUTs.

    Attributes
    ----------
    RAM_STYLE : str
        Attribute of yosys for a small memory.
    """

    @property
    def RAM_STYLE(self) -> str: ...  # noqa: N802

    def kept_register(self, m: Module, name: str, value: Value, *, init: int) -> Signal:
        """A register of one bit that follows `value` and stays apart from others that hold the
        same, to lie near what it drives."""
        ...


@dataclass(frozen=True)
class Silicon:
    """The modules of a family."""

    block_ram: BlockRamCells
    single_port: SinglePortCells
    logic: LogicCells


PORTABLE = Silicon(portable_block_ram, portable_single_port, portable_logic)
FAMILIES = {
    "ice40": Silicon(ice40_block_ram, ice40_single_port, ice40_logic),
    "ecp5": Silicon(ecp5_block_ram, ecp5_single_port, ecp5_logic),
}


def silicon(device: Device | None) -> Silicon:
    """The cells of a device; plain RTL without one."""
    return PORTABLE if device is None else FAMILIES[device.family]

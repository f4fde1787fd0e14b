"""What the silicon of a device looks like to a core: one set of functions, a room for each family.

Every family has the same modules with the same functions. What a family lacks is the portable form:
plain RTL that takes as many cycles. No other code of `cores` names a cell or asks for a family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from amaranth.hdl import Module, Signal, Value

from cores.cost import Count
from cores.silicon.chains import ChainSize, ChainSum
from cores.silicon.ecp5 import block_ram as ecp5_block_ram
from cores.silicon.ecp5 import carry as ecp5_carry
from cores.silicon.ecp5 import logic as ecp5_logic
from cores.silicon.ecp5 import multiplier as ecp5_multiplier
from cores.silicon.ecp5 import single_port as ecp5_single_port
from cores.silicon.ice40 import block_ram as ice40_block_ram
from cores.silicon.ice40 import carry as ice40_carry
from cores.silicon.ice40 import logic as ice40_logic
from cores.silicon.ice40 import multiplier as ice40_multiplier
from cores.silicon.ice40 import single_port as ice40_single_port
from cores.silicon.portable import block_ram as portable_block_ram
from cores.silicon.portable import carry as portable_carry
from cores.silicon.portable import logic as portable_logic
from cores.silicon.portable import multiplier as portable_multiplier
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

    def ram_cells(self, words: int, width: int) -> int:
        """Cells of a small memory, without what chooses between its banks of 16 words."""
        ...


class MultiplierCells(Protocol):
    """Products three cycles with `en` behind their operands, in hard multipliers where operands fit
    them, which is for the caller to see."""

    def multiply(self, m: Module, *, en: Value, a: Value, b: Value, o: Signal) -> None:
        """One product."""
        ...

    def multiply_halves(
        self,
        m: Module,
        *,
        en: Value,
        a: tuple[Value, Value],
        b: tuple[Value, Value],
        o: tuple[Signal, Signal],
    ) -> None:
        """Two products of up to 8 x 8 bits in one multiplier."""
        ...

    def multiply_add(
        self, m: Module, *, en: Value, a: Value, b: Value, c: Value, o: Signal
    ) -> None:
        """A product and what is on `c` one cycle before the result."""
        ...


class CarryCells(Protocol):
    """Adders along carry chains, and their prices.

    Attributes
    ----------
    FOLDS_GATES : bool
        Whether a choice or an inversion of what is added has room in the adder's cells.
    FOLDS_CHOICE : bool
        Whether a choice between the sum and one of its operands has room there.
    SUBTRACTS : bool
        Whether a subtractor is an adder; if not, its operand is inverted in front of it.
    COMPARATOR_ENDS : int
        Cells that a comparator takes beyond its bits, where nothing registers its result.
    """

    @property
    def FOLDS_GATES(self) -> bool: ...  # noqa: N802
    @property
    def FOLDS_CHOICE(self) -> bool: ...  # noqa: N802
    @property
    def SUBTRACTS(self) -> bool: ...  # noqa: N802
    @property
    def COMPARATOR_ENDS(self) -> int: ...  # noqa: N802

    def adder(self, bits: int) -> Count:
        """Of an adder or subtractor, without its registers."""
        ...

    def comparator(self, bits: int) -> Count:
        """Of a magnitude comparator; logic takes its last carry."""
        ...

    def inverter(self, bits: int) -> int:
        """LUTs that a subtractor takes more than an adder."""
        ...

    def restart(self, bits: int) -> int:
        """LUTs with which counters of so many bits together begin anew."""
        ...

    def carry_out(self, m: Module, name: str, carry: Value) -> Value:
        """The last carry of an adder on its way to a register."""
        ...

    def chains(self, m: Module, name: str, sums: Sequence[ChainSum]) -> list[bool]:
        """Drives the results of chains; returns of each whether its result came inverted."""
        ...

    def chains_cost(self, sizes: Sequence[ChainSize]) -> Count:
        """Of `chains`, without registers."""
        ...


@dataclass(frozen=True)
class Silicon:
    """The modules of a family."""

    block_ram: BlockRamCells
    single_port: SinglePortCells
    multiplier: MultiplierCells
    carry: CarryCells
    logic: LogicCells


PORTABLE = Silicon(
    portable_block_ram,
    portable_single_port,
    portable_multiplier,
    portable_carry,
    portable_logic,
)
FAMILIES = {
    "ice40": Silicon(
        ice40_block_ram, ice40_single_port, ice40_multiplier, ice40_carry, ice40_logic
    ),
    "ecp5": Silicon(ecp5_block_ram, ecp5_single_port, ecp5_multiplier, ecp5_carry, ecp5_logic),
}


def silicon(device: Device | None) -> Silicon:
    """The cells of a device; plain RTL without one."""
    return PORTABLE if device is None else FAMILIES[device.family]

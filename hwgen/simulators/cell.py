"""One cell of a netlist, as the rules for its type see it: parameters, and pins as slots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from hwgen.errors import CheckError
from hwgen.simulators.gates import ONE, ZERO, Gates

Bit = int | str  # number of a net, or "0", "1", "x", "z"


@dataclass(frozen=True)
class Cell:
    """A cell of yosys' JSON netlist.

    Parameters
    ----------
    parameters : mapping of str to str
        Numbers as binary digits, text as it is.
    connections : mapping of str to sequence of Bit
        Bits of each pin, least significant first.
    slot : callable
        Slot of a bit.
    gates : Gates
        What the cell is lowered into.
    """

    name: str
    type: str
    parameters: Mapping[str, str]
    connections: Mapping[str, Sequence[Bit]]
    slot: Callable[[Bit], int]
    gates: Gates

    def refuse(self, reason: str) -> NoReturn:
        """Ends the reading of the netlist with the reason.

        Raises
        ------
        CheckError
            Always: the netlist cannot be simulated.
        """
        raise CheckError(f"cell {self.name} of type {self.type}: {reason}")

    def text(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """A parameter that is one of a few words."""
        # A blank marks text that could be read as a number.
        value = str(self.parameters.get(name, default)).rstrip(" ")
        if value not in allowed:
            self.refuse(f"{name} must be {' or '.join(allowed)}, not {value}")
        return value

    def number(self, name: str, default: int = 0, allowed: Sequence[int] | None = None) -> int:
        """A parameter that is a number."""
        digits = self.parameters.get(name)
        if digits is None:
            value = default
        elif isinstance(digits, int):
            value = digits
        elif digits and set(digits) <= set("01x"):
            value = int(digits.replace("x", "0"), 2)
        else:
            self.refuse(f"{name} must be a number, not {digits!r}")
        if allowed is not None and value not in allowed:
            self.refuse(f"{name} must be {' or '.join(map(str, allowed))}, not {value}")
        return value

    def bits(self, name: str, width: int) -> np.ndarray:
        """A parameter as single bits, least significant first; 0 where it is not given."""
        value = self.number(name)
        data = np.frombuffer(value.to_bytes(-(-width // 8), "little"), np.uint8)
        return np.unpackbits(data, count=width, bitorder="little")

    def pin(self, name: str, default: int = ZERO, index: int = 0) -> int:
        """Slot of an input; `default` where it is not connected."""
        bits = self.connections.get(name, ())
        if index >= len(bits) or bits[index] == "z":
            return default
        return self.slot(bits[index])

    def word(self, name: str, width: int) -> list[int]:
        """Slots of an input of several bits."""
        return [self.pin(name, index=k) for k in range(width)]

    def pins(self, name: str, width: int) -> list[int]:
        """Slots of the inputs ``name0``, ``name1``, …"""
        return [self.pin(f"{name}{k}") for k in range(width)]

    def tied(self, name: str, default: int = ZERO) -> bool:
        """Level of an input that must be constant."""
        slot = self.pin(name, default)
        if slot not in (ZERO, ONE):
            self.refuse(f"{name} must be constant")
        return slot == ONE

    def drive(self, name: str, slot: int, index: int = 0) -> None:
        """Gives an output its signal; does nothing where it is not connected."""
        bits = self.connections.get(name, ())
        if index < len(bits) and bits[index] != "x":
            self.gates.drive(self.slot(bits[index]), slot)

    def drive_word(self, name: str, slots: Sequence[int]) -> None:
        for k, slot in enumerate(slots):
            self.drive(name, slot, k)

    def drive_pins(self, name: str, slots: Sequence[int]) -> None:
        for k, slot in enumerate(slots):
            self.drive(f"{name}{k}", slot)

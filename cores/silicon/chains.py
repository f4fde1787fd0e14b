"""Sums along carry chains, as families are asked for them: operands that are functions of a few
signals, and what a chain is for a price."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Const, Signal, Value


@dataclass(frozen=True)
class Operand:
    """A bit as a function of up to two signals.

    Parameters
    ----------
    inputs : tuple of Value
    table : int
        Bit ``a + 2 * b`` is the value at a, b; all four bits, also for fewer inputs.
    """

    inputs: tuple[Value, ...]
    table: int

    @property
    def inverted(self) -> "Operand":
        return Operand(self.inputs, self.table ^ 15)

    @property
    def value(self) -> Value:
        """The same by logic."""
        a, b = (*self.inputs, Const(0, 1), Const(0, 1))[:2]
        terms = [
            (a if k & 1 else ~a) & (b if k & 2 else ~b) for k in range(4) if self.table >> k & 1
        ]
        total: Value = Const(0, 1)
        for term in terms:
            total = total | term
        return total


ZERO = Operand((), 0)


@dataclass(frozen=True)
class ChainSum:
    """One chain: of every bit two operands, and one on the carry-in.

    Parameters
    ----------
    carry : Operand
    pairs : sequence of (Operand, Operand)
    result : Signal
        One bit more than there are pairs, or as many.
    """

    carry: Operand
    pairs: Sequence[tuple[Operand, Operand]]
    result: Signal


@dataclass(frozen=True)
class ChainSize:
    """What a chain costs by.

    Attributes
    ----------
    bits : int
    gated : bool
        Whether any operand is a function of two signals.
    functions : int
        Operands that are functions of two signals, or inverted.
    """

    bits: int
    gated: bool
    functions: int

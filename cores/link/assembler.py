"""Instructions of the link's `Sequencer`, and an assembler for them.

An instruction has 16 bits:

===== ===== ==== ===== =========== =====================================================
15    14    13   12    11..10      9..0
===== ===== ==== ===== =========== =====================================================
0     `Opcode`             `OperandSource`    bit 9: relative to the slot; bits 7..0: operand
1     call  not  `Condition`       target
===== ===== ==== ===== =========== =====================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MAX_WORDS = 1024
STROBE_GROUP = 5
"""A port to be written is named by one of 5 bits for its group and one of 5 for its place."""

SLOT_BYTES = 16
"""Distance of the two copies of a variable that is relative to the slot."""


class Opcode(IntEnum):
    """What an instruction does with the accumulator and an operand.

    Bit 1 tells sums from the rest, bit 2 inverts the operand of a sum and bit 0 has it take the
    carry. The carry after a difference is 1 unless it was negative.
    """

    LOAD = 0
    AND = 1
    ADD = 2
    ADD_CARRY = 3
    STORE = 4
    RETURN = 5
    SUB = 6
    SUB_CARRY = 7


class OperandSource(IntEnum):
    """Where the operand is: in the instruction, a variable, the received byte behind the one read
    last, or a port."""

    CONSTANT = 0
    VARIABLE = 1
    NEXT = 2
    PORT = 3


class Condition(IntEnum):
    """When a jump is taken; each also negated."""

    ALWAYS = 0
    ZERO = 1
    CARRY = 2
    RECEIVED = 3
    FULL = 4
    DONE = 5
    WAIT = 6


@dataclass(frozen=True)
class Variable:
    """A byte of the variable memory.

    Parameters
    ----------
    address : int
    slotted : bool
        There is one for each slot, `SLOT_BYTES` apart.
    """

    address: int
    slotted: bool = False

    def __getitem__(self, byte: int) -> "Variable":
        """A byte of a variable of several."""
        return Variable(self.address + byte, self.slotted)


@dataclass(frozen=True)
class Input:
    """A port that can be read."""

    number: int

    def __getitem__(self, byte: int) -> "Input":
        """A byte of a value at several ports."""
        return Input(self.number + byte)


Operand = int | Variable | Input | None
"""A constant, a variable, a port, or None for the next received byte."""


class Assembler:
    """Collects instructions; labels may be used before they are placed."""

    def __init__(self):
        self._words: list[int] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    def assemble(self) -> Sequence[int]:
        """The words of the program.

        Raises
        ------
        ValueError
            A label is missing, or the program is too long.
        """
        if len(self._words) > MAX_WORDS:
            raise ValueError(
                f"a program must have at most {MAX_WORDS} words, not {len(self._words)}"
            )
        words = list(self._words)
        for at, label in self._jumps:
            if label not in self._labels:
                raise ValueError(f"label {label} must be placed")
            words[at] |= self._labels[label]
        return words

    def label(self, name: str) -> None:
        """Names the next instruction.

        Raises
        ------
        ValueError
            The label is placed already.
        """
        if name in self._labels:
            raise ValueError(f"label {name} must be placed once")
        self._labels[name] = len(self._words)

    def load(self, operand: Operand) -> None:
        self._data(Opcode.LOAD, operand)

    def table(self) -> None:
        """Loads the variable whose address is in the accumulator."""
        self._words.append(Opcode.LOAD << 12 | OperandSource.VARIABLE << 10 | 1 << 8)

    def mask(self, operand: Operand) -> None:
        self._data(Opcode.AND, operand)

    def add(self, operand: Operand, *, carry: bool = False) -> None:
        self._data(Opcode.ADD_CARRY if carry else Opcode.ADD, operand)

    def sub(self, operand: Operand, *, carry: bool = False) -> None:
        self._data(Opcode.SUB_CARRY if carry else Opcode.SUB, operand)

    def store(self, *variables: Variable) -> None:
        for variable in variables:
            self._data(Opcode.STORE, variable)

    def out(self, *ports: int) -> None:
        """Gives the accumulator to each port in turn."""
        for port in ports:
            group, place = divmod(port, STROBE_GROUP)
            bits = 1 << STROBE_GROUP + group | 1 << place
            self._words.append(Opcode.STORE << 12 | OperandSource.PORT << 10 | bits)

    def copy(self, source: Operand, *variables: Variable) -> None:
        self.load(source)
        self.store(*variables)

    def back(self) -> None:
        """Returns from the routine called last."""
        self._words.append(Opcode.RETURN << 12)

    def jump(self, label: str) -> None:
        self._jump(Condition.ALWAYS, label)

    def call(self, label: str) -> None:
        """Routines do not call others."""
        self._jump(Condition.ALWAYS, label, call=True)

    def jump_if(self, condition: Condition, label: str) -> None:
        self._jump(condition, label)

    def jump_unless(self, condition: Condition, label: str) -> None:
        self._jump(condition, label, inverted=True)

    def _data(self, op: Opcode, operand: Operand) -> None:
        word = op << 12
        if operand is None:
            word |= OperandSource.NEXT << 10
        elif isinstance(operand, Variable):
            word |= OperandSource.VARIABLE << 10 | operand.slotted << 9 | operand.address
        elif isinstance(operand, Input):
            word |= OperandSource.PORT << 10 | operand.number
        else:
            word |= operand & 0xFF
        self._words.append(word)

    def _jump(
        self, condition: Condition, label: str, *, inverted: bool = False, call: bool = False
    ) -> None:
        self._jumps.append((len(self._words), label))
        self._words.append(1 << 15 | call << 14 | inverted << 13 | condition << 10)

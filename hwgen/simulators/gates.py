"""The few primitives that every cell of a netlist is made of.

A signal is a number, its *slot*; slots 0 and 1 are the constants. Primitives are look-up tables of
up to four inputs, products, asynchronous memory reads, memory writes and flip-flops. Every memory
and every register of a hard block is made of these, so that the evaluator knows one kind of state
per bit and one kind of edge.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from hwgen.errors import CheckError

ZERO, ONE = 0, 1
LUT, MULTIPLY, READ, WRITE = range(4)


@dataclass(frozen=True)
class Address:
    """Where in the bits of a memory a word begins: the sum of the strides of those bits that are
    1."""

    slots: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass
class Primitive:
    """Combinational, or a memory write (without outputs).

    Attributes
    ----------
    cell : str
        Name of the cell it is part of.
    table : int
        Of a look-up table.
    head, tail : tuple of int
        What `netlist.cpp` wants to know before the inputs and after them.
    """

    kind: int
    inputs: list[int]
    outputs: list[int]
    cell: str
    table: int = 0
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()


@dataclass
class Clocked:
    """What happens at a clock edge, to a flip-flop or a memory, in the cell named `cell`."""

    clock: int
    falling: bool
    cell: str


@dataclass
class FlipFlop(Clocked):
    """`inputs` are d, enable and reset, which comes before the enable."""

    state: int
    inputs: tuple[int, int, int]
    value: int
    initial: int
    asynchronous: bool


@dataclass
class Write(Clocked):
    """The last ``primitive.head[2]`` inputs of the primitive are the enables."""

    primitive: Primitive


@dataclass
class Gates:
    """A netlist of primitives under construction. Methods that compute return the slots of their
    results.

    Attributes
    ----------
    same : dict of int to int
        Slot that another one is the same signal as.
    sources : set of int
        Slots driven from outside.
    """

    slots: int = 2
    primitives: list[Primitive] = field(default_factory=list)
    flipflops: list[FlipFlop] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    memories: list[np.ndarray] = field(default_factory=list)
    same: dict[int, int] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    _cell: str = ""

    @contextmanager
    def cell(self, name: str) -> Iterator[None]:
        """Names the cell that the primitives made inside belong to, for messages."""
        self._cell = name
        yield
        self._cell = ""

    def new(self) -> int:
        """A signal that `drive` must give a value."""
        self.slots += 1
        return self.slots - 1

    def drive(self, target: int, source: int) -> None:
        """Makes `target` the same signal as `source`.

        Raises
        ------
        CheckError
            `target` is driven already.
        """
        if target in self.same or target in (ZERO, ONE):
            raise CheckError(f"cell {self._cell} drives a net that is driven already")
        self.same[target] = source

    def lut(self, table: int, *inputs: int) -> int:
        """A look-up table: bit ``a + 2b + 4c + 8d`` of `table` for the inputs ``a, b, c, d``."""
        out = self.new()
        self.primitives.append(Primitive(LUT, list(inputs), [out], self._cell, table=table))
        return out

    def not_(self, a: int) -> int:
        return 1 - a if a <= ONE else self.lut(0b01, a)

    def and_(self, a: int, b: int) -> int:
        if ZERO in (a, b):
            return ZERO
        if ONE in (a, b):
            return b if a == ONE else a
        return self.lut(0b1000, a, b)

    def or_(self, a: int, b: int) -> int:
        if ONE in (a, b):
            return ONE
        if ZERO in (a, b):
            return b if a == ZERO else a
        return self.lut(0b1110, a, b)

    def xor(self, a: int, b: int) -> int:
        if b == ZERO:
            return a
        return self.lut(0b0110, a, b)

    def mux(self, select: int, low: int, high: int) -> int:
        """`high` where `select` is 1, else `low`."""
        if select <= ONE:
            return high if select == ONE else low
        return self.lut(0b11001010, low, high, select)

    def add(self, a: Sequence[int], b: Sequence[int], carry: int = ZERO) -> tuple[list[int], int]:
        """Sum of two words of one width, and the carry out."""
        total = []
        for x, y in zip(a, b, strict=True):
            total.append(self.lut(0b10010110, x, y, carry))
            carry = self.lut(0b11101000, x, y, carry)
        return total, carry

    def multiply(
        self, a: Sequence[int], b: Sequence[int], *, signed: tuple[bool, bool], width: int
    ) -> list[int]:
        """The low `width` bits of a product of operands of up to 32 bits each."""
        out = [self.new() for _ in range(width)]
        head = (len(a), len(b), width, int(signed[0]), int(signed[1]))
        self.primitives.append(Primitive(MULTIPLY, [*a, *b], out, self._cell, head=head))
        return out

    def memory(self, bits: np.ndarray) -> int:
        """A memory of single bits with these values after power-on; its number."""
        self.memories.append(np.ascontiguousarray(bits, np.uint8))
        return len(self.memories) - 1

    def read(self, memory: int, address: Address, offsets: Sequence[int]) -> list[int]:
        """The bits at `offsets` from an address, combinational."""
        out = [self.new() for _ in offsets]
        head = (memory, len(address.slots), len(out))
        tail = (*address.strides, *offsets)
        self.primitives.append(
            Primitive(READ, list(address.slots), out, self._cell, head=head, tail=tail)
        )
        return out

    def write(
        self,
        memory: int,
        address: Address,
        data: Sequence[int],
        *,
        offsets: Sequence[int],
        enables: Sequence[int],
        clock: int,
        falling: bool = False,
    ) -> None:
        """At the clock edge, writes each bit whose enable is 1."""
        head = (memory, len(address.slots), len(data))
        inputs, tail = [*address.slots, *data, *enables], (*address.strides, *offsets)
        primitive = Primitive(WRITE, inputs, [], self._cell, head=head, tail=tail)
        self.writes.append(Write(clock, falling, self._cell, primitive))

    def flipflop(
        self,
        d: int,
        *,
        clock: int,
        enable: int = ONE,
        reset: int = ZERO,
        value: int = 0,
        initial: int | None = None,
        asynchronous: bool = False,
        falling: bool = False,
    ) -> int:
        """A flip-flop; reset comes before enable.

        Parameters
        ----------
        value : int
            At reset, and after power-on unless `initial` says otherwise.
        asynchronous : bool
            The reset acts at once, not at the clock edge.
        """
        state = self.new()
        initial = value if initial is None else initial
        inputs = (d, enable, reset)
        self.flipflops.append(
            FlipFlop(clock, falling, self._cell, state, inputs, value, initial, asynchronous)
        )
        if asynchronous:
            return self.mux(reset, state, ONE if value else ZERO)
        return state

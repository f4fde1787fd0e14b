"""Which registers of an adder graph hold the complement, where subtracting is not free.

A carry cell that sees raw inputs subtracts a word only if the complement of the word is there; an
inverter in front costs a LUT per bit. But the LUT in front of a register inverts for nothing: with
the right choice of registers, few adders are left that need inverters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cores.graph.sums import SumGraph

Register = tuple[int, int]
"""A node and the stage after which the register holds it."""


@dataclass(frozen=True)
class Polarity:
    """Registers that hold the complement, and those that are needed in both forms."""

    complemented: frozenset[Register] = frozenset()
    inverted: frozenset[Register] = frozenset()


def choose(graph: SumGraph, stages: Sequence[int]) -> Polarity:
    """Registers to complement.

    An adder of a and b needs no inverter if both are complemented or none; a subtractor if exactly
    one of them is. Inputs come as they are. Adders are suited one by one, the widest first, as in
    Kruskal's algorithm: one is left out only if those before it already decide against it.
    """
    adders = []
    for new, stage in zip(graph.sums, stages[graph.inputs :], strict=True):
        a, b = (new.low, stage - 1), (new.high, stage - 1)
        width = min(graph.ranges[new.low].width, graph.ranges[new.high].width)
        adders.append((-width, a, b, new.negative))
    inputs = (-1, 0)
    parents: dict[Register, tuple[Register, bool]] = {
        (node, 0): (inputs, False) for node in range(graph.inputs)
    }

    def root(register: Register) -> tuple[Register, bool]:
        """The register that decides, and whether this one is its opposite."""
        opposite = False
        while register in parents:
            register, turned = parents[register]
            opposite ^= turned
        return register, opposite

    unsuited = []
    for _, a, b, negative in sorted(adders):
        (root_a, opposite_a), (root_b, opposite_b) = root(a), root(b)
        if root_a != root_b:
            if root_a == inputs:
                root_a, root_b = root_b, root_a
            parents[root_a] = root_b, opposite_a ^ opposite_b ^ negative
        elif opposite_a ^ opposite_b != negative:
            unsuited.append((a, b))
    inverted: set[Register] = set()
    for pair in unsuited:
        if inverted.isdisjoint(pair):
            inverted.add(min(pair, key=lambda register: graph.ranges[register[0]].width))
    registers = {register for _, *pair, _ in adders for register in pair}
    complemented = frozenset(register for register in registers if root(register)[1])
    return Polarity(complemented, frozenset(inverted))

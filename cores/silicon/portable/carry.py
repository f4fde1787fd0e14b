"""Adders as yosys makes them, priced as where a carry cell stands beside each LUT and sees raw
inputs."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Value

from cores.cost import Count
from cores.silicon.chains import ChainSize, ChainSum

FOLDS_GATES = False
FOLDS_CHOICE = False
SUBTRACTS = True
COMPARATOR_ENDS = 0


def adder(bits: int) -> Count:
    return Count(add=bits)


def comparator(bits: int) -> Count:
    return adder(bits)


def inverter(bits: int) -> int:
    return 0


def restart(bits: int) -> int:
    # As an adder's LUT has no room: what `ecp5.carry` was measured to take.
    return bits + bits // 3


def carry_out(m: Module, name: str, carry: Value) -> Value:
    return carry


def chains(m: Module, name: str, sums: Sequence[ChainSum]) -> list[bool]:
    """Chains of three bits and more are adders, shorter ones full adders in LUTs."""
    for each in sums:
        m.d.comb += each.result.eq(total(each))
    return [False] * len(sums)


def total(each: ChainSum) -> Value:
    """A chain's sum by logic."""
    carry = each.carry.value
    pairs = [(first.value, second.value) for first, second in each.pairs]
    if len(pairs) > 2:
        a, b = (Cat(carry, *operands) for operands in zip(*pairs, strict=True))
        return (a + b)[1:]
    results = []
    for a, b in pairs:
        results.append(a ^ b ^ carry)
        carry = (a & b) | (carry & (a | b))
    return Cat(*results, carry)


def chains_cost(sizes: Sequence[ChainSize]) -> Count:
    """Gates and inverters in front of a carry cell take a LUT each; an adder has two bits more, for
    the carry into it and out of it."""
    count = Count()
    for size in sizes:
        if size.bits < 3:
            count += Count(lut=2 * size.bits)
        else:
            count += Count(add=size.bits + 2, ends=1 - size.bits % 2)
        count += Count(lut=size.functions, loose=size.functions)
    return count

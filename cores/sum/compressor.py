"""Sum of bits and words in as few LUTs as carry chains allow, one registered stage after another.

Where carry cells have room for them, gates in front of the sum, inversions and loose bits go into
them (`cores/silicon`). `reduction` plans what is added when.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.chains import ZERO, ChainSize, ChainSum, Operand
from cores.silicon.family import silicon
from cores.sum.reduction import Addend, Chain, Gate, Reduction, reduction
from platforms.device import Device

_TABLES = {Gate.NONE: 0b1010, Gate.AND: 0b1000, Gate.XNOR: 0b1001}


def cost(plan: Reduction, device: Device) -> Count:
    """Of a `Compressor`."""
    count = Count()
    for stage in plan.stages:
        count += silicon(device).carry.chains_cost([_size(plan, chain) for chain in stage.chains])
        made = sum(len(chain.results) for chain in stage.chains)
        count += Count(ff=made + len(stage.waiting))
    return count


def _size(plan: Reduction, chain: Chain) -> ChainSize:
    numbers = {bit for pair in chain.pairs for bit in pair} | {chain.carry}
    bits = [plan.bits[k] for k in numbers if k is not None and k < len(plan.bits)]
    gated = [plan.addends[bit.addend].gate is not Gate.NONE for bit in bits]
    functions = sum(gate or bit.complemented for gate, bit in zip(gated, bits, strict=True))
    return ChainSize(len(chain.pairs), any(gated), functions)


@dataclass(frozen=True)
class _Bit:
    """A bit as a function of signals, or the inverse of what it should be."""

    operand: Operand
    inverse: bool = False

    @property
    def true(self) -> Operand:
        return self.operand.inverted if self.inverse else self.operand


class Compressor(Component):
    """Sum of addends, `plan.depth` cycles after the first of them, less `plan.offset`.

    Parameters
    ----------
    addends : sequence of Addend
    device : Device or None

    Attributes
    ----------
    plan : Reduction

    Members
    -------
    en : In(1)
        Moves every register.
    i : In, one field ``0``, ``1``, ... per addend
        An addend that arrives at stage t is taken t enabled cycles after those of stage 0.
    g : In(len(addends))
        Operands of the gates.
    o : Out(plan.total.shape)
        The sum is ``o + plan.offset``.
    """

    en: Signal
    i: View
    g: Signal
    o: Signal

    def __init__(self, addends: Sequence[Addend], device: Device | None = None):
        self.plan, self.device = reduction(addends), device
        fields = {str(k): addend.dtype.shape for k, addend in enumerate(addends)}
        super().__init__(
            {
                "en": In(1),
                "i": In(StructLayout(fields)),
                "g": In(len(addends)),
                "o": Out(self.plan.total.shape),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bits = {number: self._input(number) for number in range(len(self.plan.bits))}
        for number, stage in enumerate(self.plan.stages):
            found: dict[int, _Bit] = {}
            sums = [self._sum(f"sum{number}", chain, bits) for chain in stage.chains]
            inverses = silicon(self.device).carry.chains(m, f"stage{number}", sums)
            for chain, each, inverse in zip(stage.chains, sums, inverses, strict=True):
                late = self._register(m, each.result, f"late{number}_{chain.results[0]}")
                for place, bit in enumerate(chain.results):
                    found[bit] = _Bit(Operand((late[place],), 0b1010), inverse)
            for bit in stage.waiting:
                late = self._register(m, bits[bit].true.value, f"wait{number}_{bit}")
                found[bit] = _Bit(Operand((late,), 0b1010))
            bits |= found
        result = [ZERO if bit is None else bits[bit].true for bit in self.plan.result]
        m.d.comb += self.o.eq(Cat(*(operand.value for operand in result)))
        return m

    def _input(self, number: int) -> _Bit:
        bit = self.plan.bits[number]
        word = Value.cast(self.i[str(bit.addend)])
        gate = self.plan.addends[bit.addend].gate
        inputs = (word[bit.place], self.g[bit.addend])[: 1 if gate is Gate.NONE else 2]
        return _Bit(Operand(tuple(inputs), _TABLES[gate] ^ 15 * bit.complemented))

    def _register(self, m: Module, value: Value, name: str) -> Signal:
        late = Signal(len(value), name=name, reset_less=True)
        with m.If(self.en):
            m.d.sync += late.eq(value)
        return late

    @staticmethod
    def _sum(name: str, chain: Chain, bits: dict[int, _Bit]) -> ChainSum:
        made = Signal(len(chain.results), name=f"{name}_{chain.results[0]}")
        carry = ZERO if chain.carry is None else bits[chain.carry].true
        pairs = []
        for pair in chain.pairs:
            first, second = (*(bits[bit].true for bit in pair), ZERO)[:2]
            pairs.append((first, second))
        return ChainSum(carry, pairs, made)

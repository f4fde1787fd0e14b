"""Sum of bits and words in as few LUTs as carry chains allow, one registered stage after another.

On a device with wide carry cells, gates in front of the sum, inversions and loose bits find room in
the carry cells (`carry_cells`); elsewhere chains of three bits and more are adders, shorter ones
full adders in LUTs. `reduction` plans what is added when.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.ecp5 import carry as carry_cells
from cores.silicon.ecp5.carry import ZERO, Operand
from cores.sum.reduction import Addend, Chain, Gate, Reduction, reduction
from platforms.device import Device

_TABLES = {Gate.NONE: 0b1010, Gate.AND: 0b1000, Gate.XNOR: 0b1001}


def cost(plan: Reduction, device: Device) -> Count:
    """Of a `Compressor`."""
    gated = [
        bit.complemented or plan.addends[bit.addend].gate is not Gate.NONE for bit in plan.bits
    ]
    add = ends = lut = loose = ff = 0
    for stage in plan.stages:
        cells = []
        for chain in stage.chains:
            bits = len(chain.pairs)
            ff += len(chain.results)
            if device.wide_carry and _in_cells(plan, chain):
                cells.append(bits)
            elif bits < 3:
                lut += 2 * bits
            else:
                add += bits + 2
                ends += bits % 2 == 0
            if not device.wide_carry:
                found = {bit for pair in chain.pairs for bit in pair} | {chain.carry}
                loose += sum(
                    1 for bit in found if bit is not None and bit < len(gated) and gated[bit]
                )
        add += carry_cells.halves(cells)
        ff += len(stage.waiting)
    return Count(lut=lut + loose, add=add, ends=ends, ff=ff, loose=loose)


def _in_cells(plan: Reduction, chain: Chain) -> bool:
    """Whether carry cells are better than LUTs: with gates in front, or more than one bit."""
    if len(chain.pairs) > 1:
        return True
    bits = [bit for pair in chain.pairs for bit in (*pair, chain.carry) if bit is not None]
    first = [plan.bits[bit] for bit in bits if bit < len(plan.bits)]
    return any(plan.addends[bit.addend].gate is not Gate.NONE for bit in first)


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
            cells = []
            for chain in stage.chains:
                made = Signal(len(chain.results), name=f"sum{number}_{chain.results[0]}")
                inverse = False
                if self._wide and _in_cells(self.plan, chain):
                    inverse = self._inverts(chain, bits)
                    cells.append(self._cells(m, chain, bits, made, inverse))
                else:
                    m.d.comb += made.eq(self._logic(chain, bits))
                late = self._register(m, made, f"late{number}_{chain.results[0]}")
                for place, bit in enumerate(chain.results):
                    found[bit] = _Bit(Operand((late[place],), 0b1010), inverse)
            carry_cells.add(m, f"stage{number}", cells)
            for bit in stage.waiting:
                late = self._register(m, bits[bit].true.value, f"wait{number}_{bit}")
                found[bit] = _Bit(Operand((late,), 0b1010))
            bits |= found
        result = [ZERO if bit is None else bits[bit].true for bit in self.plan.result]
        m.d.comb += self.o.eq(Cat(*(operand.value for operand in result)))
        return m

    @property
    def _wide(self) -> bool:
        return self.device is not None and self.device.wide_carry

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
    def _inverts(chain: Chain, bits: dict[int, _Bit]) -> bool:
        """Whether the cells add the inverse of every bit, which gives the inverse of every result:
        what their tables cannot add, they often can add inverted."""

        def unsuited(inverse: bool) -> int:
            return sum(
                len(pair) == 2 and not any((_turned(bits[bit], inverse)).second for bit in pair)
                for pair in chain.pairs
            )

        return unsuited(True) < unsuited(False)

    def _cells(
        self, m: Module, chain: Chain, bits: dict[int, _Bit], made: Signal, inverse: bool
    ) -> carry_cells.Sum:
        absent = ZERO.inverted if inverse else ZERO
        carry = absent if chain.carry is None else _turned(bits[chain.carry], inverse)
        pairs = []
        for pair in chain.pairs:
            first, second = [*(_turned(bits[bit], inverse) for bit in pair), absent][:2]
            if not first.second and not second.second:
                gated = Signal(name=f"gated{pair[0]}")
                m.d.comb += gated.eq(second.value)
                second = Operand((gated,), 0b1010)
            pairs.append((first, second))
        return carry_cells.Sum(carry, pairs, list(made))

    @staticmethod
    def _logic(chain: Chain, bits: dict[int, _Bit]) -> Value:
        def value(bit: int | None) -> Value:
            return Const(0, 1) if bit is None else bits[bit].true.value

        pairs = [(*(value(bit) for bit in pair), Const(0, 1))[:2] for pair in chain.pairs]
        carry = value(chain.carry)
        if len(pairs) > 2:
            a, b = (Cat(carry, *operands) for operands in zip(*pairs, strict=True))
            return (a + b)[1:]
        results = []
        for a, b in pairs:
            results.append(a ^ b ^ carry)
            carry = (a & b) | (carry & (a | b))
        return Cat(*results, carry)


def _turned(bit: _Bit, inverse: bool) -> Operand:
    return bit.true.inverted if inverse else bit.true

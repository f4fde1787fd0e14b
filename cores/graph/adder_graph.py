"""Products with a constant matrix as a graph of adders, one registered adder per stage.

`graph_search` finds the graph.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from cores.cost import Count
from cores.dot.constant_dot import ConstantPlan
from cores.dot.dot_product import DotUnit
from cores.graph import delay_lines, polarity
from cores.graph.graph_search import build
from cores.graph.polarity import Polarity
from cores.graph.sums import SharedSum, SumGraph
from cores.silicon.family import silicon
from cores.sum.adder_tree import adder
from cores.types import IntType
from platforms.device import Device

_LOAD = 384
"""Registers that one net moves."""


@dataclass(frozen=True, eq=False)
class AdderGraphDot(ConstantPlan):
    """Plan of the unit; see `DotProduct`.

    Parameters
    ----------
    more : int
        Stages beyond the fewest that the graph may take.
    tries : int or None
        Graphs of which the cheapest is taken; as `graph_search.build`.
    """

    more: int = 0
    tries: int | None = None

    @cached_property
    def graph(self) -> SumGraph:
        return build(self.weights, self.dtype, more=self.more, tries=self.tries)

    def recall(self, record: list) -> None:
        """Takes the `Graph.record` of an equal plan as its graph instead of searching.

        Raises
        ------
        ValueError
            That graph computes something else.
        """
        graph = SumGraph.of_record(record, self.dtype)
        if not np.array_equal(graph.matrix(), self.weights):
            raise ValueError("the graph recalled must compute the products with the weights")
        vars(self)["graph"] = graph

    @cached_property
    def stages(self) -> list[int]:
        """Stage after which each node is there."""
        return delay_lines.schedule(self.graph)

    @cached_property
    def ends(self) -> list[int]:
        """Stage after which each node is used last."""
        return delay_lines.last_uses(self.graph, self.stages)

    @property
    def result(self) -> IntType:
        words = [IntType(0, 0)]
        for output in self.graph.outputs:
            if output.node is not None:
                dtype = self.graph.ranges[output.node]
                words.append(IntType(dtype.lo << output.shift, dtype.hi << output.shift))
        return reduce(IntType.union, words[1:] or words)

    @property
    def negated(self) -> tuple[bool, ...]:
        return tuple(output.negative for output in self.graph.outputs)

    @property
    def depth(self) -> int:
        return delay_lines.depth(self.graph)

    def cost(self, device: Device) -> Count:
        graph = self.graph
        inverted = self.polarity(device).inverted
        lut = sum(graph.ranges[node].width for node, _ in inverted)
        total = Count(ff=delay_lines.merged_registers(graph, self.stages), lut=lut, loose=lut)
        for bits, times in Counter(graph.bits(new) for new in graph.sums).items():
            if bits:
                total += adder(bits, device, times=times)
        return total

    @cached_property
    def registers(self) -> list[list[tuple[int, int]]]:
        """Registers that each net of `AdderGraphUnit.en` moves, as node and stage."""
        nets: list[list[tuple[int, int]]] = []
        for stage in range(1, self.depth + 1):
            load = _LOAD
            for node, dtype in enumerate(self.graph.ranges):
                if max(1, self.stages[node]) <= stage <= self.ends[node]:
                    if load + dtype.width > _LOAD:
                        nets.append([])
                        load = 0
                    nets[-1].append((node, stage))
                    load += dtype.width
        return nets

    @property
    def enables(self) -> list[int]:
        """Nets that move the registers of each stage."""
        stages = [net[0][1] for net in self.registers]
        return [stages.count(stage) for stage in range(1, self.depth + 1)]

    def polarity(self, device: Device | None) -> Polarity:
        """The form of the registers that suits the carry cells of the device."""
        if silicon(device).carry.SUBTRACTS:
            return Polarity()
        return polarity.choose(self.graph, self.stages)

    def unit(self, device: Device | None) -> "AdderGraphUnit":
        return AdderGraphUnit(self, device)


class AdderGraphUnit(DotUnit[AdderGraphDot]):
    """Computes an `AdderGraphDot`.

    Members
    -------
    en : In(sum(plan.enables))
        Moves the registers of each stage: one net of so many registers would be slow.
    """

    def __init__(self, plan: AdderGraphDot, device: Device | None):
        super().__init__(plan, device, enables=len(plan.registers))

    def elaborate(self, platform) -> Module:
        m = Module()
        plan, graph = self.plan, self.plan.graph
        choice = plan.polarity(self.device)
        words = {
            (k, 0): _Word(Value.cast(self.x[k]).as_unsigned(), plan.dtype.signed, False)
            for k in range(graph.inputs)
        }
        for node, dtype in enumerate(graph.ranges):
            for stage in range(max(1, plan.stages[node]), plan.ends[node] + 1):
                register = Signal(dtype.width, name=f"node{node}_{stage}", reset_less=True)
                complemented = (node, stage) in choice.complemented
                words[node, stage] = _Word(register, dtype.signed, complemented)
        moves = {register: net for net, group in enumerate(plan.registers) for register in group}
        for (node, stage), word in words.items():
            if not stage:
                continue
            new = graph.sum_of(node)
            if new is None or stage > plan.stages[node]:
                source = words[node, stage - 1]
            else:
                low, high = words[new.low, stage - 1], words[new.high, stage - 1]
                if (low.complemented != high.complemented) != new.negative:
                    if (new.low, stage - 1) in choice.inverted:
                        low = low.turned
                    elif (new.high, stage - 1) in choice.inverted:
                        high = high.turned
                source = _add(new, low, high, len(word.bits))
                turned = source.complemented != word.complemented
                if self._carries_out(new, graph.ranges[node]) and turned == new.negative:
                    carry = source.form(word.complemented)[-1]
                    top = silicon(self.device).carry.carry_out(m, f"top{node}", carry)
                    if top is not carry:  # a sum put together anew is synthesised to more LUTs
                        bits = Cat(source.form(word.complemented)[:-1], top)
                        source = _Word(bits, source.signed, word.complemented)
            with m.If(self.en[moves[node, stage]]):
                m.d.sync += word.bits.eq(source.form(word.complemented))
        for k, output in enumerate(graph.outputs):
            if output.node is not None:
                word = words[output.node, plan.depth].extended(plan.result.width)
                m.d.comb += self.o[k].eq(Cat(Const(0, output.shift), word.form(False)))
        return m

    def _carries_out(self, new: SharedSum, dtype: IntType) -> bool:
        """Whether the top bit is a carry out of raw operands, or of a difference its inverse."""
        graph = self.plan.graph
        if not graph.bits(new):
            return False
        low, high = graph.ranges[new.low], graph.ranges[new.high]
        return (
            not low.signed
            and not high.signed
            and dtype.width == max(low.width, high.width + new.shift) + 1
        )


@dataclass(frozen=True)
class _Word:
    """A number in two's complement, unsigned unless `signed`, or every bit of it inverted."""

    bits: Value
    signed: bool
    complemented: bool

    def form(self, complemented: bool) -> Value:
        return self.bits if complemented == self.complemented else ~self.bits

    @property
    def turned(self) -> "_Word":
        return _Word(~self.bits, self.signed, not self.complemented)

    def extended(self, width: int) -> "_Word":
        fill = self.bits[-1] if self.signed else Const(int(self.complemented), 1)
        bits = Cat(self.bits, *[fill] * (width - len(self.bits)))[:width]
        return _Word(bits, self.signed, self.complemented)


def _add(new: SharedSum, low: _Word, high: _Word, width: int) -> _Word:
    """A sum modulo ``2**width``; inverted if that saves inverters in front of the carry chain."""
    if new.opposite:
        fill = Const(int(high.complemented), 1).replicate(new.shift)
        shifted = _Word(Cat(fill, high.bits), high.signed, high.complemented)
        return _difference(shifted.extended(width), low.extended(width))
    apart = len(low.bits) <= new.shift and not low.signed and not new.negative
    low, high = low.extended(width), high.extended(width - new.shift)
    upper = _Word(low.bits[new.shift :], low.signed, low.complemented)
    if apart:
        upper = high
    elif new.negative:
        upper = _difference(upper, high)
    else:
        upper = _total(upper, high)
    passed = low.form(upper.complemented)[: new.shift]
    return _Word(Cat(passed, upper.bits), low.signed, upper.complemented)


def _total(a: _Word, b: _Word) -> _Word:
    if a.complemented:  # as b is: ~x - y is ~(x + y), and -y is ~y + 1
        return _word(a.bits - ~b.bits, complemented=True)
    return _word(a.bits + b.bits)


def _difference(a: _Word, b: _Word) -> _Word:
    if a.complemented:  # as b is not: ~x + y is ~(x - y)
        return _word(a.bits + b.bits, complemented=True)
    return _word(a.bits - b.form(False))


def _word(total: Value, *, complemented: bool = False) -> _Word:
    """Sum of two words of one width, without its carry."""
    return _Word(total[:-1], True, complemented)

"""Operands of a folded product, step by step: a beat that comes or comes back, and its weights."""

from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.choices import Memory
from cores.cost import Count
from cores.memory import replay, weight_memory
from cores.memory.replay import Replay
from cores.memory.weight_memory import WeightMemory
from cores.memory.weight_words import WeightWords
from cores.silicon.family import silicon
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Folding:
    """The steps of a vector: `groups` of rows, each of all `beats` of the input.

    Parameters
    ----------
    groups, beats : int
    width : int
        Bits of a beat.
    weights : WeightWords
    memory : Memory
        Where the weights are.
    """

    groups: int
    beats: int
    width: int
    weights: WeightWords
    memory: Memory

    @property
    def steps(self) -> int:
        return self.groups * self.beats

    @property
    def depth(self) -> int:
        """Cycles from a step to its operands: weights and kept inputs take two."""
        return weight_memory.DEPTH if self.steps > 1 else 1


def cost(folding: Folding, device: Device, *, kept: int) -> Count:
    """Of an `OperandFetch`, or of what is left of it where a beat waits `kept` cycles only."""
    counters = sum((n - 1).bit_length() for n in (folding.steps, folding.beats) if n > 1)
    begins = silicon(device).carry.restart(counters)
    total = Count(lut=begins + 2 * (counters > 0), add=counters, ff=counters)
    if folding.groups > 1:
        total += replay.cost(folding.beats, folding.width, device)
    else:
        total += Count(ff=kept * folding.width)
    stored = folding.weights.stored
    return total + weight_memory.cost(folding.steps, stored, folding.memory, device)


class OperandFetch(Component):
    """One step per cycle, unless the beat that it needs has not come.

    Parameters
    ----------
    folding : Folding
    device : Device or None

    Members
    -------
    en : In(1)
        Moves every register.
    valid, i, ready
        The input stream.
    step, last : Out(1)
        There is a step, and it is the last of its row group.
    x, w : Out
        Operands of the step, `folding.depth` cycles after it.
    """

    en: Signal
    valid: Signal
    i: Signal
    ready: Signal
    step: Signal
    last: Signal
    x: Signal
    w: Signal

    def __init__(self, folding: Folding, device: Device | None):
        self.folding, self.device = folding, device
        super().__init__(
            {
                "en": In(1),
                "valid": In(1),
                "i": In(folding.width),
                "ready": Out(1),
                "step": Out(1),
                "last": Out(1),
                "x": Out(folding.width),
                "w": Out(folding.weights.bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        folding, step = self.folding, self.step
        fresh = Signal(init=1)
        m.d.comb += self.ready.eq(self.en & fresh)
        m.d.comb += step.eq(self.en & (self.valid | ~fresh))
        fold, fold_last = self._counter(m, "fold", folding.steps)
        beat, beat_last = self._counter(m, "beat", folding.beats)
        m.d.comb += self.last.eq(beat_last)
        with m.If(step):
            if folding.groups > 1:
                with m.If(fold_last):
                    m.d.sync += fresh.eq(1)
                with m.Elif(beat_last):
                    m.d.sync += fresh.eq(0)

        x: Value = self.i
        if folding.groups > 1:
            m.submodules.replay = kept = Replay(folding.beats, folding.width, self.device)
            m.d.comb += [kept.en.eq(self.en), kept.step.eq(step), kept.fresh.eq(fresh)]
            m.d.comb += [kept.addr.eq(beat), kept.i.eq(x)]
            x = kept.o
        else:
            for k in range(folding.depth):
                late = Signal(folding.width, name=f"x{k}", reset_less=True)
                with m.If(self.en):
                    m.d.sync += late.eq(x)
                x = late
        m.d.comb += self.x.eq(x)

        weights = folding.weights
        word: Value = Const(0, 0)
        if weights.stored:
            memory = WeightMemory(weights.words, weights.stored, folding.memory, self.device)
            m.submodules.weights = memory
            m.d.comb += [memory.en.eq(self.en), memory.addr.eq(fold)]
            word = memory.data
        m.d.comb += self.w.eq(weights.weights(word))
        return m

    def _counter(self, m: Module, name: str, count: int) -> tuple[Value, Value]:
        """Counts steps modulo `count`; the count and whether it is the last one, a register."""
        number = Signal(range(count), name=name)
        last = Signal(name=f"{name}_last", init=count == 1)
        if count > 1:
            with m.If(self.step):
                m.d.sync += number.eq(Mux(last, 0, number + 1))
                m.d.sync += last.eq(number == count - 2)
        return number, last

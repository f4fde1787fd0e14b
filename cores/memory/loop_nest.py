"""Nested loops over beats: counters, and sums that follow them by constant steps."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.sum.adder_tree import adder
from platforms.device import Device


class LoopNest(Component):
    """Counters of nested loops that never stop, the innermost first.

    Parameters
    ----------
    counts : sequence of int
        Turns of each loop.

    Members
    -------
    step : In(1)
        The innermost loop moves on.
    done : Out(len(counts))
        Bit k: this is the last turn of the loops 0 to k.

    Attributes
    ----------
    numbers : tuple of Signal
        The turn of each loop.
    """

    step: Signal
    done: Signal

    def __init__(self, counts: Sequence[int]):
        super().__init__({"step": In(1), "done": Out(len(counts))})
        self.counts = tuple(counts)
        self.numbers = tuple(
            Signal(range(count), name=f"number{k}") for k, count in enumerate(counts)
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        inner: Value | None = None
        for k, (number, count) in enumerate(zip(self.numbers, self.counts, strict=True)):
            last = Signal(name=f"last{k}", init=count == 1)
            m.d.comb += self.done[k].eq(last if inner is None else last & inner)
            if count > 1:
                moves = self.step if inner is None else self.step & inner
                with m.If(moves):
                    m.d.sync += [
                        number.eq(Mux(last, 0, number + 1)),
                        last.eq(number == count - 2),
                    ]
            inner = self.done[k]
        return m

    def change(self, strides: Sequence[int], whole: int, modulus: int) -> Value:
        """What the next step adds to a sum that gains ``strides[k]`` with each turn of loop k.

        Parameters
        ----------
        strides : sequence of int
        whole : int
            Gain of one turn of all loops.
        modulus : int
            The sum is kept modulo this; the result lies within 0..modulus-1.
        """
        gains = [Const(g % modulus, range(modulus)) for g in changes(self.counts, strides, whole)]
        value: Value = gains[0]
        for k, gain in enumerate(gains[1:]):
            value = Mux(self.done[k], gain, value)
        return value


def cost(counts: Sequence[int], device: Device) -> Count:
    """Of a `LoopNest`."""
    bits = [(count - 1).bit_length() for count in counts if count > 1]
    # Each counter is cleared where it ends, and tells so a turn ahead.
    total = Count()
    for n in bits:
        count = adder(n, device) if n > 4 else Count(lut=n)
        total += count + Count(lut=1 + -(-n // 3), ff=n + 1)
    return total


def cost_of_sum(modulus: int, device: Device) -> Count:
    """Of a register that follows by `LoopNest.change`: the choice of the change and an adder."""
    bits = (modulus - 1).bit_length()
    whole = adder(bits, device) + Count(lut=bits, ff=bits)
    if modulus & modulus - 1 == 0:
        return whole
    return whole + adder(bits + 1, device, times=2) + Count(lut=bits)


def changes(counts: Sequence[int], strides: Sequence[int], whole: int) -> list[int]:
    """Change of the sum when loop 0, 1, ... moves on and all inner ones begin again; last, when
    all begin again."""
    gains, inner = [], 0
    for count, stride in zip(counts, strides, strict=True):
        gains.append(stride - inner)
        inner += (count - 1) * stride
    return [*gains, whole - inner]


def add_modulo(a: Value, b: Value, modulus: int) -> Value:
    """The sum modulo `modulus` of two numbers below it."""
    total = a + b
    if modulus & modulus - 1 == 0:
        return total[: len(a)]
    return Mux(total >= modulus, total - modulus, total)

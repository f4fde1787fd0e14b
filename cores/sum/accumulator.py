"""Sums over the beats of a row group, each from its own start."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.memory.rows import Column, rows_cost, rows_from_logic
from cores.silicon.family import silicon
from cores.sum.adder_tree import adder
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Sums:
    """What the accumulators of all lanes do.

    Parameters
    ----------
    starts : int array, (groups, lanes)
        What each sum of each row group starts from; the groups take turns.
    negated : sequence of bool
        Lanes that subtract.
    word : IntType
        Range of what is added.
    total : IntType
        Range of the complete sums. Accumulators are no wider: sums modulo a power of two may wrap
        on the way.
    beats : int
        Words per sum.
    """

    starts: np.ndarray
    negated: Sequence[bool]
    word: IntType
    total: IntType
    beats: int

    @cached_property
    def columns(self) -> list[Column]:
        """The starts of each lane."""
        return [Column(tuple(lane)) for lane in self.starts.T.tolist()]

    @property
    def varying(self) -> tuple[Column, ...]:
        return tuple(dict.fromkeys(column for column in self.columns if not column.fixed))

    @property
    def from_zero(self) -> bool:
        return not self.starts.any()

    def cost(self, device: Device) -> Count:
        width, lanes = self.total.width, len(self.columns)
        if self.beats == 1:
            plain = [
                not any(c.entries) and not n
                for c, n in zip(self.columns, self.negated, strict=True)
            ]
            adders = lanes - sum(plain)
        else:
            adders = lanes
        total = adder(width, device, times=adders, ff=lanes * width)
        # The choice of the start and the negation, where the adder's cells have no room for them.
        if not silicon(device).carry.FOLDS_GATES:
            chosen = self.beats > 1 and not self.from_zero
            before = lanes * width * chosen + sum(self.negated) * self.word.width
            total += Count(lut=before, loose=before)
        return total + rows_cost(self.varying, device, block=False)


class Accumulators(Component):
    """Computes `Sums`: one register per lane, which holds a sum when it is complete.

    Parameters
    ----------
    sums : Sums
    device : Device or None

    Members
    -------
    add : In(1)
        A word of each lane is added.
    last : In(1)
        It is the last of its row group.
    i, o : lanes
    """

    add: Signal
    last: Signal
    i: View
    o: View

    def __init__(self, sums: Sums, device: Device | None):
        self.sums, self.device = sums, device
        lanes = len(sums.columns)
        super().__init__(
            {
                "add": In(1),
                "last": In(1),
                "i": In(ArrayLayout(sums.word.shape, lanes)),
                "o": Out(ArrayLayout(sums.total.shape, lanes)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        sums = self.sums
        first = Signal(init=1)
        if sums.beats > 1:
            with m.If(self.add):
                m.d.sync += first.eq(self.last)
        rows: dict[Column, Value] = {c: Const(c.entries[0], c.shape) for c in sums.columns}
        if sums.varying:
            rows |= rows_from_logic(m, sums.varying, self.add & self.last)
        behind = sums.from_zero and silicon(self.device).carry.FOLDS_CHOICE
        for lane, column in enumerate(sums.columns):
            word, total, start = self.i[lane], self.o[lane], rows[column]
            if sums.beats > 1 and behind and not sums.negated[lane]:
                value = Mux(first, word, total + word)
            else:
                base = Mux(first, start, total) if sums.beats > 1 else start
                value = base - word if sums.negated[lane] else base + word
            with m.If(self.add):
                m.d.sync += total.eq(value)
        return m

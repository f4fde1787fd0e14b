"""A step function of one lane: constants to compare with, and the value for a thermometer code."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Const, Value

from cores.cost import Count
from cores.memory.rows import Column
from cores.silicon.family import silicon
from cores.steps.comparison import constant_luts
from cores.sum.adder_tree import comparator
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True)
class Lane:
    """The constants of one lane: n starts are reached, and the result is ``base + n``, or ``base``
    with bits toggled by each start that is reached.

    A step function of a thermometer code is an exclusive-or of its changes, so neither a ROM from
    count to value nor a counter is needed; the sum is only used when it saves a ROM of the changes.

    Attributes
    ----------
    starts : tuple of Column
    base : Column
    changes : tuple of Column or None
        Bits that each start toggles; None where the result is the sum.
    """

    starts: tuple[Column, ...]
    base: Column
    changes: tuple[Column, ...] | None

    @classmethod
    def of(
        cls, dtype: IntType, starts: np.ndarray, values: np.ndarray, reached: np.ndarray
    ) -> "Lane":
        """From the rows of the lane's channels, each array of shape (channels of the lane, ...)."""
        count = starts.shape[1]
        starts = np.clip(starts, dtype.lo, dtype.hi + 1)
        columns = tuple(Column(tuple(column.tolist())) for column in starts.T)
        bases = values - np.arange(count + 1)
        base = np.array([row[use][0] for row, use in zip(bases, reached, strict=True)])
        linear = bool(((bases == base[:, None]) | ~reached).all())
        if linear and len(set(base.tolist())) > 1:
            return cls(columns, Column(tuple(base.tolist())), None)
        if linear:
            values = base[:, None] + np.arange(count + 1)
        changes = (values[:, 1:] ^ values[:, :-1]).T
        return cls(
            columns,
            Column(tuple(values[:, 0].tolist())),
            tuple(Column(tuple(change.tolist())) for change in changes),
        )

    @property
    def word(self) -> tuple[Column, ...]:
        """The constants that differ between the channels of the lane."""
        columns = (*self.starts, self.base, *(self.changes or ()))
        return tuple(column for column in columns if not column.fixed)

    def cost(self, dtype: IntType, out: IntType, device: Device) -> Count:
        """Comparators and result; the rows themselves are counted by the op."""
        live = [c for c in self.starts if not c.fixed or dtype.lo < c.entries[0] <= dtype.hi]
        varying = sum(not column.fixed for column in live)
        ends = silicon(device).carry.COMPARATOR_ENDS
        compared = comparator(dtype.width + ends, device, times=varying)
        total = compared + Count(ff=len(live) + out.width)
        total += Count(loose=varying * dtype.width)
        for column in {column for column in live if column.fixed}:
            luts = constant_luts(column.entries[0], dtype)
            total += Count(lut=luts, loose=max(0, luts - 1))
        late = sum(c.shape.width for c in (self.base, *(self.changes or ())) if not c.fixed)
        total += Count(ff=late)
        if self.changes is None:
            changes = [Column((k ^ k - 1,)) for k in range(1, len(self.starts) + 1)]
            total += Count(add=out.width)
        else:
            changes = self.changes
        for bit in range(out.width):
            terms = 1.0 - self.base.fixed
            for column in changes:
                toggles = {entry >> bit & 1 for entry in column.entries}
                terms += 0 if toggles == {0} else 1 if toggles == {1} else 2
            total += Count(lut=max(0, -(-int(terms - 1) // 3)))
        return total


def result(lane: Lane, reached: list[Value], late: dict[Column, Value], out: IntType) -> Value:
    """The value for a thermometer code, from the registers of the first stage."""
    counts = [Column((k ^ k - 1,)) for k in range(1, len(reached) + 1)]
    bits = []
    for place in range(out.width):
        terms: list[Value] = []
        if lane.changes is not None:
            terms.append(_bit(lane.base, place, late))
        for flag, change in zip(reached, lane.changes or counts, strict=True):
            toggle = _bit(change, place, late)
            if not isinstance(toggle, Const):
                terms.append(flag & toggle)
            elif toggle.value:
                terms.append(flag)
        bits.append(Cat(*terms).xor())
    if lane.changes is not None:
        return Cat(*bits)
    return late[lane.base] + Cat(*bits)


def _bit(column: Column, place: int, late: dict[Column, Value]) -> Value:
    """One bit of a constant, sign-extended; an Amaranth constant where all channels agree."""
    entries = {entry >> place & 1 for entry in column.entries}
    if len(entries) == 1:
        return Const(entries.pop(), 1)
    return late[column][min(place, column.shape.width - 1)]

"""Step functions as binary search trees of equal depth: what each stage compares with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Value

from cores.types import IntType


@dataclass(frozen=True, eq=False)
class Table:
    """Constants of a lane by its group of channels and by the outcomes of the stages before.

    Parameters
    ----------
    entries : int array, (groups, outcomes)
        Outcomes are numbers, the first stage's being the highest bit.
    """

    entries: np.ndarray

    @cached_property
    def by_group(self) -> bool:
        return bool((self.entries != self.entries[:1]).any())

    @cached_property
    def by_outcome(self) -> bool:
        return bool((self.entries != self.entries[:, :1]).any())

    @property
    def fixed(self) -> bool:
        return not (self.by_group or self.by_outcome)

    @cached_property
    def dtype(self) -> IntType:
        return IntType(int(self.entries.min()), int(self.entries.max()))

    @cached_property
    def words(self) -> tuple[int, ...]:
        """The entries that differ, as bits, in the order of `address`."""
        rows = self.entries if self.by_group else self.entries[:1]
        used = rows if self.by_outcome else rows[:, :1]
        return tuple((used.reshape(-1) & (1 << self.dtype.width) - 1).tolist())

    def address(self, group: Value, outcome: Value) -> Value:
        return Cat(outcome if self.by_outcome else (), group if self.by_group else ())

    @cached_property
    def columns(self) -> int:
        """Different bits of the words that are not constant."""
        words = np.array(self.words)
        bits = [words >> place & 1 for place in range(self.dtype.width)]
        return len({np.packbits(bit).tobytes() for bit in bits if (bit != bit[0]).any()})


@dataclass(frozen=True, eq=False)
class TreeNode:
    """One comparison: with `table`, x >= entry or, if `strict`, x > entry.

    An input range that fills its bits has no room for the threshold that is never reached; with
    the other comparison that one has room, and the one that is always reached has not.
    """

    table: Table
    strict: bool

    @classmethod
    def of(cls, dtype: IntType, starts: np.ndarray) -> "TreeNode":
        starts = np.clip(starts, dtype.lo, dtype.hi + 1)
        strict = bool(starts.max() > dtype.hi and starts.min() > dtype.lo)
        return cls(Table(starts - strict), strict)

    @property
    def start(self) -> int:
        """First input for which a fixed comparison holds."""
        return int(self.table.entries[0, 0]) + self.strict


@dataclass(frozen=True, eq=False)
class SearchTree:
    """Step functions of one lane.

    Attributes
    ----------
    nodes : tuple of TreeNode
        One per stage.
    result : Table
        The value by final outcome, n, or what n is added to.
    adds : bool
        Whether the value is the result's entry plus n.
    """

    nodes: tuple[TreeNode, ...]
    result: Table
    adds: bool

    @classmethod
    def of(
        cls,
        dtype: IntType,
        starts: np.ndarray,
        values: np.ndarray,
        reached: np.ndarray,
        *,
        adds: bool,
    ) -> "SearchTree":
        """From the rows of the lane's channels, each array of shape (groups, ...).

        Starts that are never reached fill the tree: they stand last, so that the search always
        turns away from them.
        """
        count = starts.shape[1]
        stages = count.bit_length()
        never = np.full((len(starts), (1 << stages) - 1 - count), dtype.hi + 1)
        starts = np.hstack([starts, never])
        nodes = tuple(
            TreeNode.of(dtype, starts[:, (1 << stages - 1 - s) - 1 :: 1 << stages - s])
            for s in range(stages)
        )
        first = reached.argmax(axis=1)[:, None]
        if adds:
            base = np.take_along_axis(values, first, axis=1) - first
            return cls(nodes, Table(base), True)
        filled = np.repeat(np.take_along_axis(values, first, axis=1), 1 << stages, axis=1)
        filled[:, : count + 1] = np.where(reached, values, filled[:, : count + 1])
        return cls(nodes, Table(filled), False)


def trees(
    dtype: IntType, starts: np.ndarray, values: np.ndarray, *, pe: int
) -> Sequence[SearchTree]:
    """The tree of each lane, all of the same depth and the same kind of result.

    Parameters
    ----------
    starts, values : int arrays, (channels, K) and (channels, K + 1)
    """
    passed = int((starts <= dtype.lo).all(axis=0).sum())
    possible = int((starts <= dtype.hi).any(axis=0).sum())
    starts, values = starts[:, passed:possible], values[:, passed : possible + 1]
    edges = np.full((len(starts), 1), dtype.lo), np.full((len(starts), 1), dtype.hi)
    first = np.hstack([edges[0], np.maximum(starts, dtype.lo)])
    last = np.hstack([np.minimum(starts - 1, dtype.hi), edges[1]])
    reached = first <= last
    bases = values - np.arange(values.shape[1])
    base = np.take_along_axis(bases, reached.argmax(axis=1)[:, None], axis=1)
    adds = bool(((bases == base) | ~reached).all())
    return [
        SearchTree.of(dtype, *(a[p::pe] for a in (starts, values, reached)), adds=adds)
        for p in range(pe)
    ]

"""Plan of a sum of bits and words: carry chains, stage by stage, until one number is left.

Every stage adds, along chains over neighbouring weights, two bits of each weight and a third bit of
the lowest on the carry-in: single bits become sums of three (3:2 compressors), words become sums
of two words and one loose bit. What is left over waits for the next stage. Bits take part from the
stage at which they arrive.

Signed and negated words are sums of bits as well: a bit that counts negative is the complement
that counts positive, less a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property, lru_cache

from cores.types import IntType


class Gate(Enum):
    """What is added of a word: the word itself, or bit by bit with an operand of one bit."""

    NONE = auto()
    AND = auto()
    XNOR = auto()


@dataclass(frozen=True)
class Addend:
    """It stands for ``word << shift``, negated if `negative`.

    Parameters
    ----------
    dtype : IntType
        Range of the word, before the gate.
    shift : int
    negative : bool
    arrival : int
        Stage at which it is there; the first is 0.
    gate : Gate
        XNOR of single bits only.

    Raises
    ------
    ValueError
    """

    dtype: IntType
    shift: int = 0
    negative: bool = False
    arrival: int = 0
    gate: Gate = Gate.NONE

    def __post_init__(self):
        if self.gate is Gate.XNOR and not IntType(0, 1).holds(self.dtype):
            raise ValueError(f"an addend behind an XNOR must be a bit, not {self.dtype}")
        if self.shift < 0 or self.arrival < 0:
            raise ValueError(
                f"shift and arrival of an addend must not be negative, "
                f"not {self.shift} and {self.arrival}"
            )

    @property
    def range(self) -> IntType:
        dtype = self.dtype
        if self.gate is Gate.AND:
            dtype = dtype.union(IntType(0, 0))
        elif self.gate is Gate.XNOR:
            dtype = IntType(0, 1)
        lo, hi = dtype.lo << self.shift, dtype.hi << self.shift
        return IntType(-hi, -lo) if self.negative else IntType(lo, hi)


@dataclass(frozen=True)
class Bit:
    """One bit of an addend, inverted if `complemented`."""

    addend: int
    place: int
    complemented: bool


@dataclass(frozen=True)
class Chain:
    """Sum of up to two bits of each of neighbouring weights, and one more of the lowest.

    Parameters
    ----------
    weight : int
        The lowest.
    pairs : tuple of tuple of int
        Bits of each weight, by number.
    carry : int or None
        One more bit of the lowest weight.
    results : tuple of int
        The bits made: one of each weight, and the carry unless nothing needs it.
    """

    weight: int
    pairs: tuple[tuple[int, ...], ...]
    carry: int | None
    results: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """Chains, and the bits that wait; all of them are registered."""

    chains: tuple[Chain, ...]
    waiting: tuple[int, ...]


@dataclass(frozen=True)
class Reduction:
    """Plan of a `Compressor`.

    Attributes
    ----------
    total : IntType
        Range of the result, not negative.
    offset : int
        The sum of the addends is the result plus this.
    bits : tuple of Bit
        The first bits by number; those of the chains follow.
    stages : tuple of Stage
        As many as there are cycles.
    result : tuple of int or None
        Bits of the result, the lowest first; None is 0.
    """

    addends: tuple[Addend, ...]
    total: IntType
    offset: int
    bits: tuple[Bit, ...]
    stages: tuple[Stage, ...]
    result: tuple[int | None, ...]

    @property
    def depth(self) -> int:
        """Cycles from the arrival of the first addends to the result."""
        return len(self.stages)

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        return tuple(chain for stage in self.stages for chain in stage.chains)


def reduction(addends: Sequence[Addend]) -> Reduction:
    """The plan with the fewest stages, and of those the fewest carry cells, of a few tried.

    Raises
    ------
    ValueError
        There is no addend.
    """
    if not addends:
        raise ValueError("a reduction must have at least one addend")
    return _reduction(tuple(addends))


@lru_cache(maxsize=256)
def _reduction(addends: tuple[Addend, ...]) -> Reduction:
    return min((_Planner(addends, short).plan() for short in (0, 1, 2, 3)), key=_price)


def _price(plan: Reduction) -> tuple[int, int]:
    cells = sum(len(chain.pairs) + 1 for chain in plan.chains)
    return plan.depth, 2 * cells + sum(len(stage.waiting) for stage in plan.stages)


class _Planner:
    """One way to plan: chains that begin without a third bit are worth it from a height on.

    Parameters
    ----------
    short : int
        Bits that must be left at the next weight for two bits to begin a chain; 0 for never.
    """

    def __init__(self, addends: tuple[Addend, ...], short: int):
        self._addends, self._short = addends, short
        self._bits: list[Bit] = []
        self._weights: list[int] = []
        self._count = 0

    def plan(self) -> Reduction:
        arrivals: list[int] = []
        offset = lo = hi = 0
        for number, addend in enumerate(self._addends):
            lo, hi = lo + addend.range.lo, hi + addend.range.hi
            width = addend.dtype.width
            for place in range(width):
                top = addend.dtype.signed and place == width - 1
                complemented = addend.negative != top
                weight = addend.shift + place
                offset -= complemented << weight
                self._bits.append(Bit(number, place, complemented))
                self._weights.append(weight)
                arrivals.append(addend.arrival)
        total = IntType(lo - offset, hi - offset)
        self._width = total.width
        self._count = len(self._bits)
        coming = [bit for bit in range(self._count) if self._weights[bit] < self._width]
        columns: list[list[int]] = [[] for _ in range(self._width)]
        stages: list[Stage] = []
        while True:
            later = []
            for bit in coming:
                if arrivals[bit] <= len(stages):
                    columns[self._weights[bit]].append(bit)
                else:
                    later.append(bit)
            coming = later
            if not coming and max(map(len, columns)) < 2:
                break
            columns, stage = self._stage(columns, last=not coming)
            stages.append(stage)
        result = tuple(column[0] if column else None for column in columns)
        return Reduction(self._addends, total, offset, tuple(self._bits), tuple(stages), result)

    def _new(self, weight: int) -> int:
        self._weights.append(weight)
        self._count += 1
        return self._count - 1

    def _stage(self, columns: list[list[int]], *, last: bool) -> tuple[list[list[int]], Stage]:
        chains = self._final(columns) if last else []
        chains = chains or self._chains(columns)
        used = {bit for chain in chains for pair in chain.pairs for bit in pair}
        used |= {chain.carry for chain in chains if chain.carry is not None}
        waiting = [bit for column in columns for bit in column if bit not in used]
        after: list[list[int]] = [[] for _ in columns]
        for bit in (*(bit for chain in chains for bit in chain.results), *waiting):
            after[self._weights[bit]].append(bit)
        return after, Stage(tuple(chains), tuple(waiting))

    def _final(self, columns: list[list[int]]) -> list[Chain]:
        """Chains that leave a single number, if one stage can: one between any two empty weights,
        as the carry of the lower one ends there."""
        chains: list[tuple[int, list[tuple[int, ...]], int | None]] = []
        running = False
        for weight, column in enumerate(columns):
            if running and column:
                chains[-1][1].append(tuple(column[:2]))
                if len(column) > 2:
                    return []
            elif len(column) > 3:
                return []
            elif len(column) > 1:
                chains.append((weight, [tuple(column[:2])], column[2] if column[2:] else None))
            running = bool(column) and (running or len(column) > 1)
        return [self._chain(*chain) for chain in chains]

    def _chain(self, weight: int, pairs: list[tuple[int, ...]], carry: int | None) -> Chain:
        top = min(weight + len(pairs) + 1, self._width)
        results = tuple(self._new(w) for w in range(weight, top))
        return Chain(weight, tuple(pairs), carry, results)

    def _chains(self, columns: list[list[int]]) -> list[Chain]:
        """Chains go on while there are two bits for each, and begin where three are left."""
        chains: list[Chain] = []
        running: list[tuple[int, list[tuple[int, ...]], int | None]] = []
        for weight, column in enumerate(columns):
            bits = list(column)
            above = len(columns[weight + 1]) if weight + 1 < len(columns) else 0
            going, ended = running[: len(bits) // 2], running[len(bits) // 2 :]
            chains += [self._chain(*chain) for chain in ended]
            for _, pairs, _ in going:
                pairs.append((bits.pop(0), bits.pop(0)))
            running = going
            while len(bits) >= 3:
                carry = bits.pop()
                running.append((weight, [(bits.pop(0), bits.pop(0))], carry))
            spare = above - 2 * len(running)
            if len(bits) == 2 and self._short and spare >= self._short:
                running.append((weight, [(bits.pop(0), bits.pop(0))], None))
        return chains + [self._chain(*chain) for chain in running]

"""Sum of words of any ranges, one registered carry-chain adder per level."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import Component, In, Out

from cores.cost import Count
from cores.silicon.family import silicon
from cores.types import IntType
from platforms.device import Device


@dataclass(frozen=True)
class Term:
    """A word of a sum: it stands for ``word * 2**shift``, negated if `negative`.

    Parameters
    ----------
    dtype : IntType
        Range of the word itself.
    shift : int
    negative : bool
    """

    dtype: IntType
    shift: int = 0
    negative: bool = False

    def __post_init__(self):
        if self.shift < 0:
            raise ValueError(f"shift of a term must not be negative, not {self.shift}")

    @property
    def range(self) -> IntType:
        """Range of what the word stands for."""
        lo, hi = self.dtype.lo << self.shift, self.dtype.hi << self.shift
        return IntType(-hi, -lo) if self.negative else IntType(lo, hi)

    def plus(self, other: "Term") -> "Term":
        """The term that one adder or subtractor makes of two; bits below the higher shift pass it
        by."""
        low, high = (self, other) if self.shift <= other.shift else (other, self)
        distance = high.shift - low.shift
        lo, hi = high.dtype.lo << distance, high.dtype.hi << distance
        if low.negative != high.negative:
            lo, hi = -hi, -lo
        return Term(IntType(low.dtype.lo + lo, low.dtype.hi + hi), low.shift, low.negative)


def levels(count: int) -> int:
    """Levels, and so cycles, of an adder tree over `count` words."""
    return max(0, count - 1).bit_length()


def plan(terms: Sequence[Term]) -> tuple[tuple[Term, ...], ...]:
    """The terms of every level, the inputs first and the sum last.

    Raises
    ------
    ValueError
        There is no term.
    """
    if not terms:
        raise ValueError("a sum must have at least one term")
    return _plan(_runs(terms))


Runs = tuple[tuple[Term, int], ...]
"""Terms, each with how often it comes in a row: most sums have very few."""


def _runs(terms: Sequence[Term]) -> Runs:
    return tuple((term, sum(1 for _ in group)) for term, group in groupby(terms))


@lru_cache(maxsize=256)
def _plan(runs: Runs) -> tuple[tuple[Term, ...], ...]:
    row = tuple(term for term, times in runs for _ in range(times))
    rows = [row]
    while len(row) > 1:
        sums: list[Term] = []
        low = high = None
        for a, b in zip(row[::2], row[1::2], strict=False):
            # Of equal pairs in a row, the first one's sum.
            same = a is low and b is high
            sums.append(sums[-1] if same else a.plus(b))
            low, high = a, b
        row = (*sums, *row[len(row) & ~1 :])
        rows.append(row)
    return tuple(rows)


def adder(bits: int, device: Device, *, times: int = 1, ff: int = 0) -> Count:
    """Cost of adders of so many bits."""
    return times * silicon(device).carry.adder(bits) + Count(ff=ff)


def comparator(bits: int, device: Device, *, times: int = 1) -> Count:
    """Cost of magnitude comparators of so many bits; logic takes their last carry."""
    return times * silicon(device).carry.comparator(bits)


def cost(terms: Sequence[Term], device: Device) -> Count:
    """Adder bits and registers of `AdderTree(terms)`."""
    return _cost(_runs(terms), device)


@lru_cache(maxsize=4096)
def _cost(runs: Runs, device: Device) -> Count:
    ff, adders = 0, Counter[int]()
    for row, sums in pairwise(_plan(runs)):
        ff += sum(term.dtype.width for term in sums)
        for a, b, total in zip(row[::2], row[1::2], sums, strict=False):
            adders[max(1, total.dtype.width - abs(a.shift - b.shift))] += 1
    count = Count(ff=ff)
    for bits, times in adders.items():
        count += adder(bits, device, times=times)
    return count


class AdderTree(Component):
    """Sum of one word per term, `levels(len(terms))` cycles later.

    Parameters
    ----------
    terms : sequence of Term
        What each input word stands for; at least one.

    Attributes
    ----------
    total : Term
        What `o` stands for: the sum is ``o * 2**total.shift``, negated if ``total.negative``.

    Members
    -------
    en : In(1)
        Moves every register; a sum takes that many enabled cycles.
    i : In, one field ``0``, ``1``, ... per term
    o : Out(total.dtype.shape)
    """

    en: Signal
    i: View
    o: Signal

    def __init__(self, terms: Sequence[Term]):
        self.terms = tuple(terms)
        self.total = plan(terms)[-1][0]
        fields = {str(k): term.dtype.shape for k, term in enumerate(self.terms)}
        super().__init__(
            {
                "en": In(1),
                "i": In(StructLayout(fields)),
                "o": Out(self.total.dtype.shape),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        words: list[Value] = [self.i[str(k)] for k in range(len(self.terms))]
        rows = plan(self.terms)
        for level, (row, sums) in enumerate(pairwise(rows)):
            registers = [
                Signal(term.dtype.shape, name=f"sum{level}_{k}", reset_less=True)
                for k, term in enumerate(sums)
            ]
            for k, register in enumerate(registers):
                if 2 * k + 1 < len(row):
                    pair = (words[2 * k], row[2 * k]), (words[2 * k + 1], row[2 * k + 1])
                    value = self._adder(m, *pair)
                else:
                    value = words[2 * k]
                with m.If(self.en):
                    m.d.sync += register.eq(value)
            words = list(registers)
        m.d.comb += self.o.eq(words[0])
        return m

    @staticmethod
    def _adder(m: Module, a: tuple[Value, Term], b: tuple[Value, Term]) -> Value:
        (low, low_term), (high, high_term) = (a, b) if a[1].shift <= b[1].shift else (b, a)
        distance = high_term.shift - low_term.shift
        upper = low >> distance
        upper = upper - high if low_term.negative != high_term.negative else upper + high
        if not distance:
            return upper
        passed = Signal(distance)  # sign-extended if the low word is shorter
        m.d.comb += passed.eq(low)
        return Cat(passed, upper)

"""Tensors that do not depend on the input: exact, and cheap where few distinct numbers occur."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.layout import Rearrangement
from hwgen.host.pair import Pair, round_to_integer
from hwgen.numerics.exact import Real
from hwgen.numerics.quantiser import Quantiser

GRID_TOLERANCE = 1e-3
"""Distance from its grid, in steps, up to which a stored weight counts as quantised already."""


@dataclass(frozen=True, eq=False)
class Known:
    """A constant tensor.

    Parameters
    ----------
    stored : array or None
        The numbers as the model stores them; None for computed ones.
    computed : Coded or None
        Exact numbers (`Real`); None for stored ones.
    """

    stored: np.ndarray | None = None
    computed: Coded | None = None

    @cached_property
    def reals(self) -> Coded:
        """Exact numbers in the tensor's shape."""
        if self.computed is not None:
            return self.computed
        assert self.stored is not None
        return Coded.of_array(self.stored, Real.of)

    @property
    def shape(self) -> tuple[int, ...]:
        if self.computed is not None:
            return self.computed.shape
        assert self.stored is not None
        return self.stored.shape

    @property
    def pair(self) -> Pair:
        """The numbers to 106 bits."""
        if self.stored is not None:
            return Pair.of(self.stored)
        return pair_of(self.reals)

    def rearrange(self, change: Rearrangement) -> "Known":
        if self.stored is not None:
            return Known(change(self.stored))
        return Known(computed=self.reals.rearrange(change))

    def cut(self, parts: tuple[slice, ...]) -> "Known":
        """The elements in a slice of every axis."""
        return Known(computed=self.reals.rearrange(lambda code: code[parts]))

    def repeat(self, factors: Sequence[int]) -> "Known":
        """Every element factors[axis] times in a row along each axis."""
        code = self.reals.code
        for axis, factor in enumerate(factors):
            code = code.repeat(factor, axis)
        return Known(computed=Coded(self.reals.palette, code))


def joined(parts: Sequence[Known], axis: int) -> Known:
    """Constants behind one another."""
    code, palette = [], []
    for part in parts:
        code.append(part.reals.code + len(palette))
        palette.extend(part.reals.palette)
    return Known(computed=Coded(tuple(palette), np.concatenate(code, axis)))


def pair_of(reals: Coded) -> Pair:
    """Exact numbers rounded to pairs of float64."""
    hi = reals.numbers(float)
    return Pair(hi, reals.numbers(lambda x: float(x - float(x))))


def stored_reals(array: np.ndarray) -> Coded:
    return Known(np.asarray(array)).reals


def quantise(x: Known, q: Quantiser) -> tuple[Known, float]:
    """The quantised tensor and the largest distance from the grid before, in steps.

    Source
    ------
    `Quantiser` for the meaning. The quotient of two stored numbers is decided right by 106 bits:
    it differs from a tie by 2**-64 of itself or not at all.
    """
    scale, zero_point = Known(np.asarray(q.scale)), Known(np.asarray(q.zero_point))
    if x.stored is not None:
        u = Pair.of(x.stored) / scale.pair
        first = round_to_integer(u, q.rounding) + zero_point.pair.hi
        n = first if q.round_first else round_to_integer(u + zero_point.pair, q.rounding)
        steps = (u + zero_point.pair).hi
    else:
        quotient = combine(lambda a, b: a / b, x.reals, scale.reals)
        shifted = combine(lambda a, b: a + b, quotient, zero_point.reals)
        if q.round_first:
            whole = quotient.map(lambda a: Real.of(a.round(q.rounding)))
            n = combine(lambda a, b: a + b, whole, zero_point.reals).numbers(float)
        else:
            n = shifted.numbers(lambda a: a.round(q.rounding))
        steps = shifted.numbers(float)
    lo = -np.inf if q.lo is None else q.lo
    hi = np.inf if q.hi is None else q.hi
    n = np.clip(n, lo, hi)
    inside = (steps >= lo) & (steps <= hi)
    distance = float(np.abs(steps - n)[inside].max(initial=0.0))
    return Known(computed=dequantise(n, q)), distance


def dequantise(n: np.ndarray, q: Quantiser) -> Coded:
    """(n - zero_point) * scale, exactly."""
    return combine(
        lambda number, z, s: (number - z) * s,
        Coded.of_array(n, Real.of),
        stored_reals(q.zero_point),
        stored_reals(q.scale),
    )

"""What a MatVec core asks of the unit that multiplies and adds, and the choice of that unit."""

from typing import Any, Protocol

import numpy as np
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out, Signature

from cores.cost import Count
from cores.fields.frozen import freeze, of_array
from cores.types import IntType
from platforms.device import Device


class DotProduct(Protocol):
    """Plan of `pe` dot products of `simd` elements each, one result of each per cycle; or as many
    of each of several positions, that share the weights.

    Over the beats of a row r, the results add up to ``sum(w * x) - corrections[r]``.
    """

    @property
    def result(self) -> IntType:
        """Range of every result."""
        ...

    @property
    def negated(self) -> tuple[bool, ...]:
        """Which results come with the opposite sign; in the order of the results."""
        ...

    @property
    def code_width(self) -> int:
        """Bits of one stored weight; 0 if the unit holds the weights itself."""
        ...

    @property
    def codes(self) -> np.ndarray:
        """Weights as stored, non-negative int64, (rows, cols)."""
        ...

    @property
    def corrections(self) -> np.ndarray:
        """What is missing from the sum of each row's results, int64, (rows,)."""
        ...

    @property
    def depth(self) -> int:
        """Enabled cycles from operands to result."""
        ...

    def cost(self, device: Device) -> Count: ...

    def unit(self, device: Device | None) -> "DotUnit":
        """The unit, with the ports of `signature`."""
        ...


class DotUnit(Protocol):
    """The component of a plan."""

    en: Signal
    x: View
    w: View
    o: View

    def elaborate(self, platform: Any) -> Module: ...


def signature(
    plan: DotProduct, dtype: IntType, *, pe: int, simd: int, pixels: int = 1
) -> Signature:
    """Ports of every dot product unit: `en` moves all registers, `x` and `w` are the operands
    (``x[q * simd + s]`` of position q, ``w[p * simd + s]``), `o` the results (``o[q * pe + p]``).
    """
    members: dict[str, Any] = {
        "en": In(1),
        "x": In(ArrayLayout(dtype.shape, pixels * simd)),
        "w": In(ArrayLayout(unsigned(plan.code_width), pe * simd)),
        "o": Out(ArrayLayout(plan.result.shape, pixels * pe)),
    }
    return Signature(members)


@of_array
def row_bounds(weights: np.ndarray, dtype: IntType) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of each row of `weights`, (rows, cols), times numbers of `dtype`."""
    ends = weights * dtype.lo, weights * dtype.hi
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)


@of_array
def words(weights: np.ndarray, width: int) -> np.ndarray:
    """The lowest `width` bits of each weight, as a non-negative number."""
    return freeze(weights & (1 << width) - 1)


@of_array
def weight_range(weights: np.ndarray) -> IntType:
    return IntType(int(weights.min()), int(weights.max()))

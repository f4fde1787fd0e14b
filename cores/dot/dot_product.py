"""What a MatVec core asks of the unit that multiplies and adds, and the choice of that unit."""

from abc import abstractmethod
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import Component, In, Out

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

    def unit(self, device: Device | None) -> "DotUnit[Any]":
        """The unit."""
        ...


class FoldedDot(DotProduct, Protocol):
    """A plan with the numbers that its unit's ports are made from."""

    @property
    def dtype(self) -> IntType: ...
    @property
    def pe(self) -> int: ...
    @property
    def simd(self) -> int: ...


Plan = TypeVar("Plan", bound=FoldedDot)


class DotUnit(Component, Generic[Plan]):
    """What the components of all plans have in common.

    Parameters
    ----------
    plan : FoldedDot
    device : Device or None
    pixels : int
        Positions at once.
    enables : int
        Nets that move the registers.

    Members
    -------
    en : In(enables)
        Moves every register.
    x, w : In
        The operands: ``x[q * simd + s]`` of position q, ``w[p * simd + s]``.
    o : Out
        The results, ``o[q * pe + p]``.
    """

    en: Signal
    x: View
    w: View
    o: View

    def __init__(
        self, plan: Plan, device: Device | None = None, *, pixels: int = 1, enables: int = 1
    ):
        self.plan, self.device = plan, device
        members: dict[str, Any] = {
            "en": In(enables),
            "x": In(ArrayLayout(plan.dtype.shape, pixels * plan.simd)),
            "w": In(ArrayLayout(unsigned(plan.code_width), plan.pe * plan.simd)),
            "o": Out(ArrayLayout(plan.result.shape, pixels * plan.pe)),
        }
        super().__init__(members)

    @abstractmethod
    def elaborate(self, platform: Any) -> Module: ...

    def register(self, m: Module, value: Value, name: str, dtype: IntType | None = None) -> Signal:
        """The value an enabled cycle later, as a number of `dtype` if there is one."""
        shape = value.shape() if dtype is None else dtype.shape
        late = Signal(shape, name=name, reset_less=True)
        with m.If(self.en):
            m.d.sync += late.eq(value)
        return late

    def later(self, m: Module, value: Value, cycles: int, name: str) -> Value:
        """The value so many enabled cycles later."""
        for k in range(cycles):
            value = self.register(m, value, f"{name}_{k}")
        return value


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

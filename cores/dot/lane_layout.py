"""Several small products in one hard multiplier: where the fields are, and how the product splits.

Operands hold fields at a common spacing, so the product is a sum of lanes: one lane per pair of an
activation and a weight, at multiples of the spacing. Products may be summed packed before the
split. A lane that is negative, or wider than the spacing, carries into the next one. The split
takes that carry from the lane's sign; or from the lowest bits of the next lane, computed apart; or
there is none, because a bias made every lane non-negative.

Source
------
Fu et al., Deep Learning with INT8 Optimization on Xilinx Devices (WP486), for two products that
share an operand. Lanes that overlap follow from the carries' ranges, which `Layout` derives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cores.types import IntType


@dataclass(frozen=True)
class Slot:
    """One mode of a hard multiplier.

    Parameters
    ----------
    width : int
        Bits of either operand, signed or unsigned.
    halves : int
        Independent products of that width in one block; both take operands of the same signs.
    """

    width: int
    halves: int = 1


@dataclass(frozen=True)
class Layout:
    """Where the fields of both operands are, and so the lanes of their product.

    Field p of the activations (one of each pixel) and field r of the weights (one of each row)
    meet in lane ``p + pixels * r``, or ``r + rows * p`` if `weights_inside`; lane k starts at bit
    ``k * spacing``.

    Parameters
    ----------
    activation, weight : IntType
    slot : Slot
    pixels, rows : int
        Fields of the operands.
    spacing : int
        Bits from one lane to the next.
    products : int
        Products that are summed packed, at most, before the split.
    biased : bool
        Whether `bias` is added to every lane of the packed sum, and is still in the split lanes.
    weights_inside : bool

    Raises
    ------
    ValueError
        An operand does not hold its fields, or the packed sum does not split.
    """

    activation: IntType
    weight: IntType
    slot: Slot
    pixels: int
    rows: int
    spacing: int
    products: int = 1
    biased: bool = False
    weights_inside: bool = False

    def __post_init__(self):
        if min(self.pixels, self.rows, self.spacing, self.products) < 1:
            raise ValueError("pixels, rows, spacing and products of a packing must be positive")
        for name, word in (("weights", self.weights), ("activations", self.activations)):
            if word.width > self.slot.width:
                raise ValueError(
                    f"{name} of {self} must fit {self.slot.width} bits, not {word.width}"
                )
        if not self._separate:
            raise ValueError(f"fields of {self} must be at least as wide as their values")
        if self.products > 1 and not self.complete:
            raise ValueError(
                f"{self} must sum at most {self.capacity} products packed, not {self.products}"
            )
        if self.biased and any(c != IntType(0, 0) for c in self.carries):
            raise ValueError(
                f"spacing of {self} must hold a lane of {self.lane}: its bias leaves a carry"
            )
        if any(self.low_bits(k) > self.spacing for k in range(len(self.carries) - 1)):
            raise ValueError(f"lanes of {self} must not reach the lane after the next")

    @property
    def _separate(self) -> bool:
        """Whether each stored field but the highest fits in front of the next one."""
        fields = (
            (self.rows, self.weight, self.weight_spacing),
            (
                self.pixels,
                self.activation,
                self.activation_spacing,
            ),
        )
        return all(count == 1 or _stored(t) <= space for count, t, space in fields)

    @property
    def weight_spacing(self) -> int:
        return self.spacing * (1 if self.weights_inside else self.pixels)

    @property
    def activation_spacing(self) -> int:
        return self.spacing * (self.rows if self.weights_inside else 1)

    @property
    def lanes(self) -> int:
        return self.pixels * self.rows

    @property
    def macs(self) -> int:
        """Products per hard multiplier and cycle."""
        return self.lanes * self.slot.halves

    @property
    def weights(self) -> IntType:
        """Range of the packed weights."""
        factor = sum(1 << self.weight_spacing * r for r in range(self.rows))
        return IntType(self.weight.lo * factor, self.weight.hi * factor)

    @property
    def activations(self) -> IntType:
        """Range of the packed activations."""
        factor = sum(1 << self.activation_spacing * p for p in range(self.pixels))
        return IntType(self.activation.lo * factor, self.activation.hi * factor)

    @cached_property
    def product(self) -> IntType:
        """Range of one product, and of none."""
        ends = [
            a * w
            for a in (self.activation.lo, self.activation.hi)
            for w in (self.weight.lo, self.weight.hi)
        ]
        return IntType(min(*ends, 0), max(*ends, 0))

    @property
    def bias(self) -> int:
        """Added to every lane of a packed sum."""
        return -self.products * self.product.lo if self.biased else 0

    @property
    def lane(self) -> IntType:
        """Range of a lane of the packed sum, bias included, without the carry from below."""
        low, high = self.product.lo * self.products, self.product.hi * self.products
        return IntType(low + self.bias, high + self.bias)

    @cached_property
    def carries(self) -> tuple[IntType, ...]:
        """Ranges of what each lane but the last carries into the next."""
        found: list[IntType] = []
        for _ in range(self.lanes - 1):
            below = found[-1] if found else IntType(0, 0)
            low, high = self.lane.lo + below.lo, self.lane.hi + below.hi
            found.append(IntType(low >> self.spacing, high >> self.spacing))
        return tuple(found)

    def by_sign(self, k: int) -> bool:
        """Whether the top bit of lane k, in its spacing, tells its carry: 0 or -1."""
        below = self.carries[k - 1] if k else IntType(0, 0)
        half = 1 << self.spacing - 1
        return -half <= self.lane.lo + below.lo and self.lane.hi + below.hi < half

    def low_bits(self, k: int) -> int:
        """Bits of lane k + 1 that must be known apart to tell the carry of lane k."""
        if self.carries[k] == IntType(0, 0) or self.by_sign(k):
            return 0
        return self.carries[k].width

    @property
    def complete(self) -> bool:
        """Whether the packed sum alone tells all lanes."""
        return not any(self.low_bits(k) for k in range(self.lanes - 1))

    @property
    def guard(self) -> int:
        """Bits of the spacing beyond one product; negative if lanes overlap."""
        return self.spacing - self.product.width

    @property
    def capacity(self) -> int:
        """Products that may be summed packed, at most; 0 if not even one splits by itself."""
        return self.most(biased=self.biased)

    def most(self, *, biased: bool) -> int:
        """`capacity`, with or without the bias."""
        size = 1 << self.spacing
        if biased:
            return (size - 1) // max(1, self.product.hi - self.product.lo)
        if self.product.lo == 0:
            return (size - 1) // max(1, self.product.hi)
        carried = 1 if self.lanes > 2 else 0
        low = (size // 2 - carried) // -self.product.lo
        return min(low, (size // 2 - 1) // self.product.hi) if self.product.hi else low

    @property
    def luts(self) -> int:
        """LUTs, about, that splitting one packed sum takes: a bias, carries and what tells them."""
        if self.lanes == 1:
            return 0
        total = self.spacing * self.lanes if self.biased else 0
        for k, carry in enumerate(self.carries):
            low = self.low_bits(k)
            total += self.lane.width if carry != IntType(0, 0) else 0
            total += low * (low + 1)
        if self.activation.signed:
            total += (self.pixels - 1) * (self.activation.width + 1)
        return total

    def of_rows(self, rows: int) -> "Layout":
        """The same for fewer rows, whose lanes may be further apart: fields of pixels that stand
        behind all rows of the one before come closer to it."""
        space = self.spacing
        if self.weights_inside and self.pixels > 1:
            space = max(space, -(-_stored(self.activation) // rows))
        return replace(self, rows=rows, spacing=space)

    def pack_weights(self, fields: Sequence[Any]) -> Any:
        return sum(field << self.weight_spacing * r for r, field in enumerate(fields))

    def pack_activations(self, fields: Sequence[Any]) -> Any:
        return sum(field << self.activation_spacing * p for p, field in enumerate(fields))

    def pair(self, k: int) -> tuple[int, int]:
        """Pixel and row that lane k is the product of."""
        if self.weights_inside:
            return k // self.rows, k % self.rows
        return k % self.pixels, k // self.pixels

    def split(self, total: Any, low: Sequence[Any]) -> list[Any]:
        """Lanes of a packed sum, bias included.

        Parameters
        ----------
        total : int, array or bit vector
            Sum of at most `products` products of packed operands, and the bias.
        low : sequence
            ``low[k]``: the lowest ``low_bits(k)`` bits of lane k + 1 of that sum.
        """
        found, carry = [], 0
        for k in range(self.lanes - 1):
            rest = total >> self.spacing * k
            out = self.carry(k, rest, low[k])
            field = rest & (1 << self.spacing) - 1
            found.append(field + (out << self.spacing) - carry)
            carry = out
        return [*found, (total >> self.spacing * (self.lanes - 1)) - carry]

    def carry(self, k: int, rest: Any, low: Any) -> Any:
        """What lane k carries, from the packed sum without the lanes below, and `low` as in
        `split`."""
        if self.carries[k] == IntType(0, 0):
            return 0
        if self.by_sign(k):
            return -(rest >> self.spacing - 1 & 1)
        bits = self.low_bits(k)
        out = (rest >> self.spacing) - low & (1 << bits) - 1
        sign = 1 << bits - 1
        return (out ^ sign) - sign if self.carries[k].signed else out

    def __str__(self) -> str:
        return (
            f"{self.pixels} x {self.rows} lanes of {self.activation} x {self.weight} "
            f"every {self.spacing} bits"
        )


def _stored(dtype: IntType) -> int:
    """Bits of a field that is not the highest: one less if those below it are negative."""
    return IntType(dtype.lo - dtype.signed, dtype.hi).width


def borrowed(weights: np.ndarray) -> np.ndarray:
    """Fields as stored: each less one if the fields below it make a negative number.

    Written one after the other, sign-extended to the spacing, they are the packed weights.

    Parameters
    ----------
    weights : int array, (..., rows)
        Along the last axis, the weights of one operand.
    """
    codes = np.array(weights, np.int64)
    for row in range(1, codes.shape[-1]):
        codes[..., row] -= codes[..., row - 1] < 0
    return codes

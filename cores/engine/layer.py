"""One layer of a network that a sequence computes after the others: what it means."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cores.types import IntType

BYTE = IntType.bits(8, signed=True)
"""What weights and everything between two layers are."""
FACTORS = IntType(BYTE.lo * (BYTE.levels + 1), BYTE.hi * (BYTE.levels + 1))
"""What joined tensors can be multiplied by: two digits with sign."""
UP = BYTE.width
"""Bits by which the sums of a joining layer go up between two digits of its factors."""


@dataclass(frozen=True)
class Rescale:
    """clamp(floor((slopes[r] * x + offsets[r]) / 2**shift), lo..hi) of a sum x of row r; or ties to
    even.

    Parameters
    ----------
    slopes : tuple of int
        Not negative.
    offsets : tuple of int
    shift : int
    out : IntType
    late : int
        0, or a power of two: before they are clamped, odd results with a remainder below it are
        one less, so that ties go to even.
    """

    slopes: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    out: IntType
    late: int = 0

    def compute(self, sums: np.ndarray) -> np.ndarray:
        scaled = sums * np.array(self.slopes) + np.array(self.offsets)
        level = scaled >> self.shift
        level -= level & 1 & (scaled - (level << self.shift) < self.late)
        return np.clip(level, self.out.lo, self.out.hi)


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution over two axes, and what is made of its sums.

    A product with a matrix is a convolution of one position, or with a kernel of the whole image. A
    layer of two tensors joins them: each element is multiplied by the factor of its channel, and
    those of one place are added.

    Parameters
    ----------
    name : str
        For messages.
    shape : tuple of int
        Height, width and channels of what comes in, 8-bit numbers in two's complement.
    weights : int array, (rows, taps, channels) or (channels, taps)
        Of all channels, or depthwise: row r of channel r alone. Taps in row-major order over the
        kernel; 8 bits. Where tensors are joined, (channels, tensors) and 16 bits, of which the
        lower byte has a sign.
    kernel, strides, dilations : tuple of int
        Of height and width.
    pads : tuple of (int, int)
        Elements in front and behind, per axis; negative where the image is cut.
    fill : int
        What padding holds.
    rescale : Rescale or None
        None: the sums themselves come out, plus `bias`.
    bias : tuple of int
        One for each row; with a `rescale` empty, as it is part of its offsets.
    largest : bool
        The largest number under a depthwise kernel of ones takes the place of the sum.
    takes : tuple of int
        How many layers back each tensor is made that comes in; the frame is made before all. One
        tensor, or two of the same shape.

    Raises
    ------
    ValueError
        The layer does not suit the engine; the message says why and what would.
    """

    name: str
    shape: tuple[int, int, int]
    weights: np.ndarray
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    fill: int = 0
    rescale: Rescale | None = None
    bias: tuple[int, ...] = ()
    largest: bool = False
    takes: tuple[int, ...] = (1,)

    def __post_init__(self):
        taps, channels = self.kernel[0] * self.kernel[1], self.shape[2]
        if len(self.takes) > 2 or min(self.takes) < 1:
            raise ValueError(
                f"{self.name}: must take one tensor of an earlier layer or two, not {self.takes}"
            )
        if self.joins and (taps > 1 or self.out_shape != (*self.shape[:2], self.rows)):
            raise ValueError(
                f"{self.name}: tensors must be joined place by place, without a kernel"
            )
        wanted = (channels, taps) if self.depthwise else (self.rows, taps, channels)
        wanted = (channels, len(self.takes)) if self.joins else wanted
        if self.weights.shape != wanted:
            raise ValueError(
                f"{self.name}: weights must have the shape {wanted}, not {self.weights.shape}"
            )
        if self.largest and (
            self.rescale is None or not (self.depthwise and (self.weights == 1).all())
        ):
            raise ValueError(
                f"{self.name}: the largest number must be that of depthwise weights of 1, rescaled"
            )
        reached = IntType(int(self.weights.min()), int(self.weights.max()))
        allowed = FACTORS if self.joins else BYTE
        if not allowed.holds(reached):
            raise ValueError(f"{self.name}: weights must lie within {allowed}, not {reached}")
        if not BYTE.holds(IntType(self.fill, self.fill)):
            raise ValueError(f"{self.name}: padding must hold a number of {BYTE}, not {self.fill}")
        if min(self.out_shape) < 1:
            raise ValueError(f"{self.name}: the kernel {self.kernel} must fit {self.shape}")
        per_row = (
            [self.bias] if self.rescale is None else [self.rescale.slopes, self.rescale.offsets]
        )
        for entries in per_row:
            if len(entries) != self.rows:
                raise ValueError(
                    f"{self.name}: what follows the sums must have {self.rows} rows, "
                    f"not {len(entries)}"
                )
        if self.rescale is not None and min(self.rescale.slopes) < 0:
            raise ValueError(f"{self.name}: slopes must not be negative: negate the weights")

    @property
    def depthwise(self) -> bool:
        return self.weights.ndim == 2

    @property
    def joins(self) -> bool:
        """It adds up several tensors."""
        return len(self.takes) > 1

    @property
    def rows(self) -> int:
        return len(self.weights)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @cached_property
    def bytes(self) -> np.ndarray:
        """Weights as they are multiplied: those of joined tensors in digits, the highest first.

        As `weights`; of joined tensors (channels, digits, tensors).
        """
        if not self.joins:
            return self.weights
        low = (self.weights - BYTE.lo) % BYTE.levels + BYTE.lo
        high = (self.weights - low) >> UP
        return np.stack([high, low] if high.any() else [low], axis=1)

    @property
    def digits(self) -> bool:
        """It joins tensors by factors of two digits."""
        return self.joins and self.bytes.shape[1] > 1

    @property
    def out_shape(self) -> tuple[int, int, int]:
        axes = zip(
            self.shape[:2], self.kernel, self.strides, self.dilations, self.pads, strict=True
        )
        height, width = ((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in axes)
        return height, width, self.rows

    @property
    def macs(self) -> int:
        height, width, rows = self.out_shape
        return height * width * rows * self.weights[0].size

    @property
    def uniform(self) -> bool:
        """All weights are the same: a pooling."""
        return self.depthwise and int(self.bytes.min()) == int(self.bytes.max())

    @property
    def _ends(self) -> np.ndarray:
        """Products of each row's weights with the lowest and the highest number."""
        flat = self.weights.reshape(self.rows, -1).astype(np.int64)
        return np.stack([flat * BYTE.lo, flat * BYTE.hi])

    @property
    def sums(self) -> IntType:
        """Of what the sums can be, on the way too; largest numbers are counted from the lowest."""
        if self.largest:
            return IntType(0, BYTE.levels - 1)
        digits = self.bytes if self.joins else self.weights.reshape(self.rows, 1, -1)
        lo = hi = np.zeros(self.rows, np.int64)
        least = most = 0
        for digit in np.moveaxis(digits.astype(np.int64), 1, 0):
            ends = np.stack([digit * BYTE.lo, digit * BYTE.hi])
            below, above = ends.min(axis=0), ends.max(axis=0)
            lo, hi = lo << UP, hi << UP
            least = min(least, int((lo + np.minimum(below, 0).sum(axis=1)).min()))
            most = max(most, int((hi + np.maximum(above, 0).sum(axis=1)).max()))
            lo, hi = lo + below.sum(axis=1), hi + above.sum(axis=1)
        return IntType(least, most)

    @property
    def out(self) -> IntType:
        """Of what comes out."""
        if self.rescale is not None:
            return self.rescale.out
        ends = self._ends
        bias = np.array(self.bias)
        return IntType(
            int((ends.min(axis=0).sum(axis=1) + bias).min()),
            int((ends.max(axis=0).sum(axis=1) + bias).max()),
        )

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        """Exact results of frames (frames, height, width, channels)."""
        if self.joins:
            sums = sum(x * self.weights[:, k] for k, x in enumerate(tensors))
            return self._finish(np.asarray(sums))
        padded = self._padded(np.asarray(tensors[0], np.int64))
        if self.largest:
            assert self.rescale is not None
            return self.rescale.compute(np.max([*self._taps(padded)], axis=0))
        sums = np.zeros((len(padded), *self.out_shape), np.int64)
        for tap, seen in enumerate(self._taps(padded)):
            if self.depthwise:
                sums += seen * self.weights[:, tap]
            else:
                sums += seen @ self.weights[:, tap].T.astype(np.int64)
        return self._finish(sums)

    def _finish(self, sums: np.ndarray) -> np.ndarray:
        if self.rescale is None:
            return sums + np.array(self.bias)
        return self.rescale.compute(sums)

    def _padded(self, x: np.ndarray) -> np.ndarray:
        """With what padding adds, without what negative padding takes away."""
        added = [(max(before, 0), max(after, 0)) for before, after in self.pads]
        padded = np.pad(x, ((0, 0), *added, (0, 0)), constant_values=self.fill)
        cut = [
            slice(max(-before, 0), n + max(before, 0) + after if after < 0 else None)
            for n, (before, after) in zip(self.shape[:2], self.pads, strict=True)
        ]
        return padded[:, cut[0], cut[1]]

    def _taps(self, padded: np.ndarray) -> Iterator[np.ndarray]:
        """What each tap sees of all positions."""
        height, width, _ = self.out_shape
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                y, x = ky * self.dilations[0], kx * self.dilations[1]
                rows = slice(y, y + (height - 1) * self.strides[0] + 1, self.strides[0])
                columns = slice(x, x + (width - 1) * self.strides[1] + 1, self.strides[1])
                yield padded[:, rows, columns]

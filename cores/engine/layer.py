"""One layer of a network that a sequence computes after the others: what it means."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cores.types import IntType

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTE = IntType.bits(8, signed=True)
"""What weights and everything between two layers are."""


@dataclass(frozen=True)
class Rescale:
    """clamp(floor((slopes[r] * x + offsets[r]) / 2**shift), lo..hi) of a sum x of row r.

    Parameters
    ----------
    slopes : tuple of int
        Not negative.
    offsets : tuple of int
    shift : int
    out : IntType
    """

    slopes: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    out: IntType

    def compute(self, sums: np.ndarray) -> np.ndarray:
        scaled = sums * np.array(self.slopes) + np.array(self.offsets)
        return np.clip(scaled >> self.shift, self.out.lo, self.out.hi)


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution over two axes, and what is made of its sums.

    A product with a matrix is a convolution of one position, or with a kernel of the whole image.

    Parameters
    ----------
    name : str
        For messages.
    shape : tuple of int
        Height, width and channels of what comes in, 8-bit numbers in two's complement.
    weights : int array, (rows, taps, channels) or (channels, taps)
        Of all channels, or depthwise: row r of channel r alone. Taps in row-major order over the
        kernel; 8 bits.
    kernel, strides, dilations : tuple of int
        Of height and width.
    pads : tuple of (int, int)
        Elements in front and behind, per axis.
    fill : int
        What padding holds.
    rescale : Rescale or None
        None: the sums themselves come out, plus `bias`.
    bias : tuple of int
        One for each row; with a `rescale` empty, as it is part of its offsets.
    largest : bool
        The largest number under a depthwise kernel of ones takes the place of the sum.

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

    def __post_init__(self):
        taps, channels = self.kernel[0] * self.kernel[1], self.shape[2]
        wanted = (channels, taps) if self.depthwise else (self.rows, taps, channels)
        if self.weights.shape != wanted:
            raise ValueError(
                f"{self.name}: weights must have the shape {wanted}, not {self.weights.shape}"
            )
        if self.largest and (
            self.rescale is None or not (self.depthwise and (self.weights == 1).all())
        ):
            raise ValueError(
                f"{self.name}: the largest number is that of depthwise weights of 1, rescaled"
            )
        reached = IntType(int(self.weights.min()), int(self.weights.max()))
        if not BYTE.holds(reached):
            raise ValueError(f"{self.name}: weights must lie within {BYTE}, not {reached}")
        if not BYTE.holds(IntType(self.fill, self.fill)):
            raise ValueError(f"{self.name}: padding must hold a number of {BYTE}, not {self.fill}")
        if min(self.out_shape) < 1:
            raise ValueError(f"{self.name}: the kernel {self.kernel} does not fit {self.shape}")
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
    def rows(self) -> int:
        return len(self.weights)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

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
        return self.depthwise and int(self.weights.min()) == int(self.weights.max())

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
        ends = self._ends
        return IntType(
            int(np.minimum(ends.min(axis=0), 0).sum(axis=1).min()),
            int(np.maximum(ends.max(axis=0), 0).sum(axis=1).max()),
        )

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

    def compute(self, x: np.ndarray) -> np.ndarray:
        """Exact results of frames (frames, height, width, channels)."""
        (top, bottom), (left, right) = self.pads
        padded = np.pad(
            np.asarray(x, np.int64),
            ((0, 0), (top, bottom), (left, right), (0, 0)),
            constant_values=self.fill,
        )
        if self.largest:
            assert self.rescale is not None
            return self.rescale.compute(np.max([*self._taps(padded)], axis=0))
        sums = np.zeros((len(x), *self.out_shape), np.int64)
        for tap, seen in enumerate(self._taps(padded)):
            if self.depthwise:
                sums += seen * self.weights[:, tap]
            else:
                sums += seen @ self.weights[:, tap].T.astype(np.int64)
        if self.rescale is None:
            return sums + np.array(self.bias)
        return self.rescale.compute(sums)

    def _taps(self, padded: np.ndarray) -> "Iterator[np.ndarray]":
        """What each tap sees of all positions."""
        height, width, _ = self.out_shape
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                y, x = ky * self.dilations[0], kx * self.dilations[1]
                rows = slice(y, y + (height - 1) * self.strides[0] + 1, self.strides[0])
                columns = slice(x, x + (width - 1) * self.strides[1] + 1, self.strides[1])
                yield padded[:, rows, columns]

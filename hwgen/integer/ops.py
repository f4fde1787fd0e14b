"""Ops of the integer graph: exact integers on whole frames, shapes without batch axis, channels
last.

A graph input is described by an `IntTensor`. Every value has a range per channel, computed from the
actual weights; a channel is an index of the last axis, the axes in front of it are spatial.
"""

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import get_args

import numpy as np

from cores.types import IntType


@dataclass(frozen=True, eq=False)
class IntTensor:
    """Shape (without batch axis, channels last) and exact range of each channel.

    Parameters
    ----------
    shape : tuple of int
    lo, hi : int64 array, (channels,)
    """

    shape: tuple[int, ...]
    lo: np.ndarray
    hi: np.ndarray

    @property
    def dtype(self) -> IntType:
        """The union of the channels' ranges."""
        return IntType(int(self.lo.min()), int(self.hi.max()))


@dataclass(frozen=True, eq=False)
class IntMatMul:
    """y[..., r] = sum over c of weights[r, c] * x[..., c] + offset[r].

    Parameters
    ----------
    weights : int64 array, (rows, cols)
    offset : int64 array, (rows,)
    """

    weights: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Step:
    """A piecewise constant function of each element, per channel: the number of starts not above x
    picks the value.

    y[..., c] = values[c, k] with k = number of entries of starts[c] that are <= x[..., c].

    Parameters
    ----------
    starts : int64 array, (channels, count)
        Ascending per channel; a channel with fewer changes ends with repeats of a number above its
        input range.
    values : int64 array, (channels, count + 1)
    """

    starts: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class IntArgMax:
    """Index of the largest key along the channels, the lowest index at ties; one channel results.

    The key of channel c is the pair (x[..., c] + offset[c], rank[c]), compared in that order: an
    exact comparison of x[..., c] + beta[c] for any real beta, with offset = floor(beta) and rank
    the order of beta's fractional parts.

    Parameters
    ----------
    offset, rank : int64 array, (channels,)
    """

    offset: np.ndarray
    rank: np.ndarray


@dataclass(frozen=True, eq=False)
class IntWindow:
    """The elements under each kernel position: (*space, C) -> (*out, K * C).

    Channel k * C + c of the result is channel c under tap k; taps in row-major order over the
    kernel. With a kernel of ones this is padding.

    Parameters
    ----------
    kernel, strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Elements before and after, one pair per spatial axis.
    fill : int64 array, (C,)
        What padding holds.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    fill: np.ndarray

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    def out_space(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """Positions along each axis; not positive where the kernel does not fit."""
        axes = zip(space, self.kernel, self.strides, self.dilations, self.pads, strict=True)
        return tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, d, pad in axes)

    def places(self, space: tuple[int, ...]) -> list[np.ndarray]:
        """Per axis an int array (out, kernel): which element each tap sees; outside 0..n - 1 is
        padding."""
        axes = zip(
            self.out_space(space), self.kernel, self.strides, self.dilations, self.pads, strict=True
        )
        return [
            np.arange(out)[:, np.newaxis] * s + np.arange(k) * d - before
            for out, k, s, d, (before, _) in axes
        ]


@dataclass(frozen=True, eq=False)
class IntDepthwise:
    """y[..., r] = sum over k of weights[r, k] * x[..., k * C + r // m] + offset[r].

    The input is windows (*out, K * C) of C channels; m rows use the same channel.

    Parameters
    ----------
    weights : int64 array, (C * m, K)
    offset : int64 array, (C * m,)
    """

    weights: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class IntReduce:
    """The largest element or the sum over the taps of windows: (*out, taps * C) -> (*out, C).

    Parameters
    ----------
    fn : str
        ``max`` or ``sum``.
    taps : int
    """

    fn: str
    taps: int


@dataclass(frozen=True)
class IntTotal:
    """The sum, or with `fn` ``max`` the largest, over all positions: (*space, C) -> (C,)."""

    fn: str = "sum"


@dataclass(frozen=True)
class IntWeigh:
    """Each element times a number of its position: y[i, j, c] = weights[0][i] * weights[1][j] * x.

    Parameters
    ----------
    weights : tuple of tuple of int
        Positive; one number for each index of each spatial axis.
    """

    weights: tuple[tuple[int, ...], ...]

    @property
    def by_position(self) -> np.ndarray:
        """int64 array, (*space, 1)"""
        axes = [np.array(axis, np.int64) for axis in self.weights]
        return reduce(np.multiply.outer, axes)[..., np.newaxis]


@dataclass(frozen=True, eq=False)
class IntAdd:
    """sum over the inputs i of factors[i, c] * x_i[..., c], plus offset[c].

    Parameters
    ----------
    factors : int64 array, (inputs, C)
    offset : int64 array, (C,)
    """

    factors: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class IntConcat:
    """Streams of the same positions with their channels behind one another."""


@dataclass(frozen=True)
class IntCrop:
    """Elements start, start + step, ... below stop of every axis, channels included."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class IntRepeat:
    """Every element `factors[axis]` times in a row along each spatial axis."""

    factors: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class IntDilate:
    """`factors[axis]` - 1 times `fill` between neighbours along each spatial axis.

    Parameters
    ----------
    factors : tuple of int
    fill : int64 array, (C,)
    """

    factors: tuple[int, ...]
    fill: np.ndarray


@dataclass(frozen=True)
class IntReshape:
    """The same elements in row-major order under another shape; no hardware."""

    shape: tuple[int, ...]


IntOp = (
    IntMatMul
    | Step
    | IntArgMax
    | IntWindow
    | IntDepthwise
    | IntReduce
    | IntTotal
    | IntWeigh
    | IntAdd
    | IntConcat
    | IntCrop
    | IntRepeat
    | IntDilate
    | IntReshape
)
OPS: dict[type, int | None] = {
    kind: None if kind in (IntAdd, IntConcat) else 1 for kind in get_args(IntOp)
}
"""Ops of the integer graph and how many inputs they take, None for any number."""

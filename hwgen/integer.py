"""Ops of the integer graph: exact integers on whole frames, shapes without batch axis, channels
last.

A graph input is described by an `IntTensor`. Every value has a range per channel, computed from
the actual
weights; a channel is an index of the last axis.
"""

from dataclasses import dataclass

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
        Ascending per channel; a channel with fewer changes ends with repeats of one above its
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

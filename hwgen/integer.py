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


def result_type(op: IntMatMul | Step | IntArgMax, x: IntTensor) -> IntTensor:
    """Shape and exact range per channel of what `op` makes of `x`.

    Raises
    ------
    ValueError
        An array of the op does not fit the channels of `x`.
    """
    channels = x.shape[-1]
    match op:
        case IntMatMul(weights, offset):
            _require("weights", weights.shape, (len(offset), channels))
            high, low = np.maximum(weights, 0), np.minimum(weights, 0)
            lo = high @ x.lo + low @ x.hi + offset
            hi = high @ x.hi + low @ x.lo + offset
            return IntTensor((*x.shape[:-1], len(weights)), lo, hi)
        case Step(starts, values):
            _require("starts", starts.shape, (channels, starts.shape[1]))
            _require("values", values.shape, (channels, starts.shape[1] + 1))
            return _step_range(op, x)
        case IntArgMax(offset, rank):
            _require("offset", offset.shape, (channels,))
            _require("rank", rank.shape, (channels,))
            zero = np.zeros(1, np.int64)
            return IntTensor((*x.shape[:-1], 1), zero, zero + channels - 1)


def _require(what: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise ValueError(f"{what} must have the shape {wanted} for this input, not {shape}")


def _step_range(step: Step, x: IntTensor) -> IntTensor:
    lo, hi = np.empty_like(x.lo), np.empty_like(x.hi)
    for c, (starts, values) in enumerate(zip(step.starts, step.values, strict=True)):
        first, last = np.searchsorted(starts, [x.lo[c], x.hi[c]], side="right")
        reached = values[np.searchsorted(starts, _within(starts, x.lo[c], x.hi[c]), side="right")]
        ends = np.append(reached, values[[first, last]])
        lo[c], hi[c] = ends.min(), ends.max()
    return IntTensor(x.shape, lo, hi)


def _within(starts: np.ndarray, lo: int, hi: int) -> np.ndarray:
    return starts[(starts > lo) & (starts <= hi)]

"""Steps of each element, and the choice of the largest channel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cores.argmax import ArgMax
from cores.thresholding import MultiThreshold
from cores.types import StreamType
from hwgen.integer.arguments import check_shape
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True, eq=False)
class IntStep(IntegerOp):
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

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        channels, count = x.shape[-1], self.starts.shape[1]
        check_shape("starts", self.starts.shape, (channels, count))
        check_shape("values", self.values.shape, (channels, count + 1))
        falls = np.flatnonzero((np.diff(self.starts) < 0).any(axis=1))
        if falls.size:
            raise ValueError(f"starts must ascend in each channel, not fall as in {falls[0]}")
        lo, hi = np.empty_like(x.lo), np.empty_like(x.hi)
        for c, (starts, values) in enumerate(zip(self.starts, self.values, strict=True)):
            low, high = x.lo[c], x.hi[c]
            passed = starts[(starts > low) & (starts <= high)]
            seen = np.concatenate([[low], passed, [high]])
            reached = values[np.searchsorted(starts, seen, side="right")]
            lo[c], hi[c] = reached.min(), reached.max()
        return IntTensor(x.shape, lo, hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (elements,) = x
        result = np.empty_like(elements)
        for c in range(elements.shape[-1]):
            places = np.searchsorted(self.starts[c], elements[..., c], side="right")
            result[..., c] = self.values[c][places]
        return result

    def lower(self, types: Sequence[StreamType]) -> MultiThreshold:
        """Rows that are equal stand once."""
        (x,) = types
        starts, values = self.starts, self.values
        if (starts == starts[0]).all() and (values == values[0]).all():
            starts, values = starts[:1], values[:1]
        return MultiThreshold(x.shape, x.dtype, starts, values)


@dataclass(frozen=True, eq=False)
class IntArgMax(IntegerOp):
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

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        *space, channels = x.shape
        check_shape("offset", self.offset.shape, (channels,))
        check_shape("rank", self.rank.shape, (channels,))
        first = np.zeros(1, np.int64)
        return IntTensor((*space, 1), first, first + channels - 1)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (numbers,) = x
        keys = (numbers + self.offset) * (int(self.rank.max()) + 1) + self.rank
        return keys.argmax(axis=-1, keepdims=True).astype(np.int64)

    def lower(self, types: Sequence[StreamType]) -> ArgMax:
        (x,) = types
        return ArgMax(x.shape, x.dtype, offset=self.offset, rank=self.rank)

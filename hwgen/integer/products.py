"""Products with constants: of all channels, of each channel under its window, of positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np

from cores.mvau import MatVec
from cores.types import StreamType
from cores.vvau import DepthwiseVec
from cores.weigh import Weigh
from hwgen.integer.arguments import check_shape, check_taps
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True, eq=False)
class IntMatMul(IntegerOp):
    """y[..., r] = sum over c of weights[r, c] * x[..., c] + offset[r].

    Parameters
    ----------
    weights : int64 array, (rows, cols)
    offset : int64 array, (rows,)
    """

    weights: np.ndarray
    offset: np.ndarray

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        check_shape("weights", self.weights.shape, (len(self.offset), x.shape[-1]))
        high, low = np.maximum(self.weights, 0), np.minimum(self.weights, 0)
        least, most = high @ x.lo + low @ x.hi, high @ x.hi + low @ x.lo
        return IntTensor(
            (*x.shape[:-1], len(self.weights)), least + self.offset, most + self.offset
        )

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (vectors,) = x
        # float64 is exact below 2**53 and many times faster than integer products in numpy.
        largest = float(np.abs(vectors).max(initial=0))
        if float(np.abs(self.weights).sum(axis=1).max()) * largest < 2**53:
            sums = vectors.astype(np.float64) @ self.weights.T.astype(np.float64)
            return sums.astype(np.int64) + self.offset
        return vectors @ self.weights.T + self.offset

    def lower(self, types: Sequence[StreamType]) -> MatVec:
        (x,) = types
        return MatVec(self.weights, x.dtype, offset=self.offset, positions=x.shape[:-1])


@dataclass(frozen=True, eq=False)
class IntDepthwise(IntegerOp):
    """y[..., r] = sum over k of weights[r, k] * x[..., k * C + r // m] + offset[r].

    The input is windows (*out, K * C) of C channels; m rows use the same channel.

    Parameters
    ----------
    weights : int64 array, (C * m, K)
    offset : int64 array, (C * m,)
    """

    weights: np.ndarray
    offset: np.ndarray

    by_channel = True

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        rows, taps = self.weights.shape
        check_shape("offset", self.offset.shape, (rows,))
        check_taps(x.shape[-1], taps)
        lo, hi = x.lo.reshape(taps, -1), x.hi.reshape(taps, -1)
        channels = lo.shape[1]
        if rows % channels:
            raise ValueError(f"rows must be a multiple of the {channels} channels, not {rows}")
        source = np.arange(rows) // (rows // channels)
        high, low = np.maximum(self.weights, 0), np.minimum(self.weights, 0)
        least = (high * lo.T[source] + low * hi.T[source]).sum(axis=1) + self.offset
        most = (high * hi.T[source] + low * lo.T[source]).sum(axis=1) + self.offset
        return IntTensor((*x.shape[:-1], rows), least, most)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (flat,) = x
        rows, taps = self.weights.shape
        windows = flat.reshape(*flat.shape[:-1], taps, -1)
        multiplier = rows // windows.shape[-1]
        result = np.zeros((*flat.shape[:-1], rows), np.int64)
        for k in range(taps):
            result += windows[..., k, :].repeat(multiplier, -1) * self.weights[:, k]
        return result + self.offset

    def lower(self, types: Sequence[StreamType]) -> DepthwiseVec:
        (x,) = types
        channels = x.channels // self.weights.shape[1]
        return DepthwiseVec(
            self.weights, x.dtype, channels, offset=self.offset, positions=x.shape[:-1]
        )


@dataclass(frozen=True)
class IntWeigh(IntegerOp):
    """Each element times a number of its position: y[i, j, c] = weights[0][i] * weights[1][j] * x.

    Parameters
    ----------
    weights : tuple of tuple of int
        Positive; one number for each index of each spatial axis.
    """

    weights: tuple[tuple[int, ...], ...]

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        check_shape("weights", tuple(map(len, self.weights)), x.shape[:-1])
        if any(min(axis) < 1 for axis in self.weights):
            raise ValueError(f"weights must be positive, not {self.weights}")
        least, most = (prod(map(end, self.weights)) for end in (min, max))
        lo, hi = np.minimum(x.lo * least, x.lo * most), np.maximum(x.hi * least, x.hi * most)
        return IntTensor(x.shape, lo, hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (image,) = x
        axes = [np.array(axis, np.int64) for axis in self.weights]
        return image * reduce(np.multiply.outer, axes)[..., np.newaxis]

    def lower(self, types: Sequence[StreamType]) -> Weigh:
        (x,) = types
        return Weigh(x.shape, x.dtype, self.weights)

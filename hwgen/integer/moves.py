"""Elements at other places: parts, repeats, gaps, another shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cores.crop import Crop
from cores.types import StreamType
from cores.upsample import Dilate, Repeat
from hwgen.integer.arguments import check_axes, check_shape
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True)
class IntCrop(IntegerOp):
    """Elements start, start + step, ... below stop of every axis, channels included."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        ranks = {len(field) for field in (self.starts, self.stops, self.steps)}
        if ranks != {len(x.shape)}:
            raise ValueError(
                f"starts, stops and steps must have one entry per axis of {x.shape}, not "
                f"{self.starts}, {self.stops} and {self.steps}"
            )
        axes = zip(self.starts, self.stops, self.steps, x.shape, strict=True)
        if not all(0 <= start < stop <= n and step > 0 for start, stop, step, n in axes):
            raise ValueError(
                f"starts, stops and steps must cut a part out of {x.shape}, not be "
                f"{self.starts}, {self.stops} and {self.steps}"
            )
        kept = [range(*part) for part in zip(self.starts, self.stops, self.steps, strict=True)]
        last = list(kept[-1])
        return IntTensor(tuple(map(len, kept)), x.lo[last], x.hi[last])

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (tensor,) = x
        return tensor[:, *map(slice, self.starts, self.stops, self.steps)]

    def lower(self, types: Sequence[StreamType]) -> Crop:
        (x,) = types
        return Crop(x.shape, x.dtype, self.starts, self.stops, self.steps)


@dataclass(frozen=True)
class IntRepeat(IntegerOp):
    """Every element `factors[axis]` times in a row along each spatial axis."""

    factors: tuple[int, ...]

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        *space, channels = x.shape
        check_axes("factors", self.factors, space)
        longer = (n * factor for n, factor in zip(space, self.factors, strict=True))
        return IntTensor((*longer, channels), x.lo, x.hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (tensor,) = x
        for axis, factor in enumerate(self.factors, 1):
            tensor = tensor.repeat(factor, axis)
        return tensor

    def lower(self, types: Sequence[StreamType]) -> Repeat:
        (x,) = types
        return Repeat(x.shape, x.dtype, self.factors)


@dataclass(frozen=True, eq=False)
class IntDilate(IntegerOp):
    """`factors[axis]` - 1 times `fill` between neighbours along each spatial axis.

    Parameters
    ----------
    factors : tuple of int
    fill : int64 array, (C,)
    """

    factors: tuple[int, ...]
    fill: np.ndarray

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        *space, channels = x.shape
        check_shape("fill", self.fill.shape, (channels,))
        check_axes("factors", self.factors, space)
        longer = [n * f - f + 1 for n, f in zip(space, self.factors, strict=True)]
        if longer == space:  # no gap, no filling
            return x
        lo, hi = np.minimum(x.lo, self.fill), np.maximum(x.hi, self.fill)
        return IntTensor((*longer, channels), lo, hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (tensor,) = x
        space = ((n - 1) * f + 1 for n, f in zip(tensor.shape[1:-1], self.factors, strict=True))
        result = np.broadcast_to(self.fill, (len(tensor), *space, len(self.fill))).copy()
        result[:, *(slice(None, None, factor) for factor in self.factors)] = tensor
        return result

    def lower(self, types: Sequence[StreamType]) -> Dilate:
        (x,) = types
        return Dilate(x.shape, x.dtype, self.factors, fill=self.fill)


@dataclass(frozen=True)
class IntReshape(IntegerOp):
    """The same elements in row-major order under another shape; no hardware."""

    shape: tuple[int, ...]

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        if prod(self.shape) != prod(x.shape):
            raise ValueError(f"shape must have as many elements as {x.shape}, not be {self.shape}")
        lo, hi = (np.broadcast_to(end, x.shape).reshape(-1, self.shape[-1]) for end in (x.lo, x.hi))
        return IntTensor(self.shape, lo.min(axis=0), hi.max(axis=0))

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (tensor,) = x
        return tensor.reshape(len(tensor), *self.shape)

    def lower(self, types: Sequence[StreamType]) -> None:
        return None

"""The largest element or the mean under a kernel or over axes."""

from dataclasses import dataclass

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.pooling import average, largest, mean
from hwgen.analysis.scaled import Defined, Scaled, Tail
from hwgen.numerics import windows
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.windows import Kernel
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True)
class MaxPool(TensorOp):
    """Largest element under each kernel position of x (1, channels, *space); padding never wins.

    Parameters
    ----------
    kernel, strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Before and after, one per spatial axis; smaller than the kernel.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        return _pooled(x, self)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        kernel = Kernel(self.kernel, self.strides, self.dilations, self.pads)
        return windows.max_pool(kernel, *x)

    def analyse(self, at: Context, *x: Defined) -> Scaled | Tail:
        (stream,) = x
        if not isinstance(stream, (Scaled, Tail)):
            raise at.unquantised(stream)
        kernel = Kernel(self.kernel, self.strides, self.dilations, self.pads)
        return largest(at.asm, at.name, kernel, stream)

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray | None:
        """Position by position."""
        return np.moveaxis(index[0], 0, -1) if index.ndim > 2 else None


@dataclass(frozen=True)
class AveragePool(TensorOp):
    """Mean under each kernel position of x (1, channels, *space); padding counts as zeros if
    `include_pad`, else not at all.

    Parameters are those of `MaxPool`.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    include_pad: bool = False

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        return _pooled(x, self)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        kernel = Kernel(self.kernel, self.strides, self.dilations, self.pads)
        return windows.average_pool(kernel, self.include_pad, *x)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        stream = at.integers(*x)
        kernel = Kernel(self.kernel, self.strides, self.dilations, self.pads)
        return average(at.asm, at.name, kernel, stream, include_pad=self.include_pad)

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray | None:
        """Position by position."""
        return np.moveaxis(index[0], 0, -1) if index.ndim > 2 else None


@dataclass(frozen=True)
class Mean(TensorOp):
    """Mean over `axes`, which stay with length 1 if `keepdims`."""

    axes: tuple[int, ...]
    keepdims: bool

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        if not all(-len(x) <= axis < len(x) for axis in self.axes):
            raise ValueError(f"axes must be among the {len(x)} of the input, not {self.axes}")
        over = {axis % len(x) for axis in self.axes}
        lengths = [1 if axis in over else n for axis, n in enumerate(x)]
        return tuple(n for axis, n in enumerate(lengths) if self.keepdims or axis not in over)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        axes = tuple(axis if axis < 0 else axis + 1 for axis in self.axes)
        return windows.mean(axes, self.keepdims, y)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        return mean(at.asm, at.name, self.axes, at.integers(*x), keepdims=self.keepdims)

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray | None:
        """The one axis last that is left beside the batch, as the channels."""
        over = {axis % index.ndim for axis in self.axes}
        kept = [axis for axis in range(1, index.ndim) if axis not in over]
        return np.moveaxis(index[0], kept[0] - 1, -1) if len(kept) == 1 else None


def _pooled(x: Shape, op: MaxPool | AveragePool) -> Shape:
    if len(x) != len(op.kernel) + 2:
        raise ValueError(f"the input must have {len(op.kernel) + 2} axes, not {x}")
    space = [
        (n + sum(pad) - d * (k - 1) - 1) // s + 1
        for n, k, s, d, pad in zip(x[2:], op.kernel, op.strides, op.dilations, op.pads, strict=True)
    ]
    if min(space) < 1:
        raise ValueError(f"the kernel {op.kernel} must fit the padded input, not {x[2:]}")
    return (*x[:2], *space)

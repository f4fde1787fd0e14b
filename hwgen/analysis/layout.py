"""Where each element of a model's tensor lies in the integer graph's natural shape.

Reshape, Transpose, Flatten, Squeeze and Unsqueeze only rearrange these positions, so any mix of
them is exact and costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from hwgen.analysis.coded import Coded
from hwgen.graph.ir import Graph, Value
from hwgen.tensor import ops as tensor

Rearrangement = tensor.Reshape | tensor.Transpose
IMAGES = (tensor.Conv, tensor.MaxPool, tensor.AveragePool)
"""Ops on tensors (1, channels, *space)."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions of a model tensor's elements.

    Parameters
    ----------
    index : int array in the model's shape, batch axis included
        Flat position of each element in the natural shape.
    natural : tuple of int
        Shape of the stream: no batch axis, channels last.
    """

    index: np.ndarray
    natural: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape

    @property
    def channels(self) -> int:
        return self.natural[-1]

    @property
    def channel(self) -> np.ndarray:
        """The channel of each element."""
        return self.index % self.channels

    @classmethod
    def in_order(cls, order: np.ndarray) -> "Layout":
        """Of a tensor of which natural element k is flat element ``order.flat[k]``; flat itself."""
        index = np.empty(order.size, np.int64)
        index[order.reshape(-1)] = np.arange(order.size)
        return cls(index, order.shape)

    def rearrange(self, change: Callable[[np.ndarray], np.ndarray]) -> "Layout":
        return Layout(change(self.index), self.natural)

    def per_channel(self, values: Coded) -> Coded | None:
        """Values that broadcast against the model's shape, one per channel; None if elements of a
        channel differ."""
        codes = np.broadcast_to(values.code, self.shape).reshape(-1)
        channel = self.channel.reshape(-1)
        chosen = np.zeros(self.channels, dtype=np.int64)
        chosen[channel] = codes
        if not np.array_equal(chosen[channel], codes):
            return None
        return Coded(values.palette, chosen).compact()


def rearrangement(op: Rearrangement) -> Callable[[np.ndarray], np.ndarray]:
    """The op as a function of an array."""
    match op:
        case tensor.Reshape(shape):
            return lambda x: x.reshape(shape)
        case tensor.Transpose(perm):
            return lambda x: x.transpose(perm)


def natural_order(graph: Graph, value: Value, shape: tuple[int, ...]) -> np.ndarray:
    """Flat positions of `value`'s elements in the order that its first user of several wants.

    Looks along the users of `value` through everything that keeps the axes, for a matrix product
    (which sums channels), an op on images (channels are axis 1) or a mean over all axes but that of
    the channels. Without one ahead: channels (axis 1) last.

    Parameters
    ----------
    shape : tuple of int
        The model's shape of `value`.

    Returns
    -------
    int array in the natural shape
    """
    ahead = [(value, np.arange(prod(shape)).reshape(shape))]
    seen = {value}
    while ahead:
        at, index = ahead.pop(0)
        for node, position in graph.users(at):
            if isinstance(node.op, IMAGES) and index.ndim > 2:
                return np.moveaxis(index[0], 0, -1)
            if isinstance(node.op, tensor.Mean):
                axes = {axis % index.ndim for axis in node.op.axes}
                kept = [axis for axis in range(1, index.ndim) if axis not in axes]
                if len(kept) == 1:
                    return np.moveaxis(index[0], kept[0] - 1, -1)
            if isinstance(node.op, tensor.MatMul):
                matrix = index if position == 0 or index.ndim < 2 else index.swapaxes(-1, -2)
                return _rows(matrix)
            after = _follow(node.op, index)
            if after is not None and node.out not in seen:
                seen.add(node.out)
                ahead.append((node.out, after))
    index = np.arange(prod(shape)).reshape(shape)
    return _rows(np.moveaxis(index, 1, -1) if index.ndim > 2 else index)


def _follow(op: object, index: np.ndarray) -> np.ndarray | None:
    match op:
        case tensor.Reshape(shape) if prod(shape) == index.size:
            return index.reshape(shape)
        case tensor.Transpose(perm) if len(perm) == index.ndim:
            return index.transpose(perm)
        case tensor.Quant() | tensor.MultiThreshold() | tensor.Unary() | tensor.Binary():
            return index
        case tensor.Pad() | tensor.Slice() | tensor.Repeat() | tensor.Dilate() | tensor.Concat():
            return index  # other lengths along the same axes: their order is what counts
        case _:
            return None


def _rows(index: np.ndarray) -> np.ndarray:
    """Without axes of length 1 in front of the channels."""
    return index.reshape(*(n for n in index.shape[:-1] if n > 1), index.shape[-1])

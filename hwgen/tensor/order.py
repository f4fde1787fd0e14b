"""The order in which a model's tensor comes as a stream: as the ops that use it want it."""

from math import prod

import numpy as np

from hwgen.graph.ir import Graph, Value
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant

IMAGES = (Conv, MaxPool, AveragePool)
"""Ops on tensors (1, channels, *space)."""


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
            if isinstance(node.op, Mean):
                axes = {axis % index.ndim for axis in node.op.axes}
                kept = [axis for axis in range(1, index.ndim) if axis not in axes]
                if len(kept) == 1:
                    return np.moveaxis(index[0], kept[0] - 1, -1)
            if isinstance(node.op, MatMul):
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
        case Reshape(shape) if prod(shape) == index.size:
            return index.reshape(shape)
        case Transpose(perm) if len(perm) == index.ndim:
            return index.transpose(perm)
        case Quant() | MultiThreshold() | Unary() | Binary():
            return index
        case Pad() | Slice() | Repeat() | Dilate() | Concat():
            return index  # other lengths along the same axes: their order is what counts
        case _:
            return None


def _rows(index: np.ndarray) -> np.ndarray:
    """Without axes of length 1 in front of the channels."""
    return index.reshape(*(n for n in index.shape[:-1] if n > 1), index.shape[-1])

"""The order in which a model's tensor comes as a stream: as the ops that use it want it."""

from math import prod

import numpy as np

from hwgen.graph.ir import Graph, Value


def natural_order(graph: Graph, value: Value, shape: tuple[int, ...]) -> np.ndarray:
    """Flat positions of `value`'s elements in the order that its first user of several wants.

    Looks along the users of `value`, breadth first, through everything that `follow` lets through,
    for an op that has a `wanted_order`: a matrix product sums channels, an op on images has them on
    axis 1. Without one ahead: channels (axis 1) last.

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
            wanted = node.op.wanted_order(index, position)
            if wanted is not None:
                return wanted
            after = node.op.follow(index)
            if after is not None and node.out not in seen:
                seen.add(node.out)
                ahead.append((node.out, after))
    index = np.arange(prod(shape)).reshape(shape)
    index = np.moveaxis(index, 1, -1) if index.ndim > 2 else index
    # without axes of length 1 in front of the channels
    return index.reshape(*(n for n in index.shape[:-1] if n > 1), index.shape[-1])

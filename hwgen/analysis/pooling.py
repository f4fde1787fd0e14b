"""Pooling of scaled integers: the largest or the sum of the integers of a window.

The mean is the sum with another scale: it is rounded once, by the quantiser behind it. The largest
element commutes with every function that does not decrease, so that a pooling may stand between an
integer and its quantiser.
"""

from dataclasses import replace
from math import lcm, prod

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.grounded import grounded
from hwgen.analysis.image import Image, as_image, axes_of, image_layout, number_of
from hwgen.analysis.layout import Layout
from hwgen.analysis.scaled import RefusedError, Scaled, Tail
from hwgen.analysis.tree_edge import host_edge
from hwgen.analysis.trees import MIXED, directions, with_sign
from hwgen.analysis.windows import text_of, window
from hwgen.graph.ir import Value
from hwgen.integer.products import IntWeigh
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.problem import Problem
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean


def largest(asm: Assembly, name: str, op: MaxPool, x: Scaled | Tail) -> Scaled | Tail:
    """The largest element under each kernel position.

    Raises
    ------
    RefusedError
    """
    x = grounded(asm, x)
    base = x if isinstance(x, Scaled) else x.base
    channels = x.layout.channels
    way = directions(x.tree, channels)
    if (way == MIXED).any():
        raise RefusedError(
            Problem(
                name,
                "the function in front of it must not both rise and fall",
                f"that of {', '.join(x.names)}",
                "put a quantiser in front of the MaxPool",
            )
        )
    root, sign = asm.settled(name, base.root), np.where(way < 0, -1, 1)
    if (way < 0).any():  # the largest value of a falling function is that of the least integer
        root = asm.signed(root, sign)
    scale = combine(lambda s, k: s * k, base.scale, Coded.of_array(sign, Real.of))
    image = as_image(asm, name, Scaled(root, x.layout, scale, base.bias))
    if op.kernel == image.space and not any(map(any, op.pads)) and {*op.dilations} == {1}:
        pooled, space = asm.add(name, IntTotal("max"), image.x.root), (1,) * len(image.space)
        asm.fates[name] = f"Total of {prod(image.space)} (max)"
    else:
        fill = asm.types[image.x.root].lo
        at = window(asm, name, image, op.kernel, op.strides, op.dilations, op.pads, fill)
        pooled = asm.add(name, IntReduce("max", prod(op.kernel)), at)
        space = asm.types[pooled].shape[:-1]
        asm.fates[name] = f"SlidingWindow {text_of(op.kernel)} + max"
    layout = image_layout(space, image.channels, image.channel)
    layout = Layout(layout.index, asm.types[pooled].shape)
    if isinstance(x, Scaled) and x.inner is None:
        return Scaled(pooled, layout, image.x.scale, image.x.bias, trail=x.trail)
    if image.channels != channels:
        raise RefusedError(
            Problem(
                name,
                "a function that no quantiser follows must keep its channels",
                f"{channels} channels that become {image.channels}",
                "put a quantiser in front of the MaxPool",
            )
        )
    if isinstance(x, Tail):
        tree = with_sign(x.tree, sign) if (sign < 0).any() else x.tree
        one, none = (Coded.uniform(k, (channels,)) for k in (ONE, ZERO))
        base = Scaled(pooled, layout, one, none)
        edge = host_edge(tree, layout, asm.types[pooled])
        return Tail(base, tree, layout, edge, x.names)
    assert x.inner is not None
    tree = with_sign(x.inner.tree, sign) if (sign < 0).any() else x.inner.tree
    return replace(x, root=pooled, layout=layout, inner=replace(x.inner, tree=tree))


def average(asm: Assembly, name: str, op: AveragePool, x: Scaled) -> Scaled:
    """The mean under each kernel position, of integers in the graph.

    Padding that does not count is the integer 0. A sum of m elements is then weighed by w / m, w
    the least common multiple of all m, so that w is what every sum is to be divided by.

    Raises
    ------
    RefusedError
        Padding that counts has no integer.
    """
    image = as_image(asm, name, x)
    padded, fill = any(map(any, op.pads)), np.zeros(image.channels, np.int64)
    if padded and op.include_pad:
        fix = "quantise its input with a zero point that is an integer, or do not pad"
        fill = number_of(name, "padding", image.x, ZERO, fix)
    at = window(asm, name, image, op.kernel, op.strides, op.dilations, op.pads, fill)
    count = prod(op.kernel)
    root = asm.add(name, IntReduce("sum", count), at)
    asm.fates[name] = f"SlidingWindow {text_of(op.kernel)} + sum"
    if padded and not op.include_pad:
        places = IntWindow(op.kernel, op.strides, op.dilations, op.pads, fill).places(image.space)
        axes = zip(places, image.space, strict=True)
        counts = [((at >= 0) & (at < size)).sum(axis=1).tolist() for at, size in axes]
        weights = tuple(tuple(lcm(*axis) // n for n in axis) for axis in counts)
        count = prod(lcm(*axis) for axis in counts)
        if any(w != 1 for axis in weights for w in axis):
            root = asm.add(f"{name}_weigh", IntWeigh(weights), root)
            asm.fates[name] += " + weigh"
    asm.fold(x.trail, f"folded into the scale of {name}")
    scale = image.x.scale.map(lambda s: s / count)
    return image.like(root, asm.types[root].shape[:-1], scale, image.x.bias)


def mean(asm: Assembly, name: str, op: Mean, x: Scaled) -> Scaled:
    """The mean over axes of the model that are all positions of the stream.

    Raises
    ------
    RefusedError
    """
    axes = {axis % len(x.shape) for axis in op.axes}
    along = axes_of(x.layout)
    inner = len(x.layout.natural) - 1
    natural = {inner}
    if along is not None:
        natural = {k for axis in axes if (k := along[axis]) is not None}
    if inner in natural or (0 in axes and x.shape[0] > 1):
        raise RefusedError(
            Problem(
                name,
                "a mean must be over positions of its input",
                f"axes {op.axes} of {x.shape}, which hold its channels",
                "use a mean over the spatial axes",
            )
        )
    space = x.layout.natural[:-1]
    root, count = x.root, prod(space[axis] for axis in natural)
    asm.fold(x.trail, f"folded into the scale of {name}")
    if natural == set(range(inner)) and space:
        root = asm.add(name, IntTotal(), x.root)
        asm.fates[name] = f"Total of {count}"
    elif natural:
        root = _sum_over(asm, name, x, natural)
        asm.fates[name] = f"SlidingWindow + sum of {count}"
    else:
        asm.fates[name] = "vanishes: one element"
    layout = _without(x.layout, axes, natural, asm.types[root].shape, keepdims=op.keepdims)
    scale = x.scale.map(lambda s: s / count)
    return Scaled(root, layout, scale, x.bias)


def _sum_over(asm: Assembly, name: str, x: Scaled, axes: set[int]) -> Value:
    space = x.layout.natural[:-1]
    kernel = tuple(n if axis in axes else 1 for axis, n in enumerate(space))
    ones, channels = (1,) * len(space), x.layout.channels
    image = Image(x, np.arange(channels))
    pads, fill = ((0, 0),) * len(space), np.zeros(channels, np.int64)
    at = window(asm, name, image, kernel, ones, ones, pads, fill)
    return asm.add(name, IntReduce("sum", prod(kernel)), at)


def _without(
    layout: Layout,
    axes: set[int],
    summed: set[int],
    natural: tuple[int, ...],
    *,
    keepdims: bool,
) -> Layout:
    """The layout of the sum over some axes of the model, which are `summed` of the stream."""
    at = np.unravel_index(layout.index, layout.natural)
    kept = [part for axis, part in enumerate(at) if axis not in summed]
    lengths = [n for axis, n in enumerate(layout.natural) if axis not in summed]
    index = np.ravel_multi_index(kept, lengths)
    first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(index.ndim))
    index = index[first]
    return Layout(index if keepdims else index.squeeze(tuple(axes)), natural)

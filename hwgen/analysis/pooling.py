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
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled, Tail
from hwgen.analysis.tree_edge import host_edge
from hwgen.analysis.trees import MIXED, directions, with_sign
from hwgen.analysis.windows import text_of, window
from hwgen.graph.ir import Value
from hwgen.integer.products import IntWeigh
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.windows import Kernel
from hwgen.problem import Problem


def largest(asm: Assembly, name: str, kernel: Kernel, x: Scaled | Tail) -> Scaled | Tail:
    """The largest element under each kernel position.

    Raises
    ------
    ProblemError
        A function in front both rises and falls, or the kernel does not fit.
    """
    x = grounded(asm, x)
    base = x if isinstance(x, Scaled) else x.base
    channels = x.layout.channels
    way = directions(x.tree, channels)
    if (way == MIXED).any():
        raise ProblemError(
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
    whole = kernel.size == image.space and not any(map(any, kernel.pads))
    if whole and {*kernel.dilations} == {1}:
        pooled, space = asm.add(name, IntTotal("max"), image.x.root), (1,) * len(image.space)
        asm.fates[name] = f"Total of {prod(image.space)} (max)"
    else:
        fill = asm.types[image.x.root].lo
        at = window(asm, name, image, kernel, fill)
        pooled = asm.add(name, IntReduce("max", prod(kernel.size)), at)
        space = asm.types[pooled].shape[:-1]
        asm.fates[name] = f"SlidingWindow {text_of(kernel.size)} + max"
    layout = image_layout(space, image.channels, image.channel)
    layout = StreamLayout(layout.index, asm.types[pooled].shape)
    if isinstance(x, Scaled) and x.inner is None:
        return Scaled(pooled, layout, image.x.scale, image.x.bias, trail=x.trail)
    if image.channels != channels:
        raise ProblemError(
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


def average(asm: Assembly, name: str, kernel: Kernel, x: Scaled, *, include_pad: bool) -> Scaled:
    """The mean under each kernel position, of integers in the graph.

    Padding that does not count is the integer 0. A sum of m elements is then weighed by w / m, w
    the least common multiple of all m, so that w is what every sum is to be divided by.

    Raises
    ------
    ProblemError
        Padding that counts has no integer.
    """
    image = as_image(asm, name, x)
    padded, fill = any(map(any, kernel.pads)), np.zeros(image.channels, np.int64)
    if padded and include_pad:
        fix = "quantise its input with a zero point that is an integer, or do not pad"
        fill = number_of(name, "padding", image.x, ZERO, fix)
    at = window(asm, name, image, kernel, fill)
    count = prod(kernel.size)
    root = asm.add(name, IntReduce("sum", count), at)
    asm.fates[name] = f"SlidingWindow {text_of(kernel.size)} + sum"
    if padded and not include_pad:
        shifts = IntWindow(kernel.size, kernel.strides, kernel.dilations, kernel.pads, fill)
        axes = zip(shifts.places(image.space), image.space, strict=True)
        counts = [((at >= 0) & (at < size)).sum(axis=1).tolist() for at, size in axes]
        weights = tuple(tuple(lcm(*axis) // n for n in axis) for axis in counts)
        count = prod(lcm(*axis) for axis in counts)
        if any(w != 1 for axis in weights for w in axis):
            root = asm.add(f"{name}_weigh", IntWeigh(weights), root)
            asm.fates[name] += " + weigh"
    asm.fold(x.trail, f"folded into the scale of {name}")
    scale = image.x.scale.map(lambda s: s / count)
    return image.like(root, asm.types[root].shape[:-1], scale, image.x.bias)


def mean(asm: Assembly, name: str, axes: tuple[int, ...], x: Scaled, *, keepdims: bool) -> Scaled:
    """The mean over axes of the model that are all positions of the stream.

    Raises
    ------
    ProblemError
        One of them holds the channels.
    """
    over = {axis % len(x.shape) for axis in axes}
    along = axes_of(x.layout)
    inner = len(x.layout.natural) - 1
    natural = {inner}
    if along is not None:
        natural = {k for axis in over if (k := along[axis]) is not None}
    if inner in natural or (0 in over and x.shape[0] > 1):
        raise ProblemError(
            Problem(
                name,
                "a mean must be over positions of its input",
                f"axes {axes} of {x.shape}, which hold its channels",
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
    layout = _without(x.layout, over, natural, asm.types[root].shape, keepdims=keepdims)
    scale = x.scale.map(lambda s: s / count)
    return Scaled(root, layout, scale, x.bias)


def _sum_over(asm: Assembly, name: str, x: Scaled, axes: set[int]) -> Value:
    space = x.layout.natural[:-1]
    size = tuple(n if axis in axes else 1 for axis, n in enumerate(space))
    ones, channels = (1,) * len(space), x.layout.channels
    kernel = Kernel(size, ones, ones, ((0, 0),) * len(space))
    at = window(asm, name, Image(x, np.arange(channels)), kernel, np.zeros(channels, np.int64))
    return asm.add(name, IntReduce("sum", prod(size)), at)


def _without(
    layout: StreamLayout,
    axes: set[int],
    summed: set[int],
    natural: tuple[int, ...],
    *,
    keepdims: bool,
) -> StreamLayout:
    """The layout of the sum over some axes of the model, which are `summed` of the stream."""
    at = np.unravel_index(layout.index, layout.natural)
    kept = [part for axis, part in enumerate(at) if axis not in summed]
    lengths = [n for axis, n in enumerate(layout.natural) if axis not in summed]
    index = np.ravel_multi_index(kept, lengths)
    first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(index.ndim))
    index = index[first]
    return StreamLayout(index if keepdims else index.squeeze(tuple(axes)), natural)

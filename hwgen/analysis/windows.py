"""Convolutions of a scaled integer with constant weights: windows, then products."""

from dataclasses import replace
from math import prod

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.image import Image, as_image, image_layout, number_of
from hwgen.analysis.known import Known
from hwgen.analysis.product import Product, dense, off_grid, on_grid
from hwgen.analysis.scaled import ProblemError, Scaled
from hwgen.graph.ir import Value
from hwgen.integer.moves import IntCrop
from hwgen.integer.products import IntDepthwise
from hwgen.integer.windows import IntWindow
from hwgen.numerics.exact import ZERO, Real
from hwgen.numerics.windows import Kernel
from hwgen.problem import Problem


def convolve(
    asm: Assembly, name: str, kernel: Kernel, groups: int, x: Scaled, weights: Known
) -> Scaled:
    """A convolution with the integers of x already in the graph.

    Parameters
    ----------
    weights : Known, (outputs, channels / groups, *kernel)

    Raises
    ------
    ProblemError
        The weights do not fit, have no integer grid, or padding has no integer.
    """
    image = as_image(asm, name, x)
    outputs, per_group, *_ = weights.shape
    channels = image.channels
    fits = channels == per_group * groups and outputs % groups == 0
    if not fits or len(kernel.size) != len(image.space):
        raise ProblemError(
            Problem(
                name,
                f"weights must fit {channels} channels in {groups} groups and "
                f"{len(image.space)} spatial axes",
                f"weights of the shape {weights.shape}",
            )
        )
    image, kernel = _without_pad(asm, name, image, kernel)
    root, what = _windows(asm, name, image, kernel)
    if groups == channels > 1:
        made, where = _depthwise(asm, name, root, image, weights)
        kind = f"DepthwiseVec {made.rows}x{prod(kernel.size)}"
    else:
        matrix = _matrix(weights, groups)
        taps = prod(kernel.size)
        scale, bias = (
            part.rearrange(lambda code: np.tile(code, taps))
            for part in (image.x.scale, image.x.bias)
        )
        channel = (np.arange(taps)[:, np.newaxis] * channels + image.channel).reshape(-1)
        made = dense(asm, name, root, matrix, scale, bias, channel)
        where = np.arange(outputs)
        kind = f"MatVec {outputs}x{taps * channels}"
    asm.fates[name] = what + kind
    asm.fold(x.trail, f"folded into {made.root.node}")
    space = asm.types[made.root].shape[:-1]
    return Scaled(made.root, image_layout(space, made.rows, where), made.scale, made.bias)


def window(
    asm: Assembly,
    name: str,
    image: Image,
    kernel: Kernel,
    fill: np.ndarray,
) -> Value:
    """The stream's windows as a node.

    Raises
    ------
    ProblemError
        The kernel does not fit, or has more than two axes.
    """
    if len(image.space) not in (1, 2):
        raise ProblemError(
            Problem(
                name,
                "its input must have one or two spatial axes",
                f"{len(image.space)} of {image.space}",
            )
        )
    op = IntWindow(kernel.size, kernel.strides, kernel.dilations, kernel.pads, fill)
    if min(op.out_space(image.space)) < 1:
        raise ProblemError(
            Problem(
                name,
                f"its kernel {kernel.size} with dilations {kernel.dilations} must fit the padded "
                "input",
                f"{image.space} with pads {kernel.pads}",
            )
        )
    return asm.add(f"{name}_window", op, image.x.root)


def text_of(kernel: tuple[int, ...]) -> str:
    return "x".join(map(str, kernel))


def _without_pad(asm: Assembly, name: str, image: Image, kernel: Kernel) -> tuple[Image, Kernel]:
    """A Pad by the number that the convolution pads with becomes its padding."""
    known = asm.pads.get(image.x.root)
    if known is None:
        return image, kernel
    zero = combine(lambda s, b: -b / s, image.x.scale, image.x.bias)
    padded = Coded.of_array(known.fill, Real.of)
    if not all(d.same(ZERO) for d in combine(lambda a, b: a - b, zero, padded).palette):
        return image, kernel
    asm.fates[known.name] = f"folded into {name}"
    pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(kernel.pads, known.pads, strict=True))
    inner = image.like(known.source, known.space, image.x.scale, image.x.bias)
    return Image(inner, image.channel), replace(kernel, pads=pads)


def _windows(asm: Assembly, name: str, image: Image, kernel: Kernel) -> tuple[Value, str]:
    """The convolution's windows, and what they are called in front of the product."""
    padded = any(map(any, kernel.pads))
    if set(kernel.size) == {1} and not padded:
        if set(kernel.strides) == {1}:
            return image.x.root, ""
        shape = (*image.space, image.channels)
        crop = IntCrop((0,) * len(shape), shape, (*kernel.strides, 1))
        return asm.add(f"{name}_crop", crop, image.x.root), "Crop + "
    fill = np.zeros(image.channels, np.int64)
    if padded:
        fix = "quantise its input with a zero point that is an integer, or do not pad"
        fill = number_of(name, "padding", image.x, ZERO, fix)
    root = window(asm, name, image, kernel, fill)
    return root, f"SlidingWindow {text_of(kernel.size)} + "


def _matrix(weights: Known, groups: int) -> Coded:
    """Weights (taps * channels, outputs), zero between the groups."""
    reals = weights.reals
    outputs, per_group = weights.shape[:2]
    code = np.moveaxis(reals.code.reshape(outputs, per_group, -1), 0, -1)  # (channels, taps, out)
    whole = np.full((code.shape[1], groups, per_group, groups, outputs // groups), -1, np.int64)
    for group in range(groups):
        part = code.reshape(per_group, -1, groups, outputs // groups)[:, :, group]
        whole[:, group, :, group] = np.moveaxis(part, 1, 0)
    whole[whole < 0] = len(reals.palette)
    return Coded((*reals.palette, ZERO), whole.reshape(-1, outputs)).compact()


def _depthwise(
    asm: Assembly, name: str, root: Value, image: Image, weights: Known
) -> tuple[Product, np.ndarray]:
    """The product per channel, and the stream's channel of each output of the model."""
    outputs, channels = weights.shape[0], image.channels
    per_channel = outputs // channels
    where = (image.channel[:, np.newaxis] * per_channel + np.arange(per_channel)).reshape(-1)
    matrix = weights.reals.rearrange(lambda code: code.reshape(outputs, -1).T)
    found = on_grid(matrix)
    if isinstance(found, int):
        raise off_grid(name, matrix, found)
    numbers, grid = np.empty_like(found[0].T), found[1]
    numbers[where] = found[0].T
    order = np.argsort(where)
    source = np.arange(outputs) // per_channel
    grid = grid.rearrange(lambda code: code[order])
    scale, bias = (
        part.rearrange(lambda code: code[source]) for part in (image.x.scale, image.x.bias)
    )
    sums = Coded.of_array(numbers.sum(axis=1), Real.of)
    op = IntDepthwise(numbers, np.zeros(outputs, np.int64))
    return Product(
        asm.add(name, op, root),
        combine(lambda g, s: g * s, grid, scale),
        combine(lambda g, b, n: g * b * n, grid, bias, sums),
    ), where

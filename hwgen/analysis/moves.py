"""Ops that move elements of a stream: padding, cutting, repeating."""

from collections.abc import Sequence
from math import prod
from typing import TypeVar

import numpy as np

from hwgen.analysis.assembly import Assembly, Padded
from hwgen.analysis.image import Image, axes_of, number_of
from hwgen.analysis.layout import Layout
from hwgen.analysis.scaled import RefusedError, Scaled
from hwgen.analysis.windows import window
from hwgen.graph.ir import Value
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat
from hwgen.numerics.exact import ZERO, Real
from hwgen.problem import Problem
from hwgen.tensor.moves import Dilate, Pad, Repeat, Slice

Move = Pad | Slice | Repeat | Dilate
Part = TypeVar("Part")


def move(asm: Assembly, name: str, op: Move, x: Scaled) -> Scaled:
    """One of `Move` on a stream whose integers are in the graph.

    Raises
    ------
    RefusedError
        The op works along an axis for which the hardware has no form.
    """
    along = axes_of(x.layout)
    if along is None:
        raise RefusedError(
            Problem(
                name,
                "the axes of its input must be those of the stream",
                f"{x.shape} in another order than a {x.layout.natural} stream",
                "remove the Reshape in front",
            )
        )
    scale, bias = x.scale, x.bias
    match op:
        case Pad(pads, value):
            root = _pad(asm, name, x, _by_axis(name, x, along, pads, (0, 0)), value)
            fate = "SlidingWindow that only pads"
            shape = tuple(n + sum(pad) for n, pad in zip(x.shape, pads, strict=True))
        case Slice(starts, stops, steps):
            parts = [
                range(n)[slice(*part)]
                for n, *part in zip(x.shape, starts, stops, steps, strict=True)
            ]
            whole = [range(n) for n in x.layout.natural]
            for axis, part in zip(along, parts, strict=True):
                if axis is not None:
                    whole[axis] = part
            shape = tuple(map(len, parts))
            root, fate = _crop(asm, name, x, whole, shape), "Crop"
            kept = np.array(whole[-1])
            scale, bias = (part.rearrange(lambda code: code[kept]) for part in (scale, bias))
        case Repeat(factors):
            repeat = IntRepeat(_by_axis(name, x, along, factors, 1))
            root, fate = asm.add(name, repeat, x.root), "Repeat"
            shape = tuple(n * f for n, f in zip(x.shape, factors, strict=True))
        case Dilate(factors):
            fix = "quantise its input with a zero point that is an integer"
            fill = number_of(name, "what it puts between", x, ZERO, fix)
            dilate = IntDilate(_by_axis(name, x, along, factors, 1), fill)
            root, fate = asm.add(name, dilate, x.root), "Dilate"
            shape = tuple((n - 1) * f + 1 for n, f in zip(x.shape, factors, strict=True))
    asm.fates[name] = fate if root != x.root else "vanishes: changes nothing"
    layout = _layout(asm.types[root].shape, along, shape)
    return Scaled(root, layout, scale, bias, trail=x.trail)


def _by_axis(
    name: str, x: Scaled, along: list[int | None], parts: Sequence[Part], nothing: Part
) -> tuple[Part, ...]:
    """What is done along each spatial axis of the stream, from what is done along the model's."""
    inner = len(x.layout.natural) - 1
    result = [nothing] * inner
    for model_axis, (axis, part) in enumerate(zip(along, parts, strict=True)):
        if part == nothing:
            continue
        if axis is None or axis == inner:
            raise RefusedError(
                Problem(
                    name,
                    "it must work along the positions of its input",
                    f"axis {model_axis} of {x.shape}, "
                    + ("which has one element" if axis is None else "which holds the channels"),
                    "do it along the spatial axes",
                )
            )
        result[axis] = part
    return tuple(result)


def _pad(
    asm: Assembly, name: str, x: Scaled, pads: tuple[tuple[int, int], ...], value: float
) -> Value:
    if not any(map(any, pads)):
        return x.root
    fix = "pad with a value of the quantiser in front"
    fill = number_of(name, "its value", x, Real.of(value), fix)
    ones = (1,) * len(pads)
    image = Image(x, np.arange(x.layout.channels))
    root = window(asm, name, image, ones, ones, ones, pads, fill)
    asm.pads[root] = Padded(name, x.root, x.layout.natural[:-1], pads, fill)
    return root


def _crop(asm: Assembly, name: str, x: Scaled, kept: list[range], shape: tuple[int, ...]) -> Value:
    if 0 in shape:
        raise RefusedError(Problem(name, "something of its input must be left", "nothing"))
    if all(len(part) == n for part, n in zip(kept, x.layout.natural, strict=True)):
        return x.root
    starts, stops, steps = (
        tuple(getattr(part, end) for part in kept) for end in ("start", "stop", "step")
    )
    return asm.add(name, IntCrop(starts, stops, steps), x.root)


def _layout(natural: tuple[int, ...], along: list[int | None], shape: tuple[int, ...]) -> Layout:
    """Of a stream whose axes are those of the model in another order, some of length 1 left out."""
    order = [axis for axis in along if axis is not None]
    others = [axis for axis in range(len(natural)) if axis not in order]
    index = np.arange(prod(natural)).reshape(natural).transpose(*others, *order)
    return Layout(index.reshape(shape), natural)

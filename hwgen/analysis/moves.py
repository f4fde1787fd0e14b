"""Ops that move elements of a stream: padding, cutting, repeating."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

import numpy as np

from hwgen.analysis.assembly import Assembly, Padded
from hwgen.analysis.image import Image, axes_of, number_of
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled
from hwgen.analysis.windows import window
from hwgen.graph.ir import Value
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat
from hwgen.numerics.exact import ZERO, Real
from hwgen.numerics.windows import Kernel
from hwgen.problem import Problem

Part = TypeVar("Part")


def pad(
    asm: Assembly, name: str, x: Scaled, pads: Sequence[tuple[int, int]], value: float
) -> Scaled:
    """`value` around a stream, (before, after) for every axis of the model.

    Raises
    ------
    ProblemError
        It works along channels, the value has no integer, or the axes are not the stream's.
    """
    along = _along(name, x)
    root = _pad(asm, name, x, _by_axis(name, x, along, pads, (0, 0)), value)
    shape = tuple(n + sum(pair) for n, pair in zip(x.shape, pads, strict=True))
    return _moved(asm, name, x, root, along, shape, "SlidingWindow that only pads")


def cut(asm: Assembly, name: str, x: Scaled, parts: Sequence[slice]) -> Scaled:
    """The elements in a slice of every axis of the model.

    Raises
    ------
    ProblemError
        Nothing is left, or the axes are not the stream's.
    """
    along = _along(name, x)
    kept = [range(n)[part] for n, part in zip(x.shape, parts, strict=True)]
    whole = [range(n) for n in x.layout.natural]
    for axis, part in zip(along, kept, strict=True):
        if axis is not None:
            whole[axis] = part
    shape = tuple(map(len, kept))
    root, left = _crop(asm, name, x, whole, shape), np.array(whole[-1])
    scale, bias = (part.rearrange(lambda code: code[left]) for part in (x.scale, x.bias))
    return _moved(asm, name, replace(x, scale=scale, bias=bias), root, along, shape, "Crop")


def repeat(asm: Assembly, name: str, x: Scaled, factors: Sequence[int]) -> Scaled:
    """Every element factors[axis] times in a row along each axis of the model.

    Raises
    ------
    ProblemError
        It works along channels, or the axes are not the stream's.
    """
    along = _along(name, x)
    root = asm.add(name, IntRepeat(_by_axis(name, x, along, factors, 1)), x.root)
    shape = tuple(n * f for n, f in zip(x.shape, factors, strict=True))
    return _moved(asm, name, x, root, along, shape, "Repeat")


def dilate(asm: Assembly, name: str, x: Scaled, factors: Sequence[int]) -> Scaled:
    """factors[axis] - 1 zeros between neighbours along each axis of the model.

    Raises
    ------
    ProblemError
        It works along channels, zero has no integer, or the axes are not the stream's.
    """
    along = _along(name, x)
    fix = "quantise its input with a zero point that is an integer"
    fill = number_of(name, "what it puts between", x, ZERO, fix)
    root = asm.add(name, IntDilate(_by_axis(name, x, along, factors, 1), fill), x.root)
    shape = tuple((n - 1) * f + 1 for n, f in zip(x.shape, factors, strict=True))
    return _moved(asm, name, x, root, along, shape, "Dilate")


def _along(name: str, x: Scaled) -> list[int | None]:
    """The axis of the stream along which each axis of the model runs."""
    along = axes_of(x.layout)
    if along is None:
        raise ProblemError(
            Problem(
                name,
                "the axes of its input must be those of the stream",
                f"{x.shape} in another order than a {x.layout.natural} stream",
                "remove the Reshape in front",
            )
        )
    return along


def _moved(
    asm: Assembly,
    name: str,
    x: Scaled,
    root: Value,
    along: list[int | None],
    shape: tuple[int, ...],
    fate: str,
) -> Scaled:
    """The moved stream; where `root` is still that of x, nothing was done."""
    asm.fates[name] = fate if root != x.root else "vanishes: changes nothing"
    layout = _layout(asm.types[root].shape, along, shape)
    return Scaled(root, layout, x.scale, x.bias, trail=x.trail)


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
            raise ProblemError(
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
    root = window(asm, name, image, Kernel(ones, ones, ones, pads), fill)
    asm.pads[root] = Padded(name, x.root, x.layout.natural[:-1], pads, fill)
    return root


def _crop(asm: Assembly, name: str, x: Scaled, kept: list[range], shape: tuple[int, ...]) -> Value:
    if 0 in shape:
        raise ProblemError(Problem(name, "something of its input must be left", "nothing"))
    if all(len(part) == n for part, n in zip(kept, x.layout.natural, strict=True)):
        return x.root
    starts, stops, steps = (
        tuple(getattr(part, end) for part in kept) for end in ("start", "stop", "step")
    )
    return asm.add(name, IntCrop(starts, stops, steps), x.root)


def _layout(
    natural: tuple[int, ...], along: list[int | None], shape: tuple[int, ...]
) -> StreamLayout:
    """Of a stream whose axes are those of the model in another order, some of length 1 left out."""
    order = [axis for axis in along if axis is not None]
    others = [axis for axis in range(len(natural)) if axis not in order]
    index = np.arange(prod(natural)).reshape(natural).transpose(*others, *order)
    return StreamLayout(index.reshape(shape), natural)

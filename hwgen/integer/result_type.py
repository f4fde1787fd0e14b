"""Shapes and ranges of the integer graph: what each op makes of the types of its inputs."""

from math import prod
from typing import Any

import numpy as np

from hwgen.integer.ops import (
    IntAdd,
    IntArgMax,
    IntConcat,
    IntCrop,
    IntDepthwise,
    IntDilate,
    IntMatMul,
    IntOp,
    IntReduce,
    IntRepeat,
    IntReshape,
    IntTensor,
    IntTotal,
    IntWeigh,
    IntWindow,
    Step,
)


def result_type(op: IntOp, *inputs: IntTensor) -> IntTensor:
    """Shape and range per channel of what `op` makes of `inputs`.

    The range holds every result, and is exactly what is reached where the elements of the inputs
    can take all values of their ranges independently.

    Raises
    ------
    ValueError
        A field of the op does not fit the shapes of the inputs.
    """
    if isinstance(op, IntAdd):
        return _sum_type(op, inputs)
    if isinstance(op, IntConcat):
        return _concat_type(inputs)
    (x,) = inputs
    channels, space = x.shape[-1], x.shape[:-1]
    match op:
        case IntMatMul(weights, offset):
            _require("weights", weights.shape, (len(offset), channels))
            lo, hi = _product_range(weights, x.lo, x.hi)
            return IntTensor((*space, len(weights)), lo + offset, hi + offset)
        case Step(starts, values):
            _require("starts", starts.shape, (channels, starts.shape[1]))
            _require("values", values.shape, (channels, starts.shape[1] + 1))
            return _step_range(op, x)
        case IntArgMax(offset, rank):
            _require("offset", offset.shape, (channels,))
            _require("rank", rank.shape, (channels,))
            zero = np.zeros(1, np.int64)
            return IntTensor((*space, 1), zero, zero + channels - 1)
        case IntWindow():
            return _window_type(op, x)
        case IntDepthwise():
            return _depthwise_type(op, x)
        case IntReduce(fn, taps):
            _function(fn)
            lo, hi = (_taps(end, taps) for end in (x.lo, x.hi))
            ends = [end.max(axis=0) if fn == "max" else end.sum(axis=0) for end in (lo, hi)]
            return IntTensor((*space, channels // taps), *ends)
        case IntTotal(fn):
            count = prod(space) if _function(fn) == "sum" else 1
            return IntTensor((channels,), x.lo * count, x.hi * count)
        case IntWeigh(weights):
            _require("weights", tuple(map(len, weights)), space)
            if any(min(axis) < 1 for axis in weights):
                raise ValueError(f"weights must be positive, not {weights}")
            least, most = (prod(map(end, weights)) for end in (min, max))
            lo, hi = np.minimum(x.lo * least, x.lo * most), np.maximum(x.hi * least, x.hi * most)
            return IntTensor(x.shape, lo, hi)
        case IntCrop():
            return _crop_type(op, x)
        case IntRepeat(factors):
            return IntTensor(_scaled(space, factors, channels), x.lo, x.hi)
        case IntDilate(factors, fill):
            _require("fill", fill.shape, (channels,))
            shape = tuple(n * f - f + 1 for n, f in zip(space, _axes(factors, space), strict=True))
            if shape == space:
                return x
            return IntTensor((*shape, channels), np.minimum(x.lo, fill), np.maximum(x.hi, fill))
        case IntReshape(shape):
            return _reshape_type(shape, x)


def _require(what: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise ValueError(f"{what} must have the shape {wanted} for this input, not {shape}")


def _function(fn: str) -> str:
    if fn not in ("max", "sum"):
        raise ValueError(f"fn must be max or sum, not {fn}")
    return fn


def _axes(field: tuple[Any, ...], space: tuple[int, ...]) -> tuple[Any, ...]:
    if len(field) != len(space):
        raise ValueError(f"one entry per spatial axis is needed, {len(space)}, not {len(field)}")
    return field


def _product_range(
    weights: np.ndarray, lo: np.ndarray, hi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    high, low = np.maximum(weights, 0), np.minimum(weights, 0)
    return high @ lo + low @ hi, high @ hi + low @ lo


def _step_range(step: Step, x: IntTensor) -> IntTensor:
    lo, hi = np.empty_like(x.lo), np.empty_like(x.hi)
    for c, (starts, values) in enumerate(zip(step.starts, step.values, strict=True)):
        first, last = np.searchsorted(starts, [x.lo[c], x.hi[c]], side="right")
        reached = values[np.searchsorted(starts, _within(starts, x.lo[c], x.hi[c]), side="right")]
        ends = np.append(reached, values[[first, last]])
        lo[c], hi[c] = ends.min(), ends.max()
    return IntTensor(x.shape, lo, hi)


def _within(starts: np.ndarray, lo: int, hi: int) -> np.ndarray:
    return starts[(starts > lo) & (starts <= hi)]


def _window_type(op: IntWindow, x: IntTensor) -> IntTensor:
    space = x.shape[:-1]
    for field in (op.kernel, op.strides, op.dilations, op.pads):
        _axes(field, space)
    _require("fill", op.fill.shape, (x.shape[-1],))
    out = op.out_space(space)
    if min(out) < 1:
        raise ValueError(f"the kernel {op.kernel} must fit the padded input {space}")
    # A tap sees data if it does along every axis, padding if it does along any.
    data, padding = np.ones(op.kernel, bool), np.zeros(op.kernel, bool)
    for axis, (at, length) in enumerate(zip(op.places(space), space, strict=True)):
        inside = (at >= 0) & (at < length)
        shape = [1] * len(space)
        shape[axis] = -1
        data &= inside.any(axis=0).reshape(shape)
        padding |= ~inside.all(axis=0).reshape(shape)
    data, padding = data.reshape(-1, 1), padding.reshape(-1, 1)
    lo = np.where(data, np.where(padding, np.minimum(x.lo, op.fill), x.lo), op.fill)
    hi = np.where(data, np.where(padding, np.maximum(x.hi, op.fill), x.hi), op.fill)
    return IntTensor((*out, lo.size), lo.reshape(-1), hi.reshape(-1))


def _taps(values: np.ndarray, taps: int) -> np.ndarray:
    if len(values) % taps:
        raise ValueError(f"the {len(values)} channels must be a multiple of the {taps} taps")
    return values.reshape(taps, -1)


def _depthwise_type(op: IntDepthwise, x: IntTensor) -> IntTensor:
    rows, taps = op.weights.shape
    _require("offset", op.offset.shape, (rows,))
    lo, hi = (_taps(end, taps) for end in (x.lo, x.hi))
    channels = lo.shape[1]
    if rows % channels:
        raise ValueError(f"the {rows} rows must be a multiple of the {channels} channels")
    source = np.arange(rows) // (rows // channels)
    high, low = np.maximum(op.weights, 0), np.minimum(op.weights, 0)
    least = (high * lo.T[source] + low * hi.T[source]).sum(axis=1) + op.offset
    most = (high * hi.T[source] + low * lo.T[source]).sum(axis=1) + op.offset
    return IntTensor((*x.shape[:-1], rows), least, most)


def _sum_type(op: IntAdd, inputs: tuple[IntTensor, ...]) -> IntTensor:
    shapes = {x.shape for x in inputs}
    if len(shapes) != 1:
        raise ValueError(f"inputs must have one shape, not {', '.join(map(str, sorted(shapes)))}")
    (shape,) = shapes
    _require("factors", op.factors.shape, (len(inputs), shape[-1]))
    _require("offset", op.offset.shape, shape[-1:])
    lo, hi = op.offset.copy(), op.offset.copy()
    for factor, x in zip(op.factors, inputs, strict=True):
        ends = factor * x.lo, factor * x.hi
        lo, hi = lo + np.minimum(*ends), hi + np.maximum(*ends)
    return IntTensor(shape, lo, hi)


def _concat_type(inputs: tuple[IntTensor, ...]) -> IntTensor:
    spaces = {x.shape[:-1] for x in inputs}
    if len(spaces) != 1:
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise ValueError(f"inputs must have the same positions, not the shapes {shapes}")
    lo, hi = (np.concatenate([getattr(x, end) for x in inputs]) for end in ("lo", "hi"))
    return IntTensor((*spaces.pop(), len(lo)), lo, hi)


def _crop_type(op: IntCrop, x: IntTensor) -> IntTensor:
    ranks = {len(field) for field in (op.starts, op.stops, op.steps)}
    if ranks != {len(x.shape)}:
        raise ValueError(f"starts, stops and steps need one entry per axis of {x.shape}")
    axes = zip(op.starts, op.stops, op.steps, x.shape, strict=True)
    if not all(0 <= start < stop <= n and step > 0 for start, stop, step, n in axes):
        raise ValueError(f"starts, stops and steps must cut a part out of {x.shape}")
    kept = [range(*part) for part in zip(op.starts, op.stops, op.steps, strict=True)]
    last = slice(op.starts[-1], op.stops[-1], op.steps[-1])
    return IntTensor(tuple(map(len, kept)), x.lo[last], x.hi[last])


def _scaled(space: tuple[int, ...], factors: tuple[int, ...], channels: int) -> tuple[int, ...]:
    return (*(n * f for n, f in zip(space, _axes(factors, space), strict=True)), channels)


def _reshape_type(shape: tuple[int, ...], x: IntTensor) -> IntTensor:
    if prod(shape) != prod(x.shape):
        raise ValueError(f"{shape} must have as many elements as {x.shape}")
    lo, hi = (np.broadcast_to(end, x.shape).reshape(-1, shape[-1]) for end in (x.lo, x.hi))
    return IntTensor(shape, lo.min(axis=0), hi.max(axis=0))

"""Arithmetic on stored integers, and moves of stored tensors: evaluated while reading, exactly."""

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from hwgen.frontend.call import Call, RefusalError, Shape, Tensor


def resolve_reshape(shape: Shape, wanted: list[int], *, allowzero: bool = False) -> Shape:
    """The shape that Reshape means by 0 (keep) and -1 (the rest).

    Raises
    ------
    RefusalError
        The number of elements would change.
    """
    target = [
        shape[axis] if size == 0 and not allowzero and axis < len(shape) else size
        for axis, size in enumerate(wanted)
    ]
    if target.count(-1) == 1:
        rest = -prod(target)
        target[target.index(-1)] = prod(shape) // rest if rest else 0
    if prod(target) != prod(shape) or min(target, default=1) < 0:
        raise RefusalError(
            f"Reshape must keep the {prod(shape)} elements of shape {shape}",
            f"shape {wanted}",
            "export the model with batch 1",
        )
    return tuple(target)


def normal_axis(axis: int, rank: int, *, end: bool = False) -> int:
    """`axis` counted from the front; `end` also allows `rank` itself."""
    if not -rank <= axis < rank + end:
        raise RefusalError(f"axis must lie in -{rank}..{rank - 1 + end}", str(axis))
    return axis % rank if axis < 0 else axis


def squeezed(shape: Shape, axes: list[int] | None) -> Shape:
    if axes is None:
        return tuple(size for size in shape if size != 1)
    gone = {normal_axis(axis, len(shape)) for axis in axes}
    long = [shape[axis] for axis in sorted(gone) if shape[axis] != 1]
    if long:
        raise RefusalError(
            "Squeeze must remove dimensions of length 1", f"length {long[0]} in {shape}"
        )
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def unsqueezed(shape: Shape, axes: list[int]) -> Shape:
    rank = len(shape) + len(axes)
    new = {normal_axis(axis, rank) for axis in axes}
    if len(new) != len(axes):
        raise RefusalError("Unsqueeze axes must differ", str(axes))
    sizes = iter(shape)
    return tuple(1 if axis in new else next(sizes) for axis in range(rank))


def shape_of(call: Call) -> Tensor:
    """Shape, with `start` and `end` (opset 15)."""
    shape = call.shape(call.any_input(0))
    return _known(call, np.array(shape[call.attr("start", 0) : call.attr("end", None)], np.int64))


def size_of(call: Call) -> Tensor:
    return _known(call, np.array(prod(call.shape(call.any_input(0))), np.int64))


def filled(call: Call) -> Tensor:
    """ConstantOfShape."""
    sizes = [int(n) for n in call.stored(0, "shape")]
    value, _ = call.attr("value", (np.zeros(1, np.float32), "FLOAT"))
    value = value.reshape(-1)[0]
    return _known(call, np.full(sizes, value))


def _known(call: Call, array: np.ndarray) -> Tensor:
    elem = {"f": "FLOAT", "b": "BOOL"}.get(array.dtype.kind, "INT64")
    return Tensor(array.shape, elem, const=array, name=call.label, origin=call.index)


def _gather(x: np.ndarray, index: np.ndarray, attributes: Mapping) -> np.ndarray:
    return np.take(x, index.astype(np.int64), axis=attributes.get("axis", 0))


def _slice(x: np.ndarray, *bounds: np.ndarray | None, attributes: Mapping) -> np.ndarray:
    """Slice; starts, ends and axes are attributes before opset 10."""
    given = bounds or tuple(attributes.get(name) for name in ("starts", "ends", "axes"))
    lists = [None if ends is None else np.reshape(ends, -1).tolist() for ends in given]
    starts, ends, axes, steps = (*lists, None, None)[:4]
    if starts is None or ends is None:
        raise RefusalError("Slice must have starts and ends", "none")
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # an end before the first element, for a negative step, is "to the front"
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integer division of ONNX: towards zero."""
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _reduce(fn: Callable, x: np.ndarray, axes: np.ndarray | None, attributes: Mapping):
    axes = attributes.get("axes") if axes is None else axes.tolist()
    keep = bool(attributes.get("keepdims", 1))
    return fn(x, axis=None if axes is None else tuple(axes), keepdims=keep)


FOLDS: dict[str, Callable[..., np.ndarray]] = {
    "Gather": lambda a, x, i: _gather(x, i, a),
    "Concat": lambda a, *xs: np.concatenate(xs, axis=a["axis"]),
    "Slice": lambda a, x, *b: _slice(x, *b, attributes=a),
    "Expand": lambda a, x, s: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(s))).copy(),
}
"""Moves: exact on stored numbers of any type."""

INTEGER_FOLDS: dict[str, Callable[..., np.ndarray]] = {
    "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y,
    "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: _divide(x, y),
    "Mod": lambda a, x, y: np.fmod(x, y) if a.get("fmod") else np.mod(x, y),
    "Neg": lambda a, x: -x,
    "Abs": lambda a, x: np.abs(x),
    "Min": lambda a, *xs: np.minimum.reduce(np.broadcast_arrays(*xs)),
    "Max": lambda a, *xs: np.maximum.reduce(np.broadcast_arrays(*xs)),
    "Equal": lambda a, x, y: np.equal(x, y),
    "Greater": lambda a, x, y: np.greater(x, y),
    "Less": lambda a, x, y: np.less(x, y),
    "Not": lambda a, x: np.logical_not(x),
    "And": lambda a, x, y: np.logical_and(x, y),
    "Or": lambda a, x, y: np.logical_or(x, y),
    "Where": lambda a, c, x, y: np.where(c, x, y),
    "Range": lambda a, start, end, step: np.arange(start, end, step),
    "ReduceProd": lambda a, x, axes=None: _reduce(np.prod, x, axes, a),
    "ReduceSum": lambda a, x, axes=None: _reduce(np.sum, x, axes, a),
    "ReduceMax": lambda a, x, axes=None: _reduce(np.max, x, axes, a),
    "ReduceMin": lambda a, x, axes=None: _reduce(np.min, x, axes, a),
}
"""Arithmetic of shapes: only on stored integers and truth values."""


def fold(call: Call) -> Tensor | None:
    """The result, where every input is stored and the operator is exact on it; else None."""
    given = [tensor for tensor in call.inputs if tensor is not None]
    if not given or any(tensor.const is None for tensor in given):
        return None
    arrays = [None if tensor is None else tensor.const for tensor in call.inputs]
    whole = all(not tensor.is_float for tensor in given)
    function = FOLDS.get(call.kind) or (INTEGER_FOLDS.get(call.kind) if whole else None)
    if function is None:
        return None
    try:
        with np.errstate(all="raise"):
            result = np.asarray(function(call.attributes, *arrays))
    except (ValueError, IndexError, KeyError, TypeError, ArithmeticError) as error:
        raise RefusalError(f"{call.kind} of stored tensors must be defined", str(error)) from error
    elem = "BOOL" if result.dtype == bool else given[-1].elem if whole else given[0].elem
    return Tensor(result.shape, elem, const=result, name=call.label, origin=call.index)

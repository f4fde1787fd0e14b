"""Operators that move elements without changing them, and the ones that pick the largest."""

from math import prod

import numpy as np

from hwgen.frontend.call import FLOATS, INT_RANGES, Call, RefusalError, Shape, Tensor
from hwgen.frontend.model_file import elem_name
from hwgen.frontend.shapes import normal_axis, resolve_reshape, squeezed, unsqueezed
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.op import TensorOp


def moved(call: Call, op: Reshape | Transpose, shape: Shape) -> Tensor:
    """Input 0 under another shape or order: stored tensors at once, others as a node.

    Integers keep their grid where one scale holds for all elements.
    """
    x = call.any_input(0)
    if x.const is not None:
        array = x.const.transpose(op.perm) if isinstance(op, Transpose) else x.const.reshape(shape)
        name = {"name": call.label, "origin": call.index}
        return Tensor(shape, x.elem, const=array, bounds=x.bounds, **name)
    if x.shape == shape and isinstance(op, Reshape):
        return x
    return on_grid(call, op, x)


def on_grid(call: Call, op: TensorOp, x: Tensor, *, sub: str = "", ordered: bool = False) -> Tensor:
    """A node that makes no new numbers: integers keep their grid where one scale holds for all
    elements (with `ordered`, a positive one)."""
    grid = x.grid if x.grid is not None and x.grid.scale.ndim == 0 else None
    if grid is not None and ordered and grid.scale < 0:
        grid = None
    source = x if grid is None else Tensor(x.shape, x.elem, x.value)
    out = call.emit(op, source, sub=sub)
    return Tensor(out.shape, x.elem, out.value, grid=grid, bounds=x.bounds)


def identity(call: Call) -> Tensor:
    return call.any_input(0)


def dropout(call: Call) -> Tensor:
    if any(call.used[1:]):
        raise RefusalError("Dropout must not give its mask", "a used mask")
    if call.has(2) and call.stored(2, "training mode").any():
        raise RefusalError(
            "Dropout must be in inference mode", "training mode", "export after eval()"
        )
    return call.any_input(0)


def cast(call: Call) -> Tensor:
    """Between floats, and from integers to floats or wider integers: no change in real numbers.
    Stored numbers are converted where that is exact."""
    x, elem = call.any_input(0), elem_name(call.attr("to", 0))
    inner, outer = x.bounds or INT_RANGES.get(x.elem), INT_RANGES.get(elem)
    if x.const is not None and (elem in FLOATS or outer or elem == "BOOL"):
        array = _converted(x.const, elem)
        return Tensor(x.shape, elem, const=array, name=call.label, origin=call.index)
    if elem in FLOATS and x.is_float:
        return Tensor(x.shape, elem, x.value)
    if elem in FLOATS and inner:
        return Tensor(x.shape, elem, call.plain(x).value)
    if inner and outer and outer[0] <= inner[0] and inner[1] <= outer[1]:
        return Tensor(x.shape, elem, x.value, grid=x.grid, bounds=inner, shared=x.shared)
    raise RefusalError(
        "Cast must not change numbers",
        f"{x.elem} to {elem}",
        "put a quantiser there, or Floor or Round before it",
    )


def _converted(array: np.ndarray, elem: str) -> np.ndarray:
    if elem == "BOOL":
        return array != 0
    if elem in FLOATS:
        return array if array.dtype.kind == "f" else array.astype(np.float64)
    lo, hi = INT_RANGES[elem]
    whole = np.trunc(array)
    if not np.isfinite(array).all() or (whole < lo).any() or (whole > hi).any():
        raise RefusalError(f"stored numbers must fit {elem}", f"{array.min()}..{array.max()}")
    return whole.astype(np.int64)


def flatten(call: Call) -> Tensor:
    shape = call.shape(call.any_input(0))
    axis = normal_axis(call.attr("axis", 1), len(shape), end=True)
    new = (prod(shape[:axis]), prod(shape[axis:]))
    return moved(call, Reshape(new), new)


def reshape(call: Call) -> Tensor:
    shape = call.shape(call.any_input(0))
    wanted = call.integers(1, "shape", "shape of Reshape")
    if wanted is None:
        raise RefusalError("Reshape must have a shape", "none")
    new = resolve_reshape(shape, wanted, allowzero=bool(call.attr("allowzero", 0)))
    return moved(call, Reshape(new), new)


def transpose(call: Call) -> Tensor:
    shape = call.shape(call.any_input(0))
    perm = tuple(int(axis) for axis in call.attr("perm", range(len(shape))[::-1]))
    if sorted(perm) != list(range(len(shape))):
        raise RefusalError(f"perm must order the {len(shape)} dimensions of its input", str(perm))
    return moved(call, Transpose(perm), tuple(shape[axis] for axis in perm))


def squeeze(call: Call) -> Tensor:
    shape = call.shape(call.any_input(0))
    new = squeezed(shape, call.integers(1, "axes", "axes"))
    return moved(call, Reshape(new), new)


def unsqueeze(call: Call) -> Tensor:
    axes = call.integers(1, "axes", "axes")
    if axes is None:
        raise RefusalError("Unsqueeze must have axes", "none")
    new = unsqueezed(call.shape(call.any_input(0)), axes)
    return moved(call, Reshape(new), new)


def softmax(call: Call) -> Tensor:
    return softmax_over(call, call.real(), call.opset)


def softmax_over(call: Call, x: Tensor, opset: int) -> Tensor:
    """Before opset 13, all dimensions from `axis` on are one; the default axis is then 1."""
    shape = call.shape(x)
    axis = normal_axis(call.attr("axis", 1 if opset < 13 else -1), len(shape))
    if opset >= 13 or prod(shape[axis + 1 :]) == 1:
        return call.emit(Softmax(axis), x)
    if prod(shape[axis:]) == shape[-1]:
        return call.emit(Softmax(len(shape) - 1), x)
    flat = (prod(shape[:axis]), prod(shape[axis:]))
    y = call.emit(Reshape(flat), x, sub="flat")
    y = call.emit(Softmax(1), y, sub="softmax")
    return call.emit(Reshape(shape), y)


def arg_extreme(call: Call) -> Tensor:
    """ArgMax and ArgMin; ties go to the lowest index."""
    if call.attr("select_last_index", 0):
        raise RefusalError(
            f"{call.kind} must take the first index at ties",
            "select_last_index = 1",
            "export with select_last_index = 0",
        )
    largest = call.kind == "ArgMax"
    keepdims = bool(call.attr("keepdims", 1))
    return _index(call, axis=call.attr("axis", 0), keepdims=keepdims, largest=largest)


def top_k(call: Call) -> tuple[Tensor, ...]:
    """TopK with k = 1 whose index is used."""
    k = call.integers(1, "k", "k")
    if k != [1]:
        raise RefusalError("TopK must have k = 1", f"k = {k and k[0]}", "use ArgMax")
    if call.used[0]:
        raise RefusalError(
            "TopK must give only its index", "its values used", "use the index output"
        )
    largest = bool(call.attr("largest", 1))
    index = _index(call, axis=call.attr("axis", -1), keepdims=True, largest=largest)
    return (index, index)


def _index(call: Call, *, axis: int, keepdims: bool, largest: bool) -> Tensor:
    x = call.any_input(0)
    shape = call.shape(x)
    axis = normal_axis(axis, len(shape))
    out = call.emit(ArgMax(axis, keepdims, largest), x, elem="INT64")
    return Tensor(out.shape, "INT64", out.value, bounds=(0, shape[axis] - 1))

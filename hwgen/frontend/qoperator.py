"""Operators on integers (QOperator form), in the same normal form as QDQ.

Each input stands for the real numbers (n - zero_point) * scale; the float operator works on those,
and a `Quant` follows it, rounding before it adds the zero point.

Source
------
Operator texts of ONNX and of onnxruntime's domain com.microsoft (ContribOperators.md).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from hwgen.frontend import pooling
from hwgen.frontend.call import Call, Grid, RefusalError, Tensor
from hwgen.frontend.convolution import biased, correlated
from hwgen.frontend.linear import product, transposed_if
from hwgen.frontend.parts import require_joinable
from hwgen.frontend.qdq import grid_of, integer_elem, to_integers, to_reals
from hwgen.frontend.shapes import normal_axis
from hwgen.frontend.structure import on_grid, softmax_over
from hwgen.tensor.moves import Concat, Transpose


def qlinear_conv(call: Call) -> Tensor:
    """x, w and y, each with scale and zero point; bias in int32, of scale x_scale * w_scale."""
    channels_last = bool(call.attr("channels_last", 0))
    x, x_grid = _real(call, 0, "x", axis=1)
    w, w_grid = _real(call, 3, "w", axis=0)
    if channels_last:
        x = _moved_channels(call, x, first=True)
    y = correlated(call, x, w)
    if call.has(8):
        y = biased(call, y, _bias(call, 8, x_grid, w_grid))
    if channels_last:
        y = _moved_channels(call, y, first=False)
    return _result(call, y, 6)


def qlinear_matmul(call: Call) -> Tensor:
    a, _ = _real(call, 0, "a", axis=-2)
    b, _ = _real(call, 3, "b", axis=-1)
    y = product(call, a, b)
    return _result(call, y, 6)


def qgemm(call: Call) -> Tensor:
    """alpha * (A' B' + C): C is in int32, of scale a_scale * b_scale; floats without y_scale."""
    b_axis = 0 if call.attr("transB", 0) else 1
    a, a_grid = _real(call, 0, "a", axis=1 if call.attr("transA", 0) else 0)
    b, b_grid = _real(call, 3, "b", axis=b_axis)
    a, b = transposed_if(call, a, "transA", "at"), transposed_if(call, b, "transB", "bt")
    y = product(call, a, b)
    if call.has(6):
        y = call.binary("add", y, _bias(call, 6, a_grid, b_grid), "biased")
    if call.attr("alpha", 1.0) != 1:
        y = call.binary("mul", y, call.number(call.attributes["alpha"], "alpha"), "scaled")
    return _result(call, y, 7) if call.has(7) else y


def _binary(fn: str, call: Call) -> Tensor:
    a, _ = _real(call, 0, "a")
    b, _ = _real(call, 3, "b")
    return _result(call, call.binary(fn, a, b), 6)


def qlinear_concat(call: Call) -> Tensor:
    """The result's scale and zero point come first, then three inputs for each tensor."""
    tensors = [_real(call, index, f"x{index}")[0] for index in range(2, len(call.inputs), 3)]
    shapes = [call.shape(x) for x in tensors]
    axis = normal_axis(call.attr("axis", 1), len(shapes[0]))
    require_joinable(call, shapes, axis)
    y = call.emit(Concat(axis), *tensors) if len(tensors) > 1 else tensors[0]
    return _result(call, y, 0)


def _unary(read: Callable[[Call, Tensor], Tensor], call: Call) -> Tensor:
    """X and Y, each with scale and zero point; `channels_last` of pooling is undone around it."""
    x, _ = _real(call, 0, "x")
    if not call.attr("channels_last", 0):
        return _result(call, read(call, x), 3)
    y = read(call, _moved_channels(call, x, first=True))
    return _result(call, _moved_channels(call, y, first=False), 3)


def _leaky_relu(call: Call, x: Tensor) -> Tensor:
    alpha = call.number(call.attr("alpha", 0.01), "alpha")
    below = call.binary("min", x, call.number(0, "nought"), "below")
    scaled = call.binary("mul", below, alpha, "slope")
    return call.binary("add", call.unary("relu", x, "above"), scaled)


def _mean(call: Call, x: Tensor) -> Tensor:
    axes = call.attributes.get("axes")
    return pooling.averaged_over(call, x, None if axes is None else [int(axis) for axis in axes])


def _softmax(call: Call, x: Tensor) -> Tensor:
    return softmax_over(call, x, int(call.attr("opset", call.opset)))


def conv_integer(call: Call) -> Tensor:
    """Sums of integers less their zero points: no grid, and no rounding."""
    x, w = _centred(call, 0, 2, 1), _centred(call, 1, 3, 0)
    y = correlated(call, x, w, elem="INT32")
    return _wide(call, y, x, w, tuple(range(1, len(call.shape(w)))))


def matmul_integer(call: Call) -> Tensor:
    a, b = _centred(call, 0, 2, -2), _centred(call, 1, 3, -1)
    y = product(call, a, b, elem="INT32")
    return _wide(call, y, a, b, (max(len(call.shape(b)) - 2, 0),))


def _centred(call: Call, index: int, zero_index: int, axis: int) -> Tensor:
    """n - zero_point as numbers of the graph, with the range that they lie in."""
    n = call.any_input(index)
    if n.elem not in ("INT8", "UINT8"):
        raise RefusalError(f"{call.kind} must read 8-bit integers", f"{n.elem} at input {index}")
    zero = np.zeros((), np.int64)
    if call.has(zero_index):
        zero = np.asarray(call.stored(zero_index, "zero point")).astype(np.int64)
    if zero.size == 1:
        zero = zero.reshape(())
    elif zero.ndim == 1:
        column = [1] * len(call.shape(n))
        column[axis] = -1
        zero = zero.reshape(column)
    if n.const is not None:
        array = n.const.astype(np.int64) - zero
        name = {"name": f"{call.label}#{'xw'[index]}", "origin": call.index}
        bounds = (int(array.min(initial=0)), int(array.max(initial=0)))
        return Tensor(array.shape, "INT32", const=array, bounds=bounds, **name)
    lo, hi = n.bounds or {"INT8": (-128, 127), "UINT8": (0, 255)}[n.elem]
    bounds = (lo - int(zero.max()), hi - int(zero.min()))
    sub = "xw"[index]
    if n.grid is not None and np.array_equal(n.grid.zero_point, zero):
        real = Tensor(n.shape, "INT32", n.value)
        scale = call.number(n.grid.scale, f"{sub}scale")
        centred = call.binary("div", real, scale, sub)
    elif zero.any():
        plain = call.plain(n)
        centred = call.binary("sub", plain, call.number(zero, f"{sub}zero"), sub)
    else:
        centred = call.plain(n)
    return Tensor(n.shape, "INT32", centred.value, bounds=bounds)


def _wide(call: Call, y: Tensor, x: Tensor, w: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The sums, shown to lie within int32: there ONNX's arithmetic would wrap."""
    assert x.bounds is not None and w.bounds is not None
    lo, hi = min(x.bounds[0], 0), max(x.bounds[1], 0)
    if w.const is not None:
        least = np.minimum(w.const * lo, w.const * hi).sum(axis=axes)
        most = np.maximum(w.const * lo, w.const * hi).sum(axis=axes)
        bounds = (int(least.min()), int(most.max()))
    else:
        terms = int(np.prod([call.shape(w)[axis] for axis in axes]))
        products = [a * b for a in (lo, hi) for b in (*w.bounds, 0)]
        bounds = (terms * min(products), terms * max(products))
    if bounds[0] < -(2**31) or bounds[1] >= 2**31:
        raise RefusalError(
            f"sums of {call.kind} must fit int32", f"{bounds[0]}..{bounds[1]}", "use fewer terms"
        )
    return Tensor(y.shape, "INT32", y.value, bounds=bounds)


def _real(call: Call, index: int, sub: str, axis: int | None = None) -> tuple[Tensor, Grid]:
    """Input `index`, followed by its scale and zero point, as the real numbers it stands for."""
    n = call.any_input(index)
    grid = grid_of(call, n, index + 1, axis)
    return to_reals(call, n, grid, "FLOAT", sub), grid


def _bias(call: Call, index: int, x: Grid, w: Grid) -> Tensor:
    """Stored int32, of the product of both scales, which float64 holds exactly."""
    call.stored(index, "bias")
    if x.scale.size > 1:
        raise RefusalError(
            f"input 0 of {call.kind} must have one scale where there is a bias", f"{x.scale.size}"
        )
    scale = x.scale.reshape(-1) * w.scale.reshape(-1)
    grid = Grid(scale.reshape(()) if scale.size == 1 else scale, np.zeros(()))
    return to_reals(call, call.any_input(index), grid, "FLOAT", "c")


def _result(call: Call, y: Tensor, index: int) -> Tensor:
    """Integers of the scale and zero point at `index`."""
    return to_integers(call, y, grid_of(call, y, index), integer_elem(call, index + 1), "quant")


def nhwc_max_pool(call: Call) -> Tensor:
    x = _moved_channels(call, call.any_input(0), first=True)
    return _moved_channels(call, pooling.max_pooled(call, x), first=False)


def _moved_channels(call: Call, x: Tensor, *, first: bool) -> Tensor:
    """Channels from the last axis to axis 1, or back."""
    shape = call.shape(x)
    last = len(shape) - 1
    perm = (0, last, *range(1, last)) if first else (0, *range(2, last + 1), 1)
    return on_grid(call, Transpose(perm), x, sub="first" if first else "last")


QOPERATORS: dict[str, Callable[[Call], Tensor]] = {
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
}
"""Standard operators."""

CONTRIBUTED: dict[str, Callable[[Call], Tensor]] = {
    "QLinearConv": qlinear_conv,
    "QGemm": qgemm,
    "QLinearAdd": partial(_binary, "add"),
    "QLinearMul": partial(_binary, "mul"),
    "QLinearConcat": qlinear_concat,
    "QLinearAveragePool": partial(_unary, pooling.averaged),
    "QLinearGlobalAveragePool": partial(_unary, pooling.averaged_globally),
    "QLinearReduceMean": partial(_unary, _mean),
    "QLinearSigmoid": partial(_unary, lambda call, x: call.unary("sigmoid", x)),
    "QLinearLeakyRelu": partial(_unary, _leaky_relu),
    "QLinearSoftmax": partial(_unary, _softmax),
    "NhwcMaxPool": nhwc_max_pool,
}
"""Operators of com.microsoft."""

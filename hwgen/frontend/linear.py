"""Matrix products and BatchNormalization, decomposed exactly."""

from math import prod

import numpy as np

from hwgen.frontend.call import Call, RefusalError, Shape, Tensor, broadcast
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.products import MatMul


def matmul(call: Call) -> Tensor:
    a, b = call.real(0), call.real(1)
    return product(call, a, b)


def gemm(call: Call) -> Tensor:
    """alpha * A' B' + beta * C, each factor a node of its own; the product has the node's name."""
    a = transposed_if(call, call.real(0), "transA", "a")
    b = transposed_if(call, call.real(1), "transB", "b")
    y = product(call, a, b)
    alpha, beta = call.attr("alpha", 1.0), call.attr("beta", 1.0)
    if alpha != 1:
        y = call.binary("mul", y, call.number(alpha, "alpha"), "scaled")
    if not call.has(2) or beta == 0:
        return y
    bias = call.real(2)
    if beta != 1:
        bias = call.binary("mul", bias, call.number(beta, "beta"), "c")
    return call.binary("add", y, bias, "bias")


def transposed_if(call: Call, x: Tensor, attribute: str, sub: str) -> Tensor:
    if x.shape is not None and len(x.shape) != 2:
        raise RefusalError("Gemm must multiply matrices", f"shape {x.shape}")
    if not call.attr(attribute, 0):
        return x
    return call.emit(Transpose((1, 0)), x, sub=sub)


def product(call: Call, a: Tensor, b: Tensor, *, elem: str | None = None) -> Tensor:
    """numpy's matmul, as the node itself.

    Raises
    ------
    RefusalError
        The factors do not fit.
    """
    if a.shape is not None and b.shape is not None:
        rows = a.shape if len(a.shape) > 1 else (1, *a.shape)
        columns = b.shape if len(b.shape) > 1 else (*b.shape, 1)
        if not a.shape or not b.shape or rows[-1] != columns[-2]:
            found = f"shapes {a.shape} and {b.shape}"
            raise RefusalError("factors of a matrix product must fit", found)
        broadcast(rows[:-2], columns[:-2])
    return call.emit(MatMul(), a, b, elem=elem)


def batch_normalization(call: Call) -> Tensor:
    """(x - mean) / sqrt(var + epsilon) * gamma + beta, constants as stored, channels on axis 1."""
    if call.attr("training_mode", 0):
        raise RefusalError(
            "BatchNormalization must be in inference mode",
            "training mode",
            "export the model after eval()",
        )
    if not call.attr("spatial", 1):
        raise RefusalError("BatchNormalization must be spatial", "spatial = 0")
    x = call.real(0)
    shape = call.shape(x)
    if len(shape) < 2:
        raise RefusalError("BatchNormalization must have channels on axis 1", f"shape {shape}")
    columns = tuple(
        column(call, call.real(index), shape, name)
        for index, name in enumerate(("gamma", "beta", "mean", "var"), start=1)
    )
    gamma, beta, mean, var = columns
    epsilon = np.float32(call.attr("epsilon", 1e-5))
    if var.const is not None and not (var.const.astype(np.float64) + float(epsilon) > 0).all():
        worst = float(var.const.min())
        raise RefusalError("variance + epsilon must be positive", f"{worst} + {float(epsilon)}")
    variance = call.binary("add", var, call.number(epsilon, "epsilon"), "variance")
    y = call.binary("sub", x, mean, "centred")
    y = call.binary("div", y, call.unary("sqrt", variance, "deviation"), "normed")
    return call.binary("add", call.binary("mul", y, gamma, "scaled"), beta)


def column(call: Call, x: Tensor, shape: Shape, name: str) -> Tensor:
    """A value per channel with the rank that broadcasts along axis 1."""
    if prod(call.shape(x)) != shape[1]:
        raise RefusalError(
            f"{name} must have one value for each of {shape[1]} channels", f"shape {x.shape}"
        )
    target = (shape[1],) + (1,) * (len(shape) - 2)
    if x.shape == target:
        return x
    if x.const is not None:
        array = x.const.reshape(target)
        return Tensor(target, x.elem, const=array, name=x.name, origin=x.origin)
    return call.emit(Reshape(target), x, sub=name)

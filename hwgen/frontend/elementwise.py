"""Elementwise operators, spelled in the few functions of `hwgen.tensor` (UNARY and BINARY).

Float attributes and defaults are float32 values, as ONNX stores them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import pi

import numpy as np

from hwgen.frontend.call import INT_RANGES, Call, RefusalError, Tensor
from hwgen.frontend.qdq import clip_integers
from hwgen.frontend.quantizers import rounded

LARGEST = float(np.finfo(np.float32).max)


def _unary(fn: str, call: Call) -> Tensor:
    return call.unary(fn, call.real())


def _binary(fn: str, call: Call) -> Tensor:
    a, b = call.any_input(0), call.any_input(1)
    if fn in EXACT and a.elem == b.elem and _known(a) and _known(b):
        bounds = _exact_bounds(fn, _range(a), _range(b))
        least, most = INT_RANGES[a.elem]
        if least <= bounds[0] and bounds[1] <= most:
            return replace(call.binary(fn, a, b), elem=a.elem, bounds=bounds)
    return call.binary(fn, call.real(0), call.real(1))


EXACT = ("add", "sub", "mul")
"""Functions that integers may go through where the result fits their type."""


def _known(x: Tensor) -> bool:
    return x.elem in INT_RANGES and (x.const is not None or x.bounds is not None)


def _range(x: Tensor) -> tuple[int, int]:
    if x.const is not None:
        return int(x.const.min(initial=0)), int(x.const.max(initial=0))
    assert x.bounds is not None
    return x.bounds


def _exact_bounds(fn: str, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    match fn:
        case "add":
            return a[0] + b[0], a[1] + b[1]
        case "sub":
            return a[0] - b[1], a[1] - b[0]
    products = [x * y for x in a for y in b]
    return min(products), max(products)


def _chain(fn: str, call: Call) -> Tensor:
    """Min, Max and Sum of any number of tensors."""
    total = call.real(0)
    for index in range(1, len(call.inputs)):
        sub = "" if index == len(call.inputs) - 1 else str(index)
        total = call.binary(fn, total, call.real(index), sub)
    return total


def _mean(call: Call) -> Tensor:
    total = call.real(0)
    for index in range(1, len(call.inputs)):
        total = call.binary("add", total, call.real(index), f"sum{index}")
    return call.binary("div", total, call.number(len(call.inputs), "count"))


def _relu(call: Call) -> Tensor:
    if call.any_input(0).elem in INT_RANGES:
        return clip_integers(call, 0, None)
    return call.unary("relu", call.real())


def _slope(call: Call, slope: Tensor) -> Tensor:
    """x where x >= 0, else slope * x."""
    x = call.real()
    below = call.binary("min", x, call.number(0, "zero"), "below")
    scaled = call.binary("mul", below, slope, "slope")
    return call.binary("add", call.unary("relu", x, "above"), scaled)


def _leaky_relu(call: Call) -> Tensor:
    return _slope(call, call.number(call.attr("alpha", 0.01), "alpha"))


def _prelu(call: Call) -> Tensor:
    return _slope(call, call.real(1))


def _clip(call: Call) -> Tensor:
    """min(max(x, lo), hi); ends that exclude nothing are left out."""
    x = call.any_input(0)
    if x.elem in INT_RANGES:
        ends = [call.stored(i, "end of Clip") if call.has(i) else None for i in (1, 2)]
        lo, hi = (None if end is None else int(end.reshape(())) for end in ends)
        return clip_integers(call, lo, hi)
    x = call.real(0)
    lo, hi = (_end(call, index) for index in (1, 2))
    if lo is not None:
        x = call.binary("max", x, lo, "" if hi is None else "lo")
    return x if hi is None else call.binary("min", x, hi)


def _end(call: Call, index: int) -> Tensor | None:
    """Lower (1) or upper (2) end: an input, or an attribute before opset 11."""
    attribute, sub = ("min", "low") if index == 1 else ("max", "high")
    if call.has(index):
        end = call.real(index)
    elif attribute in call.attributes:
        end = call.number(call.attributes[attribute], sub)
    else:
        return None
    if end.const is None:
        return end
    value = float(end.const.reshape(()))
    if np.isnan(value):
        raise RefusalError("ends of Clip must be numbers", f"NaN as {attribute}")
    outward = value <= -LARGEST if index == 1 else value >= LARGEST
    return None if outward else end


def _hard_sigmoid(call: Call) -> Tensor:
    """max(0, min(1, alpha * x + beta))"""
    y = call.binary("mul", call.real(), call.number(call.attr("alpha", 0.2), "alpha"), "slope")
    y = call.binary("add", y, call.number(call.attr("beta", 0.5), "beta"), "line")
    y = call.binary("min", y, call.number(1, "one"), "top")
    return call.unary("relu", y)


def _hard_swish(call: Call) -> Tensor:
    """x * max(0, min(1, x / 6 + 1 / 2)), with 6 taken out of the bracket."""
    x, six = call.real(), call.number(6, "six")
    y = call.binary("add", x, call.number(3, "three"), "line")
    y = call.binary("min", call.unary("relu", y, "bottom"), six, "top")
    return call.binary("div", call.binary("mul", x, y, "product"), six)


def _exp_below(call: Call, x: Tensor, inner: Tensor | None = None) -> Tensor:
    """exp(min(x, 0) / inner) - 1"""
    y = call.binary("min", x, call.number(0, "zero"), "below")
    if inner is not None:
        y = call.binary("div", y, inner, "ratio")
    return call.binary("sub", call.unary("exp", y, "exp"), call.number(1, "one"), "expm1")


def _elu(call: Call) -> Tensor:
    x, alpha = call.real(), call.number(call.attr("alpha", 1.0), "alpha")
    below = call.binary("mul", _exp_below(call, x), alpha, "scaled")
    return call.binary("add", call.unary("relu", x, "above"), below)


def _celu(call: Call) -> Tensor:
    x, alpha = call.real(), call.number(call.attr("alpha", 1.0), "alpha")
    below = call.binary("mul", _exp_below(call, x, alpha), alpha, "scaled")
    return call.binary("add", call.unary("relu", x, "above"), below)


def _selu(call: Call) -> Tensor:
    x, alpha = call.real(), call.number(call.attr("alpha", 1.67326319217681884765625), "alpha")
    gamma = call.number(call.attr("gamma", 1.05070102214813232421875), "gamma")
    below = call.binary("mul", _exp_below(call, x), alpha, "scaled")
    return call.binary(
        "mul", call.binary("add", call.unary("relu", x, "above"), below, "elu"), gamma
    )


def _thresholded_relu(call: Call) -> Tensor:
    """x where x > alpha, else 0."""
    x, alpha = call.real(), call.number(call.attr("alpha", 1.0), "alpha")
    side = call.unary("sign", call.binary("sub", x, alpha, "above"), "side")
    return call.binary("mul", x, call.unary("relu", side, "gate"))


def _softsign(call: Call) -> Tensor:
    x = call.real()
    size = call.binary("add", call.unary("abs", x, "abs"), call.number(1, "one"), "size")
    return call.binary("div", x, size)


def _swish(call: Call) -> Tensor:
    x = call.real()
    y = call.binary("mul", x, call.number(call.attr("alpha", 1.0), "alpha"), "scaled")
    return call.binary("mul", x, call.unary("sigmoid", y, "gate"))


def _mish(call: Call) -> Tensor:
    x = call.real()
    return call.binary("mul", x, call.unary("tanh", call.unary("softplus", x, "plus"), "gate"))


def _gelu(call: Call) -> Tensor:
    """x / 2 * (1 + erf(x / sqrt(2))), or the tanh form with sqrt(2 / pi)."""
    x, one = call.real(), call.number(1, "one")
    if call.attr("approximate", "none") == "tanh":
        cube = call.binary("pow", x, call.number(3, "three"), "cube")
        cube = call.binary("mul", cube, call.number(np.float64(0.044715), "coefficient"), "term")
        root = call.unary("sqrt", call.number(np.array(2 / pi), "two_over_pi"), "root")
        y = call.binary("mul", call.binary("add", x, cube, "sum"), root, "inner")
        y = call.unary("tanh", y, "tanh")
    else:
        root = call.unary("sqrt", call.number(2, "two"), "root")
        y = call.unary("erf", call.binary("div", x, root, "ratio"), "erf")
    half = call.binary("mul", x, call.number(0.5, "half"), "halved")
    return call.binary("mul", half, call.binary("add", y, one, "gate"))


ELEMENTWISE: dict[str, Callable[[Call], Tensor]] = {
    **{
        kind: partial(_unary, fn)
        for kind, fn in {
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "Sqrt": "sqrt",
            "Exp": "exp",
            "Log": "log",
            "Abs": "abs",
            "Neg": "neg",
            "Sign": "sign",
            "Erf": "erf",
            "Reciprocal": "reciprocal",
            "Softplus": "softplus",
        }.items()
    },
    **{kind: partial(_binary, kind.lower()) for kind in ("Add", "Sub", "Mul", "Div", "Pow")},
    **{kind: partial(_chain, fn) for kind, fn in (("Min", "min"), ("Max", "max"), ("Sum", "add"))},
    "Mean": _mean,
    "Relu": _relu,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "ThresholdedRelu": _thresholded_relu,
    "Softsign": _softsign,
    "Swish": _swish,
    "Mish": _mish,
    "Gelu": _gelu,
    "Round": lambda call: rounded(call, "HALF_EVEN"),
    "Floor": lambda call: rounded(call, "FLOOR"),
    "Ceil": lambda call: rounded(call, "CEIL"),
}

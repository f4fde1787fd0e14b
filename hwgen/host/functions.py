"""Elementwise functions of host edges on pairs of float64.

Sums, products, quotients and comparisons keep both parts; everything else is float64.
"""

from collections.abc import Callable
from math import erf

import numpy as np

from hwgen.host.pair import Pair


def _plain(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Pair], Pair]:
    return lambda x: Pair.of(function(x.hi))


def _abs(x: Pair) -> Pair:
    return x.where(x.hi >= 0, -x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _larger(a: Pair, b: Pair) -> Pair:
    return b.where(a.less(b), a)


def _smaller(a: Pair, b: Pair) -> Pair:
    return a.where(a.less(b), b)


def _power(a: Pair, b: Pair) -> Pair:
    if np.all(b.hi == 2):
        return a * a
    return Pair.of(np.power(a.hi, b.hi))


UNARY: dict[str, Callable[[Pair], Pair]] = {
    "relu": lambda x: x.where(x.hi > 0, Pair.of(np.zeros_like(x.hi))),
    "sigmoid": _plain(_sigmoid),
    "tanh": _plain(np.tanh),
    "sqrt": _plain(np.sqrt),
    "exp": _plain(np.exp),
    "log": _plain(np.log),
    "abs": _abs,
    "neg": lambda x: -x,
    "sign": _plain(np.sign),
    "erf": _plain(lambda x: np.vectorize(erf, otypes=[np.float64])(x)),
    "reciprocal": lambda x: Pair.of(np.ones_like(x.hi)) / x,
    "softplus": _plain(_softplus),
}
BINARY: dict[str, Callable[[Pair, Pair], Pair]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": _power,
    "min": _smaller,
    "max": _larger,
}

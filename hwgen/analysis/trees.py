"""Expressions of one integer: which way they go, and with another variable or other parameters."""

from collections.abc import Callable

import numpy as np

from hwgen.numerics.exact import Real
from hwgen.numerics.tail import (
    Apply,
    Const,
    Expr,
    Parameter,
    Quantise,
    StepCount,
    Var,
    arguments,
    entries,
)

MIXED = 2
"""The direction of a function that may both rise and fall."""
RISING = ("relu", "sigmoid", "tanh", "sqrt", "exp", "log", "sign", "erf", "softplus")


def decides(tree: Expr) -> bool:
    """Whether a quantiser stands in the expression: then it has few pieces."""
    return isinstance(tree, (Quantise, StepCount)) or any(decides(arg) for arg in arguments(tree))


def directions(tree: Expr, channels: int) -> np.ndarray:
    """Per channel 1 if the function never falls, -1 if it never rises, 0 if it is constant, else
    `MIXED`: what follows from the functions that it is made of."""
    match tree:
        case Var():
            return np.ones(channels, np.int64)
        case Const():
            return np.zeros(channels, np.int64)
        case Quantise(arg):
            return directions(arg, channels)
        case StepCount(arg):
            return _times(directions(arg, channels), _signs(tree.out_scale, channels))
        case Apply(fn, args):
            found = [directions(arg, channels) for arg in args]
            match fn:
                case "neg":
                    return _times(found[0], -np.ones(channels, np.int64))
                case "add" | "min" | "max":
                    return _both(*found)
                case "sub":
                    return _both(found[0], _times(found[1], -np.ones(channels, np.int64)))
                case "mul" | "div" if isinstance(args[1], Const):
                    return _times(found[0], _signs(args[1].value, channels))
                case "mul" if isinstance(args[0], Const):
                    return _times(found[1], _signs(args[0].value, channels))
                case _ if fn in RISING:
                    return found[0]
            known = np.logical_and.reduce([way == 0 for way in found])
            return np.where(known, 0, MIXED)


def _signs(parameter: Parameter, channels: int) -> np.ndarray:
    signs = np.array([value.sign() for value in entries(parameter)], np.int64)
    return np.broadcast_to(signs, (channels,))


def _times(way: np.ndarray, sign: np.ndarray) -> np.ndarray:
    return np.where(sign == 0, 0, np.where(way == MIXED, MIXED, way * sign))


def _both(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a == 0, b, np.where((b == 0) | (a == b), a, MIXED))


def substitute(tree: Expr, old: Expr | type[Var], new: Expr) -> Expr:
    """The tree with `new` in the place of the node `old` itself, or of every variable."""
    if tree is old or (old is Var and isinstance(tree, Var)):
        return new
    match tree:
        case Apply(fn, args):
            return Apply(fn, tuple(substitute(arg, old, new) for arg in args))
        case Quantise():
            return Quantise(
                substitute(tree.arg, old, new),
                tree.scale,
                tree.zero_point,
                tree.lo,
                tree.hi,
                tree.rounding,
                tree.round_first,
            )
        case StepCount():
            arg = substitute(tree.arg, old, new)
            return StepCount(arg, tree.thresholds, tree.out_scale, tree.out_bias)
    return tree


def with_sign(tree: Expr, sign: np.ndarray) -> Expr:
    """The tree as a function of another integer, sign[c] times this one."""
    factors = np.empty(len(sign), object)
    factors[:] = [Real.of(int(s)) for s in sign]
    return substitute(tree, Var, Apply("mul", (Var(), Const(factors))))


def map_parameters(tree: Expr, change: Callable[[np.ndarray], np.ndarray]) -> Expr:
    """The tree with `change` applied to every array that holds one entry per channel."""

    def moved(parameter: Parameter) -> Parameter:
        return change(parameter) if isinstance(parameter, np.ndarray) else parameter

    match tree:
        case Var():
            return tree
        case Const(value):
            return Const(moved(value))
        case Apply(fn, args):
            return Apply(fn, tuple(map_parameters(arg, change) for arg in args))
        case Quantise():
            return Quantise(
                map_parameters(tree.arg, change),
                moved(tree.scale),
                moved(tree.zero_point),
                tree.lo,
                tree.hi,
                tree.rounding,
                tree.round_first,
            )
        case StepCount():
            rows = change(tree.thresholds) if len(tree.thresholds) > 1 else tree.thresholds
            arg = map_parameters(tree.arg, change)
            return StepCount(arg, rows, moved(tree.out_scale), moved(tree.out_bias))

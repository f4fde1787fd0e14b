"""Elementwise functions of one integer: what stands between an integer edge and the next quantiser.

A tail is an expression over the integer n of one channel. Parameters are numbers or, where they
differ per channel, object arrays of Real of shape (channels,). The variable may occur several
times, as in x * sigmoid(x). `evaluate` is the meaning; `hwgen.numerics.change_points` finds the
pieces on which a tail that ends in a quantiser is constant.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgen.numerics.exact import ROUNDINGS, Real
from hwgen.numerics.functions import BINARY, UNARY, apply, quantise

Parameter = Real | np.ndarray
"""A Real, or an object array of Real with one entry per channel."""


@dataclass(frozen=True)
class Var:
    """The integer n itself."""


@dataclass(frozen=True, eq=False)
class Const:
    value: Parameter


@dataclass(frozen=True, eq=False)
class Apply:
    """A function of `hwgen.numerics.functions`: of `UNARY` (one argument) or `BINARY` (two)."""

    fn: str
    args: tuple["Expr", ...]

    def __post_init__(self):
        arity = (self.fn in UNARY) + 2 * (self.fn in BINARY)
        if not arity:
            raise ValueError(f"fn must be one of {', '.join(UNARY + BINARY)}, not {self.fn!r}")
        if len(self.args) != arity:
            raise ValueError(f"{self.fn} must have {arity} arguments, not {len(self.args)}")


@dataclass(frozen=True, eq=False)
class Quantise:
    """The real number (n - zero_point) * scale after a `hwgen.tensor.quantisers.Quant` of `arg`.

    Raises
    ------
    ValueError
        Unknown rounding, a scale of zero, or a zero point that is not an integer with
        `round_first`.
    """

    arg: "Expr"
    scale: Parameter
    zero_point: Parameter
    lo: int | None
    hi: int | None
    rounding: str = "HALF_EVEN"
    round_first: bool = False

    def __post_init__(self):
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"rounding must be one of {', '.join(ROUNDINGS)}, not {self.rounding}")
        if any(scale == 0 for scale in entries(self.scale)):
            raise ValueError("the scale of a quantiser must not be zero")
        for z in entries(self.zero_point):
            if self.round_first and not (z.q is not None and z.q.q == 1):
                raise ValueError(f"zero_point must be an integer with round_first, not {z!r}")


@dataclass(frozen=True, eq=False)
class StepCount:
    """out_scale * (number of thresholds t with arg >= t) + out_bias.

    Parameters
    ----------
    thresholds : object array of Real, (channels or 1, count)
    """

    arg: "Expr"
    thresholds: np.ndarray
    out_scale: Parameter
    out_bias: Parameter


Expr = Var | Const | Apply | Quantise | StepCount


def reals(values: Any) -> np.ndarray:
    """An object array of Real of the same shape, each number as stored."""
    values = np.asarray(values)
    result = np.empty(values.shape, dtype=object)
    result.reshape(-1)[:] = [Real.of(value) for value in values.reshape(-1).tolist()]
    return result


def entries(parameter: Parameter) -> list[Real]:
    """All values of a parameter."""
    return [parameter] if isinstance(parameter, Real) else list(parameter)


def at(parameter: Parameter, channel: int) -> Real:
    """The value of a parameter for one channel."""
    return parameter if isinstance(parameter, Real) else parameter[channel]


def arguments(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that `expr` is directly made of."""
    if isinstance(expr, Apply):
        return expr.args
    return (expr.arg,) if isinstance(expr, (Quantise, StepCount)) else ()


def evaluate(expr: Expr, n: int, channel: int = 0) -> Real:
    """The value for the integer n in one channel, exactly.

    Raises
    ------
    hwgen.numerics.exact.DomainError, hwgen.numerics.exact.UndecidedError
    """
    if isinstance(expr, Var):
        return Real.of(n)
    if isinstance(expr, Const):
        return at(expr.value, channel)
    args = [evaluate(arg, n, channel) for arg in arguments(expr)]
    if isinstance(expr, Apply):
        return apply(expr.fn, *args)
    return decided(expr, decision(expr, args[0], channel), channel)


def decision(expr: Quantise | StepCount, x: Real, channel: int) -> int:
    """The integer that a quantiser gives, or the number of thresholds reached, at the value x."""
    if isinstance(expr, Quantise):
        return quantise(
            x,
            scale=at(expr.scale, channel),
            zero_point=at(expr.zero_point, channel),
            lo=expr.lo,
            hi=expr.hi,
            rounding=expr.rounding,
            round_first=expr.round_first,
        )
    return sum(x >= t for t in expr.thresholds[channel if len(expr.thresholds) > 1 else 0])


def decided(expr: Quantise | StepCount, n: int, channel: int) -> Real:
    """The real number that stands for the integer of `decision`."""
    if isinstance(expr, Quantise):
        return (Real.of(n) - at(expr.zero_point, channel)) * at(expr.scale, channel)
    return Real.of(n) * at(expr.out_scale, channel) + at(expr.out_bias, channel)

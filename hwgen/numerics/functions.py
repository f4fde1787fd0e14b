"""The elementwise functions of the tensor graph on exact numbers.

A rational result is found where the argument gives one: exp(0), log(1), tanh(0), erf(0),
sigmoid(0), rational powers of the kinds below. Everything else becomes a term.
"""

from collections.abc import Iterable
from typing import Any

from hwgen.numerics.exact import HALF, ONE, ZERO, DomainError, Real, term

UNARY = (
    "relu",
    "sigmoid",
    "tanh",
    "sqrt",
    "exp",
    "log",
    "abs",
    "neg",
    "sign",
    "erf",
    "reciprocal",
    "softplus",
)
BINARY = ("add", "sub", "mul", "div", "pow", "min", "max")
LARGEST_PRODUCT = 64
"""Powers up to this exponent (halves included) are products; others exp(exponent * log(base))."""


def apply(fn: str, *args: Real) -> Real:
    """One of `UNARY` or `BINARY`; the sign of 0 is 0.

    Raises
    ------
    DomainError
        Division by zero, sqrt, log or power outside its domain.
    UndecidedError
        A case distinction (sign, relu, min, ...) that cannot be decided.
    """
    return _FUNCTIONS[fn](*args)


def total(numbers: Iterable[Real]) -> Real:
    """The sum of many numbers, in a term that is one level deep."""
    known, terms = ZERO, []
    for x in numbers:
        if x.term is None:
            known = known + x
        else:
            terms.append(x)
    return term("sum", known, *terms) if terms else known


def quantise(
    x: Real,
    *,
    scale: Real,
    zero_point: Real,
    lo: int | None,
    hi: int | None,
    rounding: str,
    round_first: bool,
) -> int:
    """The integer n of a `hwgen.tensor.quantisers.Quant` for the number x."""
    if round_first:
        n = (x / scale).round(rounding) + zero_point.round("FLOOR")
    else:
        n = (x / scale + zero_point).round(rounding)
    n = n if lo is None else max(n, lo)
    return n if hi is None else min(n, hi)


def power(base: Real, exponent: Real) -> Real:
    """base ** exponent: real for a base >= 0, and for any base with an integer exponent.

    Raises
    ------
    DomainError
        Zero to a negative exponent, or a base below zero to one that is no integer.
    """
    q = exponent.q
    if q is not None and q.q <= 2 and abs(q) <= LARGEST_PRODUCT:
        factor = base if q.q == 1 else base.sqrt()
        product = ONE
        for _ in range(abs(int(q.p))):
            product = product * factor
        return product if q >= 0 else product.reciprocal()
    if base.sign() == 0 and exponent.sign() > 0:
        return ZERO
    if base.sign() <= 0:
        raise DomainError(f"{base!r} to the power of {exponent!r}")
    return apply("exp", apply("log", base) * exponent)


def _log(x: Real) -> Real:
    if x.sign() <= 0:
        raise DomainError(f"log of {x!r}, which is not positive")
    return ZERO if x.q == 1 else term("log", x)


_FUNCTIONS: dict[str, Any] = {
    "relu": lambda x: x if x.sign() > 0 else ZERO,
    "sigmoid": lambda x: HALF if x.q == 0 else term("sigmoid", x),
    "tanh": lambda x: ZERO if x.q == 0 else term("tanh", x),
    "sqrt": Real.sqrt,
    "exp": lambda x: ONE if x.q == 0 else term("exp", x),
    "log": _log,
    "abs": abs,
    "neg": lambda x: -x,
    "sign": lambda x: Real.of(x.sign()),
    "erf": lambda x: ZERO if x.q == 0 else term("erf", x),
    "reciprocal": Real.reciprocal,
    "softplus": lambda x: term("softplus", x),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": power,
    "min": lambda x, y: x if x <= y else y,
    "max": lambda x, y: x if x >= y else y,
}

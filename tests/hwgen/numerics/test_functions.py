"""Elementwise functions on exact numbers."""

import math
from fractions import Fraction

import pytest

from hwgen.numerics.exact import HALF, ONE, ZERO, DomainError, Real
from hwgen.numerics.functions import BINARY, UNARY, apply, quantise, total

R = Real.of
FLOATS = {
    "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "neg": lambda x: -x,
    "abs": abs,
    "sign": lambda x: math.copysign(1, x),
    "reciprocal": lambda x: 1 / x,
    "softplus": lambda x: math.log1p(math.exp(x)),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "min": min,
    "max": max,
}


@pytest.mark.parametrize("fn", UNARY + BINARY)
def test_each_function_is_near_its_float(fn):
    """A mix-up of two functions shows; the exact cases are below."""
    for x, y in ((0.75, 1.5), (2.25, -0.5), (0.1, 3.0)):
        arguments = (x, y)[: 2 if fn in BINARY else 1]
        found = float(apply(fn, *map(R, arguments)))
        assert found == pytest.approx(
            FLOATS.get(fn, getattr(math, fn, None))(*arguments), rel=1e-14
        )


def test_rational_results_stay_rational():
    values = {"exp": 1, "tanh": 0, "erf": 0, "sigmoid": Fraction(1, 2), "sqrt": 0, "sign": 0}
    for fn, value in values.items():
        assert apply(fn, ZERO).fraction == value
    assert apply("log", ONE).fraction == 0


@pytest.mark.parametrize(
    ("base", "exponent", "value"),
    [
        (Fraction(2, 3), 3, Fraction(8, 27)),
        (-2, 5, -32),
        (-2, -2, Fraction(1, 4)),
        (Fraction(9, 4), 0.5, Fraction(3, 2)),
        (4, -1.5, Fraction(1, 8)),
        (0, 0, 1),
        (0, 0.3, 0),
        (7, 0, 1),
    ],
)
def test_rational_powers(base, exponent, value):
    assert apply("pow", R(base), R(exponent)).fraction == value


def test_square_of_a_root_is_rational():
    assert apply("pow", R(2).sqrt() * 3, R(2)).fraction == 18


@pytest.mark.parametrize(
    ("fn", "args", "message"),
    [
        ("log", (0,), "^log of 0, which is not positive$"),
        ("pow", (-2, 0.3), r"^-2 to the power of \S+$"),
        ("pow", (0, -1), "^reciprocal of zero$"),
        ("div", (1, 0), "^division of 1 by zero$"),
        ("sqrt", (-1,), "^sqrt of a negative number, -1$"),
    ],
)
def test_rejects_arguments_outside_the_domain(fn, args, message):
    with pytest.raises(DomainError, match=message):
        apply(fn, *map(R, args))


def test_total_is_one_level_deep():
    terms = [apply("exp", R(k)) for k in range(1, 5)]
    found = total([R(1), *terms, R(2).sqrt(), R(2)])
    assert found.term is not None
    assert len(found.term[1]) == 5
    assert float(found) == pytest.approx(3 + 2**0.5 + sum(math.exp(k) for k in range(1, 5)))
    assert total([]).fraction == 0
    assert total(R(1) for _ in range(5000)).fraction == 5000


@pytest.mark.parametrize(
    ("x", "zero_point", "round_first", "n"),
    [
        (0.5, 1, True, 1),
        (0.5, 1, False, 2),
        (1.5, 1, True, 3),
        (1.5, 1, False, 2),
        (9.0, 1, True, 7),
        (-9.0, 1, False, -8),
    ],
)
def test_quantiser_by_hand(x, zero_point, round_first, n):
    found = quantise(
        R(x),
        scale=ONE,
        zero_point=R(zero_point),
        lo=-8,
        hi=7,
        rounding="HALF_EVEN",
        round_first=round_first,
    )
    assert found == n


def test_bipolar_quantiser_takes_zero_up():
    def bipolar(x: float) -> int:
        return quantise(
            R(x),
            scale=R(2),
            zero_point=HALF,
            lo=0,
            hi=1,
            rounding="HALF_CEIL",
            round_first=False,
        )

    assert [bipolar(x) for x in (-5, -1e-30, 0, 1e-30, 5)] == [0, 0, 1, 1, 1]

"""Functions of host edges against the exact ones."""

from fractions import Fraction

import numpy as np
import pytest

from hwgen.host.functions import BINARY, UNARY
from hwgen.host.pair import Pair
from hwgen.numerics.exact import Real
from hwgen.numerics.functions import BINARY as BINARY_NAMES
from hwgen.numerics.functions import UNARY as UNARY_NAMES
from hwgen.numerics.functions import apply

POSITIVE = ("sqrt", "log", "reciprocal")
X = np.array([-30.0, -1.25, -0.1, 0.0, 0.1, 1.25, 30.0])


def close(found: Pair, wanted: Real) -> bool:
    """Within 4 units of float64's last place."""
    value = Fraction(float(found.hi)) + Fraction(float(found.lo))
    return abs(Real.of(value) - wanted) <= abs(wanted) * Fraction(1, 2**50)


def test_every_function_of_the_tensor_graph_is_there():
    assert (set(UNARY), set(BINARY)) == (set(UNARY_NAMES), set(BINARY_NAMES))


@pytest.mark.parametrize("fn", UNARY_NAMES)
def test_unary(fn):
    for x in X[X > 0] if fn in POSITIVE else X:
        assert close(UNARY[fn](Pair.of(np.array(x))), apply(fn, Real.of(x))), x


@pytest.mark.parametrize("fn", BINARY_NAMES)
def test_binary(fn):
    rights = [2.0] if fn == "pow" else [-0.3, 2.0, 1.25]
    for x in X:
        for y in rights:
            found = BINARY[fn](Pair.of(np.array(x)), Pair.of(np.array(y)))
            assert close(found, apply(fn, Real.of(x), Real.of(y))), (x, y)


def test_comparisons_see_the_low_part():
    a = Pair(np.array(1.0), np.array(2.0**-80))
    b = Pair.of(np.array(1.0))
    for one, other in ((a, b), (b, a)):
        assert BINARY["max"](one, other).lo == 2.0**-80
        assert BINARY["min"](one, other).lo == 0.0

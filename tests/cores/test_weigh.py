from dataclasses import replace
from re import escape

import numpy as np
import pytest

from cores import sim
from cores.types import IntType
from cores.weigh import Weigh

S4 = IntType(-7, 7)
GOOD = Weigh((3, 2, 2), S4, ((3, 2, 3), (1, 5)))


@pytest.mark.parametrize("pe", [1, 2])
def test_every_position_has_its_own_factor(pe):
    frame = np.full((1, 3, 2, 2), -2)
    frame[0, 1, 1] = [3, 7]
    expected = [[[[-6, -6], [-30, -30]], [[-4, -4], [30, 70]], [[-6, -6], [-30, -30]]]]
    assert sim.run(replace(GOOD, pe=pe), [frame]).outputs["o"].tolist() == expected


def test_the_least_weight_bounds_what_has_one_sign():
    assert GOOD.outputs["o"].dtype == IntType(-105, 105)
    assert replace(GOOD, dtype=IntType(2, 9)).outputs["o"].dtype == IntType(4, 135)
    assert replace(GOOD, dtype=IntType(-9, -2)).outputs["o"].dtype == IntType(-135, -4)


def test_weights_that_are_one_everywhere_cost_no_adder():
    plain = replace(GOOD, weights=((1, 1, 1), (1, 1)))
    assert plain.factors == (1,) and plain.depth == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"weights": ((1, 2), (1, 5))},
            "weights of Weigh must have one number for each index of (3, 2), not (2, 2)",
        ),
        (
            {"weights": ((1, 0, 1), (1, 5))},
            "weights of Weigh must be positive, not ((1, 0, 1), (1, 5))",
        ),
        ({"pe": 3}, "PE must divide the 2 channels of Weigh, not 3"),
    ],
)
def test_rejects(change, message):
    with pytest.raises(ValueError, match=f"^{escape(message)}$"):
        replace(GOOD, **change)

"""What an image claims of a box holds for every integer of the box."""

import numpy as np
import pytest

from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.images import Boxes, Images
from hwgen.numerics.tail import Apply, Const, Quantise, StepCount, Var, evaluate, reals

N = Var()


def line(slope: float, offset: float) -> Apply:
    product = Apply("mul", (N, Const(reals([slope, -slope / 2]))))
    return Apply("add", (product, Const(Real.of(offset))))


QUANT = Quantise(line(0.3, 0.1), Real.of(0.6), ONE, -4, 5, "HALF_UP")
COUNT = StepCount(line(0.5, 0), reals([[3.0, -2.5], [1.0, 1.0]]), Real.of(2), Real.of(-1))
EXPRESSIONS = [
    QUANT,
    COUNT,
    Apply("relu", (Apply("sub", (QUANT, Const(ONE))),)),
    Apply("max", (QUANT, COUNT)),
    Apply("min", (COUNT, line(0.1, 0))),
    Apply("mul", (Apply("sign", (line(1, -3),)), QUANT)),
    Apply("add", (N, COUNT)),
    Apply("mul", (Apply("tanh", (N,)), Const(ZERO))),
    Quantise(Apply("abs", (line(0.7, 0.2),)), Real.of(-0.5), ZERO, None, None, "FLOOR"),
]


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_claims_hold_on_every_box(expr):
    rng = np.random.default_rng(1)
    count = 150
    first = rng.integers(-20, 20, count)
    last = first + rng.integers(0, 7, count) * rng.integers(0, 2, count)
    boxes = Boxes(rng.integers(0, 2, count), first, last)
    image = Images(expr).of(boxes)
    known = {}
    for k in range(count):
        channel = int(boxes.channel[k])
        values = [evaluate(expr, n, channel) for n in range(first[k], last[k] + 1)]
        assert all(image.values.lo[k] <= v <= image.values.hi[k] for v in values)
        if image.single[k]:
            assert all(v == values[0] for v in values)
        if image.known[k]:
            key = (channel, *(float(column[k]) for column in image.key))
            assert all(v == known.setdefault(key, values[0]) for v in values)
        if first[k] == last[k]:
            assert image.single[k]
    assert known


def test_halves_cover_each_box_once():
    boxes = Boxes(np.array([0, 1]), np.array([-3, 4]), np.array([3, 5])).halves()
    ranges = zip(boxes.channel.tolist(), boxes.first.tolist(), boxes.last.tolist(), strict=True)
    assert sorted(ranges) == [(0, -3, 0), (0, 1, 3), (1, 4, 4), (1, 5, 5)]

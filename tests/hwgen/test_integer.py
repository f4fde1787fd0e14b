from itertools import product

import numpy as np
import pytest

from cores.types import IntType
from hwgen.integer import IntArgMax, IntMatMul, IntTensor, Step, result_type
from hwgen.interpret import compute


def tensor(lo, hi) -> IntTensor:
    return IntTensor((len(lo),), np.array(lo), np.array(hi))


def every_input(x: IntTensor) -> np.ndarray:
    axes = [range(lo, hi + 1) for lo, hi in zip(x.lo.tolist(), x.hi.tolist(), strict=True)]
    return np.array(list(product(*axes)))


def random_op(rng: np.random.Generator):
    match rng.integers(2):
        case 0:
            return IntMatMul(rng.integers(-3, 4, (4, 3)), rng.integers(-5, 6, 4))
        case _:
            count = int(rng.integers(0, 4))
            starts = np.sort(rng.integers(-3, 5, (3, count)), axis=1)
            return Step(starts, rng.integers(-9, 10, (3, count + 1)))


@pytest.mark.parametrize("seed", range(40))
def test_ranges_are_exactly_those_that_inputs_reach(seed):
    rng = np.random.default_rng(seed)
    lo = rng.integers(-2, 1, 3)
    x = tensor(lo, lo + rng.integers(0, 4, 3))
    op = random_op(rng)
    y = compute(op, every_input(x))
    found = result_type(op, x)
    assert found.lo.tolist() == y.min(axis=0).tolist()
    assert found.hi.tolist() == y.max(axis=0).tolist()
    assert found.shape == y.shape[1:]


def test_the_dtype_is_the_union_of_the_channels():
    assert tensor([0, -3], [5, 1]).dtype == IntType(-3, 5)


def test_argmax_gives_one_channel():
    found = result_type(IntArgMax(np.zeros(3, int), np.zeros(3, int)), tensor([0] * 3, [1] * 3))
    assert (found.shape, found.lo.tolist(), found.hi.tolist()) == ((1,), [0], [2])


def test_weights_must_fit_the_channels():
    with pytest.raises(
        ValueError, match=r"^weights must have the shape \(2, 1\) for this input, not \(2, 3\)$"
    ):
        result_type(IntMatMul(np.zeros((2, 3), int), np.zeros(2, int)), tensor([0], [1]))

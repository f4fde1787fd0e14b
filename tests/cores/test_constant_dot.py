from itertools import pairwise

import numpy as np

from cores.constant_dot import ConstantDot, signed_digits
from cores.types import IntType
from platforms.devices import device


def test_digits_sum_up_to_the_number_and_are_never_neighbours():
    for value in (*range(-300, 300), 2**40 - 1, -(2**40) - 5):
        digits = signed_digits(value)
        assert sum(-(1 << s) if negative else 1 << s for s, negative in digits) == value
        assert all(b - a >= 2 for (a, _), (b, _) in pairwise(digits))


def test_seven_is_eight_minus_one():
    assert signed_digits(7) == [(0, True), (3, False)]


def test_equal_rows_are_counted_once():
    row = [3, -5, 7, 1]
    target = device("ecp5-25f")
    once = ConstantDot(np.array([row]), IntType(0, 15)).cost(target)
    assert ConstantDot(np.array([row, row]), IntType(0, 15)).cost(target) == once


def test_rows_of_zeros_add_nothing():
    plan = ConstantDot(np.array([[0, 0], [1, 0]]), IntType(0, 15))
    assert (plan.depth, plan.cost(device("ecp5-25f")).add) == (0, 0)

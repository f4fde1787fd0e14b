from itertools import pairwise

import numpy as np

from cores.dot.constant_dot import ConstantDot, digit_forms, signed_digits
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


def test_forms_of_a_weight_are_all_sums_of_as_few_digits():
    assert set(digit_forms(3)) == {((0, False), (1, False)), ((0, True), (2, False))}
    assert digit_forms(-3) == (((0, False), (2, True)),)  # not -1 - 2, which only subtracts
    for value in range(-40, 41):
        forms = digit_forms(value)
        assert tuple(signed_digits(value)) in forms
        for form in forms:
            assert len(form) == len(signed_digits(value))
            assert sum(-(1 << k) if negative else 1 << k for k, negative in form) == value

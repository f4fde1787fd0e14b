from fractions import Fraction

import numpy as np
import pytest

from hwgen.analysis.coded import Coded
from hwgen.analysis.steps import as_line, level_table, quantised_table, table
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep
from hwgen.numerics.exact import Real
from hwgen.numerics.tail import Apply, Const, Quantise, StepCount, Var


def tensor(lo, hi) -> IntTensor:
    return IntTensor((len(lo),), np.array(lo), np.array(hi))


def objects(*numbers) -> np.ndarray:
    array = np.empty(len(numbers), dtype=object)
    array[:] = [Real.of(Fraction(number)) for number in numbers]
    return array


def step(starts, values) -> IntStep:
    return IntStep(np.array(starts), np.array(values))


def test_table_joins_equal_neighbours_and_pads_behind_the_range():
    found = table([[1, 2, 3], [5]], [[0, 4, 4, 1], [7, 8]], tensor([0, 0], [9, 9]))
    assert found.starts.tolist() == [[1, 3], [5, 10]]
    assert found.values.tolist() == [[0, 4, 1], [7, 8, 8]]


def test_table_without_changes_has_no_starts():
    found = table([[]], [[3]], tensor([0], [9]))
    assert (found.starts.shape, found.values.tolist()) == ((1, 0), [[3]])


def test_channels_with_the_same_function_are_told_apart_by_parameter_and_range():
    half, third = objects("1/2", "1/3")
    scale = np.array([half, third, half], dtype=object)
    tree = Quantise(Apply("mul", (Var(), Const(scale))), Real.of(1), Real.of(0), 0, 1, "FLOOR")
    one, none = (Coded.uniform(Real.of(k), (3,)) for k in (1, 0))
    found = quantised_table(tree, tensor([0, 0, 0], [9, 9, 1]), one, none)
    assert found.starts.tolist() == [[2], [3], [2]]
    assert found.values.tolist() == [[0, 1], [0, 1], [0, 1]]


def test_thresholds_per_channel():
    rows = np.stack([objects(1, 3), objects(2, 2)])
    tree = StepCount(Var(), rows, Real.of(2), Real.of(-1))
    scale, bias = (Coded.uniform(Real.of(k), (2,)) for k in (2, -1))
    found = quantised_table(tree, tensor([0, 0], [5, 5]), scale, bias)
    assert found.starts.tolist() == [[1, 3], [2, 6]]
    assert found.values.tolist() == [[0, 1, 2], [0, 2, 2]]


@pytest.mark.parametrize(
    ("starts", "values", "line"),
    [
        ([[1, 2], [1, 2]], [[0, 2, 4], [5, 7, 9]], (2, [0, 5])),
        ([[1, 2], [1, 2]], [[4, 2, 0], [0, -2, -4]], (-2, [4, 0])),
        ([[1, 2], [1, 2]], [[0, 2, 4], [0, 1, 2]], None),  # slopes differ
        ([[1, 2], [1, 2]], [[0, 2, 4], [0, 2, 5]], None),  # bends
        ([[1], [1]], [[0, 2], [0, 2]], None),  # flat from 1 to 2
    ],
)
def test_lines_are_recognised(starts, values, line):
    found = as_line(step(starts, values), tensor([0, 0], [2, 2]))
    assert (found and (found[0], found[1].tolist())) == line


def test_a_line_is_counted_from_the_range_of_its_channel():
    found = as_line(step([[-1], [6]], [[7, 8], [7, 8]]), tensor([-2, 5], [-1, 6]))
    assert found is not None
    assert (found[0], found[1].tolist()) == (1, [9, 2])


def test_levels_become_integers_with_one_scale():
    tree = Apply("abs", (Apply("mul", (Var(), Const(Real.of(Fraction(1, 2))))),))
    found = level_table(tree, None, tensor([-2], [1]))
    assert found is not None
    levels, scale, bias = found
    assert (levels.starts.tolist(), levels.values.tolist()) == ([[-1, 0, 1]], [[2, 1, 0, 1]])
    assert (scale, bias.item(0)) == (Fraction(1, 2), 0)


def test_irrational_levels_have_no_grid():
    assert level_table(Apply("sigmoid", (Var(),)), None, tensor([0], [3])) is None


def test_many_levels_need_a_quantiser():
    tree = Apply("relu", (Var(),))
    with pytest.raises(ValueError, match=r"^levels to tabulate must be at most 1024, not 1025$"):
        level_table(tree, None, tensor([-500], [524]))
    inner = Quantise(Var(), Real.of(256), Real.of(0), -2, 2)
    found = level_table(Apply("relu", (inner,)), inner, tensor([-500], [524]))
    assert found is not None
    assert found[0].values.tolist() == [[0, 1, 2]]

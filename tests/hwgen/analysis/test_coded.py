import numpy as np

from hwgen.analysis.coded import Coded, combine


def values(coded: Coded) -> list:
    return [coded.palette[k] for k in coded.code.reshape(-1).tolist()]


def test_of_array_keeps_distinct_numbers_once():
    coded = Coded.of_array(np.array([[2.0, 1.0], [2.0, 2.0]]), str)
    assert coded.palette == ("1.0", "2.0")
    assert coded.code.tolist() == [[1, 0], [1, 1]]


def test_combine_runs_once_per_combination_with_broadcasting():
    calls = []

    def join(a, b):
        calls.append((a, b))
        return a + b

    row = Coded.of_array(np.array([[1, 1, 2]]), int)
    column = Coded.of_array(np.array([[10], [10]]), int)
    result = combine(join, row, column)
    assert values(result) == [11, 11, 12] * 2
    assert sorted(calls) == [(1, 10), (2, 10)]


def test_compact_drops_what_no_element_uses():
    coded = Coded(("a", "b", "c"), np.array([2, 2]))
    assert coded.compact().palette == ("c",)
    assert coded.is_uniform
    assert values(coded.map(str.upper)) == ["C", "C"]


def test_of_list_shares_the_same_object_only():
    first, second = [1], [1]
    assert Coded.of_list([first, second, first]).code.tolist() == [0, 1, 0]

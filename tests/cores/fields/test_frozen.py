import numpy as np
import pytest

from cores.fields.frozen import freeze, keeper, of_array


def test_nobody_can_change_a_frozen_array():
    numbers = np.arange(6).reshape(2, 3)
    frozen = freeze(numbers)
    numbers[0] = 9
    assert frozen.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match=r"^assignment destination is read-only$"):
        frozen[0] = 9
    with pytest.raises(ValueError, match=r"^cannot set WRITEABLE flag to True of this array$"):
        frozen.setflags(write=True)


def test_a_view_is_frozen_and_an_array_that_is_only_read_only_is_not():
    frozen = freeze(np.arange(6))
    assert keeper(frozen) is keeper(frozen.reshape(2, 3)[:, 1:].T) is not None
    numbers = np.arange(6)
    numbers.setflags(write=False)
    for other in (numbers, numbers[1:], frozen + 1, [1, 2], np.frombuffer(b"abcdefgh", np.int64)):
        assert keeper(other) is None


def test_a_function_of_a_frozen_array_is_called_once_for_each_view_and_arguments():
    calls = []

    @of_array
    def total(array: np.ndarray, times: int) -> int:
        calls.append(array.tolist())
        return int(array.sum()) * times

    frozen = freeze(np.arange(6))
    assert [total(frozen, 1), total(frozen, 1), total(frozen, 2), total(frozen[:], 1)] == [
        15,
        15,
        30,
        15,
    ]
    assert [total(frozen[:3], 1), total(frozen[1:4], 1), total(frozen[::2], 1)] == [3, 6, 6]
    assert len(calls) == 5
    writeable = np.arange(6)
    assert total(writeable, 1) == 15
    writeable[0] = 10
    assert total(writeable, 1) == 25


def test_a_function_of_two_arrays_is_called_once_where_both_are_frozen():
    calls = []

    @of_array
    def product(one: np.ndarray, other: np.ndarray) -> int:
        calls.append(1)
        return int(one @ other)

    one, other = freeze(np.array([1, 2])), freeze(np.array([10, 20, 30]))
    assert [product(one, other[:2]), product(one, other[:2]), product(one, other[1:])] == [
        50,
        50,
        80,
    ]
    assert len(calls) == 2
    writeable = np.array([1, 1])
    assert product(one, writeable) == 3
    writeable[0] = 5
    assert product(one, writeable) == 7

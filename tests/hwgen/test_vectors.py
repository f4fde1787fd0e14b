"""Sample files: accuracy, and how outputs differ from stored ones."""

import numpy as np
import pytest

from hwgen.errors import InputError
from hwgen.vectors import accuracy, against_stored, load_arrays

X = np.zeros((4, 3), np.float32)


def test_the_largest_output_is_the_class():
    scores = np.array([[1, 5], [5, 1], [0, 2], [3, 1]])
    assert accuracy(scores, {"input": X, "label": np.array([1, 0, 0, -1])}) == 2 / 3


def test_one_output_is_the_class_itself():
    classes = np.array([[2], [0], [1], [1]])
    assert accuracy(classes, {"input": X, "label": np.array([2, 0, 1, 2])}) == 0.75


@pytest.mark.parametrize(
    "arrays",
    [
        {"input": X},
        {"input": X, "label": np.full(4, -1)},
        {"input": X, "label": np.array([0, 1, 0, 1])},
    ],
)
def test_no_accuracy_without_known_classes(arrays):
    """No label, none that is known, or outputs that restore the input."""
    assert accuracy(np.zeros((4, 3)), arrays) is None


@pytest.mark.parametrize(
    ("output", "label", "share"),
    [([[1], [0]], [1, 1], 0.5), ([[1, 5], [5, 1]], [1, 1], 0.5), ([[1, 2, 3]], [2], 1.0)],
)
def test_classes_may_have_the_shape_of_the_inputs(output, label, share):
    y = np.array(output)
    assert accuracy(y, {"input": np.zeros(y.shape), "label": np.array(label)}) == share


def test_differences_from_stored_outputs_are_counted():
    output = np.array([[1, 2], [3, 4]], np.int8)
    arrays = {
        "input": X[:2],
        "output": np.array([[1, -2], [3, 5]], np.int8),
        "output_float64": output.astype(np.float64),
    }
    assert against_stored(output, arrays) == [
        {"array": "output", "elements": 4, "differing": 2, "largest_difference": 4.0},
        {"array": "output_float64", "elements": 4, "differing": 0, "largest_difference": 0.0},
    ]


def test_stored_numbers_are_rounded_to_the_type_of_the_output():
    output = np.array([[0.1]], np.float32)
    (found,) = against_stored(output, {"output_float64": np.array([[0.1]])})
    assert found["differing"] == 0


def test_stored_outputs_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, input=X, output=np.zeros((4, 2)), other=np.zeros(3))
    arrays = load_arrays(path)
    assert list(arrays) == ["input", "output"]
    message = (
        r"^array `output` of the vectors must have the shape of the model's output, \(4, 3\), "
        r"not \(4, 2\)$"
    )
    with pytest.raises(InputError, match=message):
        against_stored(X, arrays)

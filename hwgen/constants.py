"""Constant folding: tensor ops on arrays of exact numbers."""

from typing import Any

import numpy as np

from hwgen.exact import Real


def reals(values: Any) -> np.ndarray:
    """An object array of Real of the same shape, each number as stored."""
    values = np.asarray(values)
    result = np.empty(values.shape, dtype=object)
    result.reshape(-1)[:] = [Real.of(value) for value in values.reshape(-1).tolist()]
    return result


def floats(values: np.ndarray) -> np.ndarray:
    """float64 of an array of Real."""
    return np.array([float(x) for x in values.reshape(-1)], dtype=float).reshape(values.shape)

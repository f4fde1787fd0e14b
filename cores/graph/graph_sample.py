"""Part of a constant matrix whose adder graph is found at once: what the whole one takes follows
from it."""

import numpy as np

from cores.dot.constant_dot import signed_digits

_PAIRS = 40_000
"""Pairs of digits, within rows, of a part: a search takes about a tenth of a second."""

_GROWTH = 0.92
"""Adders and registers grow with this power of the digits: more of them share more. Of random
matrices of 2 to 8 bits, dense and pruned, and of trained ones, 0.89 to 0.97."""


def sample(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows and columns, ascending, and how many times the whole matrix takes what they take.

    Parameters
    ----------
    weights : int array, (rows, cols)
    """
    rng = np.random.default_rng(0)
    values, places = np.unique(weights, return_inverse=True)
    counts = np.array([len(signed_digits(value)) for value in values.tolist()])
    digits = counts[places].reshape(weights.shape)
    rows, cols = (np.arange(n) for n in weights.shape)

    def of_rows() -> np.ndarray:
        return digits[np.ix_(rows, cols)].sum(axis=1)

    def adders() -> int:
        return int(np.maximum(of_rows() - 1, 0).sum())

    whole = adders()
    while (of_rows() ** 2).sum() > 2 * _PAIRS:
        if len(rows) >= of_rows().mean():
            rows = _half(rows, rng)
        else:
            cols = _half(cols, rng)
    return rows, cols, (whole / max(1, adders())) ** _GROWTH


def _half(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(numbers)[: -(-len(numbers) // 2)])

"""Sample files: npz with `input`, optionally `label`, and the accuracy that follows from it."""

from pathlib import Path

import numpy as np

from hwgen.errors import InputError


def accuracy(output: np.ndarray, label: np.ndarray) -> float | None:
    """Share of samples whose class is the label; unknown labels (-1) do not count.

    Floating outputs are scores whose largest picks the class, integers of one element the class
    itself.
    """
    scores = output.reshape(len(output), -1)
    classes = scores.argmax(1) if scores.shape[1] > 1 else scores[:, 0]
    known = label.reshape(-1) >= 0
    return float((classes == label.reshape(-1))[known].mean()) if known.any() else None


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file with at least `input`.

    Raises
    ------
    InputError
        Not an npz, or without `input`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in ("input", "label")}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: must be a readable npz file: {error}") from error
    if "input" not in arrays:
        raise InputError(f"{path}: must hold an array `input` (N, shape without batch)")
    return arrays

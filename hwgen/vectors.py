"""Sample files: npz with `input`, optionally `label` and stored outputs, and what follows from
them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.errors import InputError

STORED_OUTPUTS = ("output", "output_float64")
"""Arrays with what another implementation of the model returned for `input`."""


def accuracy(output: np.ndarray, arrays: Mapping[str, np.ndarray]) -> float | None:
    """Share of samples whose class is their `label`; unknown labels (-1) do not count.

    The largest of several outputs picks the class; one output is the class itself. None where no
    label is known, and where labels of 0 and 1 alone come with more outputs, of the shape of the
    inputs: such a network restores its input, and labels tell the normal from the abnormal.
    """
    scores = output.reshape(len(output), -1)
    label = arrays.get("label", np.full(len(scores), -1)).reshape(-1)
    known = label >= 0
    restored = output.shape == arrays["input"].shape and scores.shape[1] > 2
    if not known.any() or (restored and label.max() <= 1):
        return None
    classes = scores.argmax(1) if scores.shape[1] > 1 else scores[:, 0]
    return float((classes == label)[known].mean())


def against_stored(output: np.ndarray, arrays: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """How outputs differ from each stored array: elements that do, and by how much at most.

    Stored numbers are rounded to the type of `output` first. Those of an implementation in
    floating point differ where it rounds on the way; that is counted, and no error.

    Raises
    ------
    InputError
        A stored array has another shape.
    """
    found = []
    for name in STORED_OUTPUTS:
        if name not in arrays:
            continue
        stored = arrays[name]
        if stored.shape != output.shape:
            raise InputError(
                f"array `{name}` of the vectors must have the shape of the model's output, "
                f"{output.shape}, not {stored.shape}"
            )
        away = np.abs(output.astype(np.float64) - stored.astype(output.dtype))
        found.append(
            {
                "array": name,
                "elements": output.size,
                "differing": int(np.count_nonzero(away)),
                "largest_difference": float(away.max(initial=0)),
            }
        )
    return found


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file with at least `input`.

    Raises
    ------
    InputError
        Not an npz, or without `input`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            known = ("input", "label", *STORED_OUTPUTS)
            arrays = {name: file[name] for name in file.files if name in known}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: must be a readable npz file: {error}") from error
    if "input" not in arrays:
        raise InputError(f"{path}: must hold an array `input` (N, shape without batch)")
    return arrays

"""Arrays of few distinct objects: a palette and, per element, the number of its entry.

Scales and constants are exact and slow to compute with; arrays of them mostly repeat a few. Every
elementwise function runs once per distinct combination.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Coded:
    """The array ``palette[code]``.

    Parameters
    ----------
    palette : tuple
    code : int array of any shape
    """

    palette: tuple[Any, ...]
    code: np.ndarray

    @classmethod
    def uniform(cls, value: Any, shape: tuple[int, ...] = ()) -> "Coded":
        return cls((value,), np.zeros(shape, dtype=np.int64))

    @classmethod
    def of_array(cls, array: np.ndarray, make: Callable[[Any], Any]) -> "Coded":
        """``make`` of every element of a numeric array."""
        distinct, code = np.unique(array, return_inverse=True)
        return cls(tuple(make(x) for x in distinct.tolist()), code.reshape(array.shape))

    @classmethod
    def of_list(cls, values: Sequence[Any]) -> "Coded":
        """A vector of any objects; the same object shares an entry."""
        entries: dict[int, int] = {}
        code = [entries.setdefault(id(value), len(entries)) for value in values]
        palette = {id(value): value for value in values}
        return cls(tuple(palette[key] for key in entries), np.array(code, dtype=np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.code.shape

    def rearrange(self, change: Callable[[np.ndarray], np.ndarray]) -> "Coded":
        """Reshape, transpose, index or broadcast by the same function of an array."""
        return Coded(self.palette, change(self.code))

    def compact(self) -> "Coded":
        """Without entries that no element uses."""
        used, code = np.unique(self.code, return_inverse=True)
        return Coded(tuple(self.palette[k] for k in used.tolist()), code.reshape(self.shape))

    @property
    def is_uniform(self) -> bool:
        """Whether one entry makes the whole array (two equal entries count as different)."""
        return self.code.size > 0 and bool((self.code == self.code.flat[0]).all())

    def item(self, *index: int) -> Any:
        return (
            self.palette[int(self.code[index])] if index else self.palette[int(self.code.flat[0])]
        )

    def map(self, make: Callable[[Any], Any]) -> "Coded":
        small = self.compact()
        return Coded(tuple(make(entry) for entry in small.palette), small.code)

    def numbers(self, make: Callable[[Any], Any], dtype: type = np.float64) -> np.ndarray:
        """A numeric array: ``make`` of every element."""
        small = self.compact()
        return np.array([make(entry) for entry in small.palette], dtype=dtype)[small.code]


def combine(make: Callable[..., Any], *arrays: Coded) -> Coded:
    """``make`` of corresponding elements with numpy's broadcasting, once per combination."""
    codes = np.broadcast_arrays(*(array.code for array in arrays))
    joint = np.zeros(codes[0].shape, dtype=np.int64)
    for array, code in zip(arrays, codes, strict=True):
        joint = joint * len(array.palette) + code
    distinct, first, code = np.unique(joint, return_index=True, return_inverse=True)
    del distinct
    flat = [code_.reshape(-1) for code_ in codes]
    palette = tuple(
        make(*(array.palette[int(f[k])] for array, f in zip(arrays, flat, strict=True)))
        for k in first.tolist()
    )
    return Coded(palette, code.reshape(codes[0].shape))

"""Arrays that nobody can change, so that ops share them and what is known about them."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class Frozen(bytes):
    """Numbers of an array. Bytes cannot change; an array that is only marked as read-only could be
    marked as writeable again by who owns it.

    Attributes
    ----------
    facts : dict
        What `of_array` functions found out about the array or its views.
    """

    def __init__(self, *_: object):
        self.facts: dict[Hashable, Any] = {}


def freeze(array: np.ndarray) -> np.ndarray:
    """A copy that cannot change."""
    return np.frombuffer(Frozen(array.tobytes()), array.dtype).reshape(array.shape)


def keeper(array: Any) -> Frozen | None:
    """What holds the numbers of a frozen array, or of one that it is a view of; None if they can
    change."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, Frozen) else None


def of_array(function: Callable[..., T]) -> Callable[..., T]:
    """Calls a function of an array and of hashable arguments once, where the array is frozen: what
    it gives lives as long as the array. All foldings of an op have the same array."""

    @wraps(function)
    def known(array: np.ndarray, *arguments: Hashable) -> T:
        kept = keeper(array)
        if kept is None:
            return function(array, *arguments)
        address, _ = array.__array_interface__["data"]
        key = function, address, array.dtype.str, array.shape, array.strides, arguments
        if key not in kept.facts:
            kept.facts[key] = function(array, *arguments)
        return kept.facts[key]

    return known

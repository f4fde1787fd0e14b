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
    """Calls a function of an array and of arguments, which are hashable or arrays, once, where all
    arrays are frozen: what it gives lives as long as the first one. All foldings of an op have the
    same arrays."""

    @wraps(function)
    def known(array: np.ndarray, *arguments: Hashable | np.ndarray) -> T:
        kept = keeper(array)
        others = [each for each in arguments if isinstance(each, np.ndarray)]
        if kept is None or any(keeper(other) is None for other in others):
            return function(array, *arguments)
        named = (_name(each) if isinstance(each, np.ndarray) else each for each in arguments)
        # The first array keeps what is known: its keeper must not keep itself.
        key = function, _name(array)[1:], *named
        if key not in kept.facts:
            kept.facts[key] = function(array, *arguments)
        return kept.facts[key]

    return known


def _name(array: np.ndarray) -> tuple[Hashable, ...]:
    """Of a view of a frozen array; as long as it is known, no other array has that address."""
    address, _ = array.__array_interface__["data"]
    return keeper(array), address, array.dtype.str, array.shape, array.strides

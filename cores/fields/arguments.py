"""What anyone can get wrong about the arguments of an op, told in the same words by all of them."""

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np

from cores.fields.frozen import freeze, keeper, of_array
from cores.types import IntType

WIDEST = 62
"""Bits of the widest numbers: tensors are int64, and sums of two must not leave it."""


def integers(name: str, owner: str, array: Any) -> np.ndarray:
    """`array` as int64 that nobody can change.

    What this once gave, and views of it, are given back as they are: foldings of an op share its
    arrays.

    Raises
    ------
    TypeError
        It has other numbers than integers.
    ValueError
        Its rows are not of one length, or its numbers too wide.
    """
    if keeper(array) is not None and array.dtype == np.int64:
        return array
    try:
        found = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"{name} of {owner} must have rows of one length") from error
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"{name} of {owner} must be integers, not {found.dtype}")
    if found.size and max(int(found.max()), ~int(found.min())) >> WIDEST - 1:
        raise ValueError(
            f"{name} of {owner} must fit {WIDEST} bits, "
            f"not {IntType(int(found.min()), int(found.max()))}"
        )
    return freeze(found.astype(np.int64))


def number_type(owner: str, dtype: Any) -> IntType:
    """
    Raises
    ------
    TypeError, ValueError
        `dtype` is no `IntType`, or too wide.
    """
    if not isinstance(dtype, IntType):
        raise TypeError(f"dtype of {owner} must be an IntType, not {dtype!r}")
    if dtype.width > WIDEST:
        raise ValueError(f"dtype of {owner} must fit {WIDEST} bits, not {dtype}")
    return dtype


def divisor(name: str, value: Any, number: int, parts: str) -> int:
    """`value` as int; `parts` says what there are `number` of.

    Raises
    ------
    TypeError, ValueError
        `value` is no integer, or does not divide `number`.
    """
    try:
        found = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if found < 1 or number % found:
        raise ValueError(f"{name} must divide the {number} {parts}, not {found}")
    return found


def lengths(name: str, owner: str, value: Any) -> tuple[int, ...]:
    """`value` as tuple of int.

    Raises
    ------
    TypeError, ValueError
        It has other things than integers, or one that is not positive.
    """
    try:
        found = tuple(map(index, value))
    except TypeError:
        raise TypeError(f"{name} of {owner} must be a tuple of integers, not {value!r}") from None
    if found and min(found) < 1:
        raise ValueError(f"{name} of {owner} must be positive, not {found}")
    return found


def choice(name: str, owner: str, value: Any, legal: Mapping[str, type]) -> None:
    """`legal` has classes by what folding files call them.

    Raises
    ------
    TypeError
        `value` has no such name, as a text has none.
    ValueError
        It is one that is not legal here.
    """
    if isinstance(value, tuple(legal.values())):
        return
    if not hasattr(value, "text"):
        example = next(iter(legal.values())).__name__
        raise TypeError(f"{name} of {owner} must be an object such as {example}(), not {value!r}")
    *most, last = legal
    known = f"{', '.join(most)} or {last}" if most else last
    raise ValueError(f"{name} of {owner} must be {known}, not {value.text}")


def check_sums(owner: str, weights: np.ndarray, offset: np.ndarray, dtype: IntType) -> None:
    """
    Raises
    ------
    ValueError
        A row's sum of products with numbers of `dtype` may be too wide.
    """
    largest = _magnitudes(weights) * max(abs(dtype.lo), abs(dtype.hi))
    if (largest + np.abs(offset)).max() >= 1 << WIDEST - 1:
        kind = IntType(int(weights.min()), int(weights.max()))
        raise ValueError(
            f"sums of {owner} must fit {WIDEST} bits, which those of {weights.shape[1]} products "
            f"of {kind} x {dtype} may not"
        )


@of_array
def _magnitudes(weights: np.ndarray) -> np.ndarray:
    """Of each row, (rows,)."""
    return np.abs(weights.astype(float)).sum(axis=1)

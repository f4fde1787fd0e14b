"""A value's content as a short text: what every cache of ops is looked up by."""

import hashlib
from dataclasses import fields, is_dataclass
from fractions import Fraction

import numpy as np

from cores.fields.frozen import of_array

DIGITS = 32
"""Of a key, hexadecimal: 128 bits, so that no two contents of a lifetime meet."""


def content_key(value: object) -> str:
    """The same for equal contents in every process and on every machine.

    Of a dataclass its class, by module and name, and its fields; not what it has computed since. Of
    an array its element type, shape and elements.

    Parameters
    ----------
    value
        Made of dataclasses, tuples, lists, arrays of numbers, numbers and texts.

    Raises
    ------
    TypeError
        Something in it is of another kind.
    """
    digest = hashlib.sha256()
    # Each part tells its kind and its length before its content: no two values give one text.
    waiting: list[object] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
            digest.update(f"array {part.dtype.newbyteorder('<').str} {part.shape};".encode())
            digest.update(_elements(part))
        elif is_dataclass(part) and not isinstance(part, type):
            kind = type(part)
            names = [field.name for field in fields(part) if field.init]
            digest.update(f"{kind.__module__}.{kind.__qualname__} {len(names)};".encode())
            for name in reversed(names):
                waiting += [getattr(part, name), name]
        elif isinstance(part, tuple | list):
            digest.update(f"row {len(part)};".encode())
            waiting += reversed(part)
        elif isinstance(part, np.generic):
            waiting.append(part.item())
        elif part is None or isinstance(part, bool | int | str | float | Fraction):
            digest.update(f"{type(part).__name__} {part!r};".encode())
        else:
            raise TypeError(
                f"an op must hold numbers, texts, arrays of numbers and dataclasses, not {part!r}"
            )
    return digest.hexdigest()[:DIGITS]


@of_array
def _elements(array: np.ndarray) -> bytes:
    """Hash of an array's elements: thousands of foldings have the same array."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).digest()

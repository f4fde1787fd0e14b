"""What fields of an integer op must be for the inputs that come, told in the same words by all."""

from collections.abc import Sequence

FUNCTIONS = ("max", "sum")
"""What can be made of the elements under a window, or at all positions."""


def check_shape(name: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    """
    Raises
    ------
    ValueError
        A field `name` of the shape `found` must have the shape `wanted`.
    """
    if tuple(found) != tuple(wanted):
        raise ValueError(
            f"{name} must have the shape {tuple(wanted)} for this input, not {tuple(found)}"
        )


def check_axes(name: str, field: Sequence[object], space: Sequence[int]) -> None:
    """
    Raises
    ------
    ValueError
        A field has other than one entry for each spatial axis.
    """
    if len(field) != len(space):
        raise ValueError(
            f"{name} must have one entry per spatial axis, {len(space)}, not {len(field)}"
        )


def check_function(fn: str) -> None:
    """
    Raises
    ------
    ValueError
        `fn` is none of `FUNCTIONS`.
    """
    if fn not in FUNCTIONS:
        raise ValueError(f"fn must be {' or '.join(FUNCTIONS)}, not {fn}")


def check_taps(channels: int, taps: int) -> None:
    """
    Raises
    ------
    ValueError
        So many channels are not those of so many taps.
    """
    if channels % taps:
        raise ValueError(f"channels must be a multiple of the {taps} taps, not {channels}")

"""Ops that move elements: padding, joining, cutting, repeating, other shapes and orders."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pad:
    """A constant `value` around a tensor: (before, after) for every axis, none negative."""

    pads: tuple[tuple[int, int], ...]
    value: float


@dataclass(frozen=True)
class Concat:
    """Two or more tensors behind one another along `axis`, which is not negative."""

    axis: int


@dataclass(frozen=True)
class Slice:
    """Elements start, start + step, ... below stop of every axis; steps are positive."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Repeat:
    """Every element `factors[axis]` times in a row along each axis, as nearest neighbours do."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Dilate:
    """`factors[axis]` - 1 zeros between neighbours along each axis; a transposed convolution is a
    `Conv` of this."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Reshape:
    """Same elements in row-major order under another shape (all dimensions known)."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Transpose:
    perm: tuple[int, ...]

"""Ops that move elements: padding, joining, cutting, repeating, other shapes and orders."""

from dataclasses import dataclass
from math import prod

import numpy as np

from hwgen.analysis import moves
from hwgen.analysis.context import Context
from hwgen.analysis.joins import concatenate
from hwgen.analysis.known import Known, joined
from hwgen.analysis.layout import Rearrangement
from hwgen.analysis.scaled import Defined, Host, Scaled
from hwgen.numerics import placement
from hwgen.numerics.enclosed import Enclosed
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True)
class Pad(TensorOp):
    """A constant `value` around a tensor: (before, after) for every axis, none negative."""

    pads: tuple[tuple[int, int], ...]
    value: float

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        _require_axes(x, "pads", len(self.pads))
        return tuple(n + sum(pair) for n, pair in zip(x, self.pads, strict=True))

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return placement.pad(((0, 0), *self.pads), self.value, *x)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        return moves.pad(at.asm, at.name, at.integers(*x), self.pads, self.value)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Concat(TensorOp):
    """Two or more tensors behind one another along `axis`, which is not negative."""

    axis: int

    arity = None

    def result_shape(self, *shapes: Shape) -> Shape:
        others = {(*x[: self.axis], *x[self.axis + 1 :]) for x in shapes}
        ranks = {len(x) for x in shapes}
        if len(others) != 1 or len(ranks) != 1 or not 0 <= self.axis < ranks.pop():
            found = " and ".join(map(str, shapes))
            raise ValueError(f"shapes must differ on axis {self.axis} only, not {found}")
        length = sum(x[self.axis] for x in shapes)
        return (*shapes[0][: self.axis], length, *shapes[0][self.axis + 1 :])

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return placement.concatenate(self.axis + 1, *x)

    def analyse(self, at: Context, *x: Defined) -> Known | Scaled:
        constants = [part for part in x if isinstance(part, Known)]
        if len(constants) == len(x):
            return joined(constants, self.axis)
        return concatenate(at.asm, at.name, self.axis, [at.integers(part) for part in x])

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Slice(TensorOp):
    """Elements start, start + step, ... below stop of every axis; steps are positive."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        _require_axes(x, "starts", len(self.starts))
        rows = zip(x, self.starts, self.stops, self.steps, strict=True)
        return tuple(len(range(n)[start:stop:step]) for n, start, stop, step in rows)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        cuts = tuple(map(slice, self.starts, self.stops, self.steps))
        return y.rearrange(lambda values: values[:, *cuts])

    def analyse(self, at: Context, *x: Defined) -> Defined:
        (value,) = x
        parts = tuple(map(slice, self.starts, self.stops, self.steps))
        if isinstance(value, (Known, Host)):
            return value.cut(parts)
        return moves.cut(at.asm, at.name, at.integers(value), parts)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Repeat(TensorOp):
    """Every element `factors[axis]` times in a row along each axis, as nearest neighbours do."""

    factors: tuple[int, ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        _require_axes(x, "factors", len(self.factors))
        return tuple(n * factor for n, factor in zip(x, self.factors, strict=True))

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x

        def repeated(values: np.ndarray) -> np.ndarray:
            for axis, factor in enumerate(self.factors, start=1):
                values = np.repeat(values, factor, axis=axis) if factor > 1 else values
            return values

        return y.rearrange(repeated)

    def analyse(self, at: Context, *x: Defined) -> Known | Scaled:
        (value,) = x
        if isinstance(value, Known):
            return value.repeat(self.factors)
        return moves.repeat(at.asm, at.name, at.integers(value), self.factors)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Dilate(TensorOp):
    """`factors[axis]` - 1 zeros between neighbours along each axis; a transposed convolution is a
    `Conv` of this."""

    factors: tuple[int, ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        _require_axes(x, "factors", len(self.factors))
        return tuple((n - 1) * factor + 1 for n, factor in zip(x, self.factors, strict=True))

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return placement.dilate((1, *self.factors), *x)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        return moves.dilate(at.asm, at.name, at.integers(*x), self.factors)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Reshape(TensorOp):
    """Same elements in row-major order under another shape (all dimensions known)."""

    shape: tuple[int, ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        if prod(x) != prod(self.shape):
            raise ValueError(f"shape must keep the {prod(x)} elements of {x}, not be {self.shape}")
        return self.shape

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        return y.rearrange(lambda values: values.reshape(values.shape[0], *self.shape))

    def analyse(self, at: Context, *x: Defined) -> Defined:
        (value,) = x
        if not isinstance(value, Known):
            at.fate("vanishes")
        return value.rearrange(Rearrangement(shape=self.shape))

    def follow(self, index: np.ndarray) -> np.ndarray | None:
        """Unless the stream has grown or shrunk on the way here."""
        return index.reshape(self.shape) if prod(self.shape) == index.size else None


@dataclass(frozen=True)
class Transpose(TensorOp):
    """Axis k of the result is axis perm[k] of the input."""

    perm: tuple[int, ...]

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        if sorted(self.perm) != list(range(len(x))):
            raise ValueError(f"perm must order the {len(x)} axes of the input, not {self.perm}")
        return tuple(x[axis] for axis in self.perm)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        return y.rearrange(lambda a: a.transpose(0, *(axis + 1 for axis in self.perm)))

    def analyse(self, at: Context, *x: Defined) -> Defined:
        (value,) = x
        if not isinstance(value, Known):
            at.fate("vanishes")
        return value.rearrange(Rearrangement(perm=self.perm))

    def follow(self, index: np.ndarray) -> np.ndarray | None:
        return index.transpose(self.perm) if len(self.perm) == index.ndim else None


def _require_axes(x: Shape, what: str, count: int) -> None:
    if len(x) != count:
        raise ValueError(f"{what} must be given for the {len(x)} axes of the input, not {count}")

"""Constants, and functions of each element."""

from dataclasses import dataclass

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.elementwise import binary, unary
from hwgen.analysis.known import Known
from hwgen.analysis.scaled import Defined
from hwgen.numerics import enclosed
from hwgen.numerics.enclosed import Enclosed
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True, eq=False)
class Constant(TensorOp):
    """A tensor stored in the model (float32, float64 or integer as stored)."""

    value: np.ndarray

    arity = 0

    def result_shape(self, *shapes: Shape) -> Shape:
        return np.shape(self.value)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return enclosed.parameter(self.value)

    def analyse(self, at: Context, *x: Defined) -> Known:
        return Known(np.asarray(self.value))


@dataclass(frozen=True)
class Unary(TensorOp):
    """Elementwise function of one tensor, one of `hwgen.numerics.functions.UNARY`."""

    fn: str

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        return x

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return enclosed.sign(*x) if self.fn == "sign" else enclosed.elementwise(self.fn, *x)

    def analyse(self, at: Context, *x: Defined) -> Defined:
        return unary(at.name, self.fn, *x)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True)
class Binary(TensorOp):
    """Elementwise function of two tensors with numpy broadcasting, one of
    `hwgen.numerics.functions.BINARY`."""

    fn: str

    arity = 2

    def result_shape(self, *shapes: Shape) -> Shape:
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            found = " and ".join(map(str, shapes))
            raise ValueError(f"input shapes must broadcast, not {found}") from None

    def evaluate(self, *x: Enclosed) -> Enclosed:
        return enclosed.elementwise(self.fn, *enclosed.aligned(*x))

    def analyse(self, at: Context, *x: Defined) -> Defined:
        return binary(at.asm, at.name, self.fn, *x)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index

"""Sums of products: matrix products and convolutions."""

from dataclasses import dataclass

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.known import Known
from hwgen.analysis.product import multiply
from hwgen.analysis.scaled import Defined, Host, Scaled, Tail
from hwgen.analysis.windows import convolve
from hwgen.numerics import enclosed, windows
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.windows import Kernel
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True)
class MatMul(TensorOp):
    """numpy's matmul of two tensors."""

    arity = 2

    def result_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        rows = a if len(a) > 1 else (1, *a)
        columns = b if len(b) > 1 else (*b, 1)
        if not a or not b or rows[-1] != columns[-2]:
            raise ValueError(f"factors of a matrix product must fit, not shapes {a} and {b}")
        try:
            lead = np.broadcast_shapes(rows[:-2], columns[:-2])
        except ValueError:
            raise ValueError(f"stacks of matrices must broadcast, not {a} and {b}") from None
        row = rows[-2:-1] if len(a) > 1 else ()
        return (*lead, *row, *(columns[-1:] if len(b) > 1 else ()))

    def evaluate(self, *x: Enclosed) -> Enclosed:
        a, b = x
        row, column = len(a.shape) == 2, len(b.shape) == 2  # vectors in the model
        if row:
            a = a.rearrange(lambda values: values[:, np.newaxis])
        if column:
            b = b.rearrange(lambda values: values[..., np.newaxis])
        product = enclosed.matmul(*enclosed.aligned(a, b))
        if column:
            product = product.rearrange(lambda values: values[..., 0])
        if row:
            product = product.rearrange(lambda values: values.squeeze(-1 if column else -2))
        return product

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        match x:
            case Known() as weights, Scaled() | Tail() | Host() as stream:
                left = True
            case Scaled() | Tail() | Host() as stream, Known() as weights:
                left = False
            case _:
                raise at.refused(
                    "one factor must be a constant weight matrix",
                    "two constants" if isinstance(x[0], Known) else "two activations",
                    "products of activations (attention) are not supported yet",
                )
        return multiply(at.asm, at.name, at.integers(stream), weights, left=left)

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray:
        """The summed axis last, without axes of length 1 in front of it."""
        rows = index if position == 0 or index.ndim < 2 else index.swapaxes(-1, -2)
        return rows.reshape(*(n for n in rows.shape[:-1] if n > 1), rows.shape[-1])


@dataclass(frozen=True)
class Conv(TensorOp):
    """Cross-correlation of x (1, channels, *space) with weights (outputs, channels / groups,
    *kernel), padded with the real number 0; result (1, outputs, *space).

    Parameters
    ----------
    strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Before and after, one per spatial axis.
    groups : int
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int = 1

    arity = 2

    def result_shape(self, *shapes: Shape) -> Shape:
        x, weights = shapes
        axes = len(self.strides)
        if len(x) != axes + 2 or len(weights) != axes + 2:
            raise ValueError(f"input and weights must have {axes + 2} axes, not {x} and {weights}")
        if x[1] != weights[1] * self.groups or weights[0] % self.groups:
            raise ValueError(
                f"weights must fit {x[1]} channels in {self.groups} groups, not {weights}"
            )
        space = [
            (n + sum(pad) - d * (k - 1) - 1) // s + 1
            for n, k, s, d, pad in zip(
                x[2:], weights[2:], self.strides, self.dilations, self.pads, strict=True
            )
        ]
        if min(space) < 1:
            raise ValueError(f"the kernel {weights[2:]} must fit the padded input, not {x[2:]}")
        return (x[0], weights[0], *space)

    def evaluate(self, *x: Enclosed) -> Enclosed:
        stream, weights = x
        kernel = Kernel(weights.shape[3:], self.strides, self.dilations, self.pads)
        return windows.convolve(kernel, self.groups, stream, weights)

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        match x:
            case _, Known() as weights:
                stream = at.integers(x[0])
                kernel = Kernel(weights.shape[2:], self.strides, self.dilations, self.pads)
                return convolve(at.asm, at.name, kernel, self.groups, stream, weights)
            case Known(), _:
                raise at.constant()
        raise at.refused(
            "the weights of a Conv must be constant",
            "an activation",
            "only products with stored weights are supported",
        )

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray | None:
        """Position by position."""
        return np.moveaxis(index[0], 0, -1) if index.ndim > 2 else None

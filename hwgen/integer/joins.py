"""Several tensors of the same positions become one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cores.concat import Concat
from cores.eltwise import Add
from cores.types import StreamType
from hwgen.integer.arguments import check_shape
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True, eq=False)
class IntAdd(IntegerOp):
    """sum over the inputs i of factors[i, c] * x_i[..., c], plus offset[c].

    Parameters
    ----------
    factors : int64 array, (inputs, C)
    offset : int64 array, (C,)
    """

    factors: np.ndarray
    offset: np.ndarray

    arity = None

    @property
    def uniform(self) -> bool:
        """Whether each input has one factor for all channels."""
        return bool((self.factors == self.factors[:, :1]).all())

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        shapes = {x.shape for x in inputs}
        if len(shapes) != 1:
            found = ", ".join(map(str, sorted(shapes)))
            raise ValueError(f"inputs must have one shape, not {found}")
        (shape,) = shapes
        check_shape("factors", self.factors.shape, (len(inputs), shape[-1]))
        check_shape("offset", self.offset.shape, shape[-1:])
        lo, hi = self.offset.copy(), self.offset.copy()
        for factor, x in zip(self.factors, inputs, strict=True):
            ends = factor * x.lo, factor * x.hi
            lo, hi = lo + np.minimum(*ends), hi + np.maximum(*ends)
        return IntTensor(shape, lo, hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        return sum((f * each for f, each in zip(self.factors, x, strict=True)), self.offset)

    def lower(self, types: Sequence[StreamType]) -> Add:
        """Of uniform factors; others are products in front of it."""
        if not self.uniform:
            raise ValueError(
                f"factors of an addition must be the same in all channels to be one operator, "
                f"not {self.factors.tolist()}"
            )
        offset = self.offset[:1] if (self.offset == self.offset[0]).all() else self.offset
        dtypes = tuple(kind.dtype for kind in types)
        return Add(types[0].shape, dtypes, tuple(self.factors[:, 0].tolist()), offset)


@dataclass(frozen=True)
class IntConcat(IntegerOp):
    """Tensors of the same positions with their channels behind one another."""

    arity = None

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        spaces = {x.shape[:-1] for x in inputs}
        if len(spaces) != 1:
            shapes = ", ".join(str(x.shape) for x in inputs)
            raise ValueError(f"inputs must have the same positions, not the shapes {shapes}")
        lo, hi = (np.concatenate([getattr(x, end) for x in inputs]) for end in ("lo", "hi"))
        return IntTensor((*spaces.pop(), len(lo)), lo, hi)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        return np.concatenate(x, axis=-1)

    def lower(self, types: Sequence[StreamType]) -> Concat:
        channels, dtypes = zip(*((kind.channels, kind.dtype) for kind in types), strict=True)
        return Concat(channels, dtypes, positions=types[0].shape[:-1])

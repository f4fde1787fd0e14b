"""An integer op that the tree does not have, as another package would bring it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.types import StreamType
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True, eq=False)
class Halve(IntegerOp):
    """floor((x + more[c]) / 2)"""

    more: np.ndarray

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        return IntTensor(x.shape, x.lo + self.more >> 1, x.hi + self.more >> 1)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        return (x[0] + self.more) // 2

    def lower(self, types: Sequence[StreamType]) -> Op:
        (x,) = types
        lo, hi = x.dtype.lo, x.dtype.hi
        starts = [range(lo + 1, hi + 1)] * len(self.more)
        values = [[n + more >> 1 for n in range(lo, hi + 1)] for more in self.more.tolist()]
        return MultiThreshold(x.shape, x.dtype, np.array(starts), np.array(values))

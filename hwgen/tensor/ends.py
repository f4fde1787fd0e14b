"""Ops at the end of a model: softmax and argmax."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.exits import argmax, softmax
from hwgen.analysis.known import Known
from hwgen.analysis.scaled import Defined, Host, Scaled
from hwgen.numerics import enclosed, functions, intervals
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.exact import Real
from hwgen.numerics.intervals import Interval
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True)
class Softmax(TensorOp):
    """exp(x) divided by its sum along `axis`."""

    axis: int

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        if not -len(x) <= self.axis < len(x):
            raise ValueError(f"axis must be among the {len(x)} of the input, not {self.axis}")
        return x

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        axis = self.axis if self.axis < 0 else self.axis + 1
        top = intervals.point(y.bounds.lo.max(axis=axis, keepdims=True))
        powers = intervals.apply("exp", intervals.apply("sub", y.bounds, top))
        slack = 2.0**-52 * (y.shape[axis] + 2)  # of a float64 sum of positive numbers
        total = Interval(
            powers.lo.sum(axis=axis, keepdims=True) * (1 - slack),
            powers.hi.sum(axis=axis, keepdims=True) * (1 + slack),
        )
        share = intervals.apply("div", powers, total)
        bounds = Interval(np.clip(share.lo, 0.0, 1.0), np.clip(share.hi, 0.0, 1.0))
        lines = np.moveaxis(np.arange(bounds.lo.size).reshape(y.shape), axis, -1)
        lines = lines.reshape(-1, y.shape[axis])
        line_of = np.empty(bounds.lo.size, dtype=np.int64)
        line_of[lines] = np.arange(len(lines))[:, np.newaxis]

        @cache
        def power(k: int) -> Real:
            return functions.apply("exp", y.exact(k))

        @cache
        def inverse(line: int) -> Real:
            return functions.total(power(k) for k in lines[line].tolist()).reciprocal()

        return Enclosed(bounds, lambda k: power(k) * inverse(int(line_of[k])))

    def analyse(self, at: Context, *x: Defined) -> Host:
        (value,) = x
        if isinstance(value, Known):
            raise at.constant()
        return softmax(at.asm, at.name, self.axis, value)


@dataclass(frozen=True)
class ArgMax(TensorOp):
    """Index of the largest element, the lowest index at ties, along `axis` (kept with length 1 if
    `keepdims`); of the smallest unless `largest`."""

    axis: int
    keepdims: bool
    largest: bool = True

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        if not -len(x) <= self.axis < len(x):
            raise ValueError(f"axis must be among the {len(x)} of the input, not {self.axis}")
        axis = self.axis % len(x)
        return (*x[:axis], *((1,) if self.keepdims else ()), *x[axis + 1 :])

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        axis = self.axis if self.axis < 0 else self.axis + 1
        bounds = y.bounds if self.largest else intervals.neg(y.bounds)
        lo, hi = np.moveaxis(bounds.lo, axis, -1), np.moveaxis(bounds.hi, axis, -1)
        able = hi >= lo.max(axis=-1, keepdims=True)
        first = able.argmax(axis=-1).astype(float)
        last = able.shape[-1] - 1.0 - able[..., ::-1].argmax(axis=-1)
        elements = np.moveaxis(np.arange(lo.size).reshape(y.shape), axis, -1)

        def decide(k: int) -> int:
            at = np.unravel_index(k, first.shape)
            best, value = -1, Real.of(0)
            for index in np.flatnonzero(able[at]).tolist():
                other = y.exact(int(elements[at][index]))
                if best < 0 or (other > value if self.largest else other < value):
                    best, value = index, other
            return best

        n = enclosed.decided(Interval(first, last), decide)
        return enclosed.whole(np.expand_dims(n, axis) if self.keepdims else n)

    def analyse(self, at: Context, *x: Defined) -> Scaled | Host:
        (value,) = x
        if isinstance(value, Known):
            raise at.constant()
        return argmax(
            at.asm, at.name, self.axis, value, keepdims=self.keepdims, largest=self.largest
        )

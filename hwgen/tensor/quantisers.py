"""Quantisers: one normal form for all of them, and counted thresholds."""

from dataclasses import dataclass

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.known import Known
from hwgen.analysis.quantisers import (
    quantise_host,
    quantise_known,
    quantise_stream,
    threshold_stream,
)
from hwgen.analysis.scaled import Defined, Host
from hwgen.numerics import enclosed, functions, intervals
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.exact import Real
from hwgen.numerics.intervals import Interval
from hwgen.numerics.quantiser import Quantiser, Thresholds
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True, eq=False)
class Quant(Quantiser, TensorOp):
    """The real number (n - zero_point) * scale that a quantiser makes of each element; its
    parameters are those of `Quantiser`."""

    def result_shape(self, *shapes: Shape) -> Shape:
        parts = (*shapes, np.shape(self.scale), np.shape(self.zero_point))
        try:
            return np.broadcast_shapes(*parts)
        except ValueError:
            found = ", ".join(map(str, parts))
            raise ValueError(
                f"shapes of input, scale and zero point must broadcast, not {found}"
            ) from None

    def evaluate(self, *x: Enclosed) -> Enclosed:
        args = (*x, enclosed.parameter(self.scale), enclosed.parameter(self.zero_point))
        y, scale, zero_point = enclosed.aligned(*args)
        bounds = intervals.quantise(
            y.bounds,
            scale=scale.bounds,
            zero_point=zero_point.bounds,
            lo=self.lo,
            hi=self.hi,
            rounding=self.rounding,
            round_first=self.round_first,
        )
        sources = [
            np.broadcast_to(np.arange(part.bounds.lo.size).reshape(part.shape), bounds.lo.shape)
            for part in (y, scale, zero_point)
        ]

        def decide(k: int) -> int:
            i, s, z = (int(source.flat[k]) for source in sources)
            return functions.quantise(
                y.exact(i),
                scale=scale.exact(s),
                zero_point=zero_point.exact(z),
                lo=self.lo,
                hi=self.hi,
                rounding=self.rounding,
                round_first=self.round_first,
            )

        return enclosed.grid(enclosed.decided(bounds, decide), scale, zero_point)

    def analyse(self, at: Context, *x: Defined) -> Defined:
        (value,) = x
        match value:
            case Known():
                return quantise_known(at.name, value, self, at.asm.off_grid)
            case Host() if value.source is None and self.lo is not None and self.hi is not None:
                return at.enter(value, self)
            case Host():
                return quantise_host(value, self)
        return quantise_stream(at.asm, at.name, value, self)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index


@dataclass(frozen=True, eq=False)
class MultiThreshold(Thresholds, TensorOp):
    """out_scale * (number of thresholds t of the channel with x >= t) + out_bias; its parameters
    are those of `Thresholds`."""

    def result_shape(self, *shapes: Shape) -> Shape:
        (x,) = shapes
        rows = np.shape(self.thresholds)[0]
        if not -len(x) <= self.axis < len(x) or rows not in (1, x[self.axis]):
            raise ValueError(
                f"thresholds must be given for 1 or all channels of axis {self.axis} of {x}, "
                f"not {rows}"
            )
        return x

    def evaluate(self, *x: Enclosed) -> Enclosed:
        (y,) = x
        table = np.sort(np.asarray(self.thresholds, dtype=float), axis=1)
        axis = (self.axis if self.axis < 0 else self.axis + 1) % len(y.shape)
        channel = np.arange(y.shape[axis]) if len(table) > 1 else np.zeros(y.shape[axis], dtype=int)
        row = channel.reshape(-1, *(1,) * (len(y.shape) - axis - 1))
        row = np.broadcast_to(row, y.shape)

        def count(bound: np.ndarray) -> np.ndarray:
            return intervals.reached(table, row, bound).astype(float)

        def decide(k: int) -> int:
            value = y.exact(k)
            return sum(value >= threshold for threshold in table[row.flat[k]].tolist())

        n = enclosed.decided(Interval(count(y.bounds.lo), count(y.bounds.hi)), decide)
        scale, ones = Real.of(self.out_scale), (1,) * len(y.shape)
        zero_point = enclosed.numbers([-Real.of(self.out_bias) / scale], ones)
        return enclosed.grid(n, enclosed.numbers([scale], ones), zero_point)

    def analyse(self, at: Context, *x: Defined) -> Defined:
        (value,) = x
        match value:
            case Known():
                raise at.refused("MultiThreshold must be applied to a stream", "a constant")
            case Host() if value.source is None:
                return at.enter(value, self)
            case Host():
                return quantise_host(value, self)
        return threshold_stream(at.name, value, self)

    def follow(self, index: np.ndarray) -> np.ndarray:
        return index

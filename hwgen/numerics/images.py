"""What interval arithmetic shows of a tail over many boxes (a channel and a range of n) at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from hwgen.numerics import intervals
from hwgen.numerics.exact import Real
from hwgen.numerics.intervals import Interval
from hwgen.numerics.tail import (
    Apply,
    Const,
    Expr,
    Parameter,
    Quantise,
    StepCount,
    Var,
    arguments,
    entries,
)

LARGEST = 2.0**53  # integers below are exact in float64


@dataclass(frozen=True, eq=False)
class Boxes:
    """Ranges first..last of n, each in one channel: int64 arrays, (boxes,)."""

    channel: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.channel)

    def __getitem__(self, index: slice | np.ndarray) -> "Boxes":
        return Boxes(self.channel[index], self.first[index], self.last[index])

    def halves(self) -> "Boxes":
        """Each box in two parts; no box may be a single n."""
        middle = self.first + (self.last - self.first) // 2
        return Boxes(
            np.concatenate([self.channel, self.channel]),
            np.concatenate([self.first, middle + 1]),
            np.concatenate([middle, self.last]),
        )


@dataclass(frozen=True, eq=False)
class BoxImage:
    """What is known of an expression on each box.

    Parameters
    ----------
    values : Interval
        Holds all values on the box.
    single : bool array
        The expression has one value on the box.
    known : bool array
        The value follows from the decisions in `key` alone: boxes of one channel that are known
        and have equal keys have the same value.
    key : tuple of float64 array
        The decisions: integers of quantisers, branches taken; 0 where a decision has no influence.
    """

    values: Interval
    single: np.ndarray
    known: np.ndarray
    key: tuple[np.ndarray, ...]


def nodes(expr: Expr) -> Iterator[Expr]:
    """The expression and all that it is made of."""
    yield expr
    for arg in arguments(expr):
        yield from nodes(arg)


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one expression; keeps the enclosures of its parameters."""

    expr: Expr
    _enclosed: dict[int, Interval] = field(default_factory=dict)

    def of(self, boxes: Boxes) -> BoxImage:
        return self._image(self.expr, boxes)

    def _image(self, expr: Expr, boxes: Boxes) -> BoxImage:
        if isinstance(expr, Var):
            single = boxes.first == boxes.last
            first = boxes.first.astype(float)
            key = np.where(single, first, 0.0)
            return BoxImage(Interval(first, boxes.last.astype(float)), single, single, (key,))
        if isinstance(expr, Const):
            always = np.ones(len(boxes), dtype=bool)
            return BoxImage(self._parameter(expr.value, boxes), always, always, ())
        args = [self._image(arg, boxes) for arg in arguments(expr)]
        if isinstance(expr, Quantise):
            return self._quantise(expr, args[0], boxes)
        if isinstance(expr, StepCount):
            return self._count(expr, args[0], boxes)
        return _apply(expr, args)

    def _quantise(self, expr: Quantise, arg: BoxImage, boxes: Boxes) -> BoxImage:
        scale = self._parameter(expr.scale, boxes)
        zero_point = self._parameter(expr.zero_point, boxes)
        n = intervals.quantise(
            arg.values,
            scale=scale,
            zero_point=zero_point,
            lo=expr.lo,
            hi=expr.hi,
            rounding=expr.rounding,
            round_first=expr.round_first,
        )
        return _decided(arg, n, intervals.apply("sub", n, zero_point), scale)

    def _count(self, expr: StepCount, arg: BoxImage, boxes: Boxes) -> BoxImage:
        bounds = self._thresholds(expr)
        row = boxes.channel if len(bounds.lo) > 1 else np.zeros_like(boxes.channel)
        least = intervals.reached(bounds.hi, row, arg.values.lo)
        most = intervals.reached(bounds.lo, row, arg.values.hi)
        n = Interval(least.astype(float), most.astype(float))
        image = _decided(arg, n, n, self._parameter(expr.out_scale, boxes))
        bias = self._parameter(expr.out_bias, boxes)
        values = intervals.apply("add", image.values, bias)
        return BoxImage(values, image.single, image.known, image.key)

    def _parameter(self, parameter: Parameter, boxes: Boxes) -> Interval:
        """The parameter of each box's channel."""
        if id(parameter) not in self._enclosed:
            self._enclosed[id(parameter)] = _enclosures(entries(parameter))
        bounds = self._enclosed[id(parameter)]
        channel = boxes.channel if isinstance(parameter, np.ndarray) else np.zeros_like(boxes.first)
        lo = bounds.lo[channel]
        return Interval(lo, lo if bounds.hi is bounds.lo else bounds.hi[channel])

    def _thresholds(self, expr: StepCount) -> Interval:
        """Bounds of the thresholds, each sorted per channel (counting knows no order)."""
        if id(expr) not in self._enclosed:
            shape = expr.thresholds.shape
            bounds = _enclosures(list(expr.thresholds.reshape(-1)))
            lo, hi = np.sort(bounds.lo.reshape(shape)), np.sort(bounds.hi.reshape(shape))
            self._enclosed[id(expr)] = Interval(lo, hi)
        return self._enclosed[id(expr)]


def _enclosures(numbers: list[Real]) -> Interval:
    lo, hi = np.array([x.enclosure() for x in numbers]).reshape(-1, 2).T
    return intervals.point(lo) if (lo == hi).all() else Interval(lo, hi)


def _decided(arg: BoxImage, n: Interval, factor: Interval, scale: Interval) -> BoxImage:
    """The image of a decision between integers n, which stand for factor * scale."""
    known = (n.lo == n.hi) & (np.abs(n.lo) < LARGEST)
    key = np.where(known, n.lo, 0.0)
    return BoxImage(intervals.apply("mul", factor, scale), known | arg.single, known, (key,))


def _apply(expr: Apply, args: list[BoxImage]) -> BoxImage:
    values = intervals.apply(expr.fn, *(arg.values for arg in args))
    if expr.fn == "sign":
        known = values.lo == values.hi
        key = np.where(known, values.lo, 0.0)
        return BoxImage(values, known | args[0].single, known, (key,))
    if expr.fn == "relu":
        always = np.ones(len(args[0].known), dtype=bool)
        zero = BoxImage(intervals.point(np.zeros(len(always))), always, always, ())
        return _chosen(values, args[0], zero, larger=True)
    if expr.fn in ("min", "max"):
        return _chosen(values, args[0], args[1], larger=expr.fn == "max")
    single = np.logical_and.reduce([arg.single for arg in args])
    known = np.logical_and.reduce([arg.known for arg in args])
    return BoxImage(values, single, known, tuple(k for arg in args for k in arg.key))


def _chosen(values: Interval, x: BoxImage, y: BoxImage, *, larger: bool) -> BoxImage:
    """The image of max or min: where one argument is the result on the whole box, the other has no
    influence."""
    above = (x.values.lo >= y.values.hi, y.values.lo >= x.values.hi)
    x_wins, y_wins = above if larger else above[::-1]
    y_wins = y_wins & ~x_wins
    choice = np.where(x_wins, 1.0, np.where(y_wins, 2.0, 0.0))
    return BoxImage(
        values,
        (x.single | y_wins) & (y.single | x_wins),
        (x.known | y_wins) & (y.known | x_wins),
        (
            choice,
            *(np.where(y_wins, 0.0, k) for k in x.key),
            *(np.where(x_wins, 0.0, k) for k in y.key),
        ),
    )

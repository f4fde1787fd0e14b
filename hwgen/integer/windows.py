"""Windows of positions, and what is made of the elements under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cores.pooling import Reduce
from cores.swg import SlidingWindow
from cores.total import Total
from cores.types import StreamType
from hwgen.integer.arguments import check_axes, check_function, check_shape, check_taps
from hwgen.integer.op import IntegerOp, IntTensor


@dataclass(frozen=True, eq=False)
class IntWindow(IntegerOp):
    """The elements under each kernel position: (*space, C) -> (*out, K * C).

    Channel k * C + c of the result is channel c under tap k; taps in row-major order over the
    kernel. With a kernel of ones this is padding.

    Parameters
    ----------
    kernel, strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Elements before and after, one pair per spatial axis; negative where elements are cut.
    fill : int64 array, (C,)
        What padding holds.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    fill: np.ndarray

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    def out_space(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """Positions along each axis; not positive where the kernel does not fit."""
        axes = zip(space, self.kernel, self.strides, self.dilations, self.pads, strict=True)
        return tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, d, pad in axes)

    def places(self, space: tuple[int, ...]) -> list[np.ndarray]:
        """Per axis an int array (out, kernel): which element each tap sees; outside 0..n - 1 is
        padding."""
        axes = zip(
            self.out_space(space), self.kernel, self.strides, self.dilations, self.pads, strict=True
        )
        return [
            np.arange(out)[:, np.newaxis] * s + np.arange(k) * d - before
            for out, k, s, d, (before, _) in axes
        ]

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        space = x.shape[:-1]
        for name in ("kernel", "strides", "dilations", "pads"):
            check_axes(name, getattr(self, name), space)
        check_shape("fill", self.fill.shape, (x.shape[-1],))
        out = self.out_space(space)
        if min(out) < 1:
            raise ValueError(f"kernel must fit the padded input {space}, not be {self.kernel}")
        # A tap sees data if it does along every axis, padding if it does along any.
        data, padding = np.ones(self.kernel, bool), np.zeros(self.kernel, bool)
        for axis, (at, length) in enumerate(zip(self.places(space), space, strict=True)):
            inside = (at >= 0) & (at < length)
            shape = [1] * len(space)
            shape[axis] = -1
            data &= inside.any(axis=0).reshape(shape)
            padding |= ~inside.all(axis=0).reshape(shape)
        data, padding = data.reshape(-1, 1), padding.reshape(-1, 1)
        lo = np.where(data, np.where(padding, np.minimum(x.lo, self.fill), x.lo), self.fill)
        hi = np.where(data, np.where(padding, np.maximum(x.hi, self.fill), x.hi), self.fill)
        return IntTensor((*out, lo.size), lo.reshape(-1), hi.reshape(-1))

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (image,) = x
        space = image.shape[1:-1]
        shape = [n + before + after for n, (before, after) in zip(space, self.pads, strict=True)]
        padded = np.broadcast_to(self.fill, (len(image), *shape, image.shape[-1])).copy()
        into, kept = [], []
        for n, (before, after) in zip(space, self.pads, strict=True):
            first = max(0, -before)
            last = max(first, n + min(0, after))
            into.append(slice(before + first, before + last))
            kept.append(slice(first, last))
        padded[:, *into] = image[:, *kept]
        # Tap t of an axis sees every stride-th element from t * dilation on, up to where the taps
        # behind it reach the end.
        axes = list(zip(shape, self.kernel, self.strides, self.dilations, strict=True))
        seen = []
        for tap in np.ndindex(self.kernel):
            along = zip(tap, axes, strict=True)
            at = (slice(t * d, n - (k - 1 - t) * d, s) for t, (n, k, s, d) in along)
            seen.append(padded[:, *at])
        return np.concatenate(seen, axis=-1)

    def lower(self, types: Sequence[StreamType]) -> SlidingWindow:
        """Positions in dense order: all channels of a tap, then the next tap."""
        return self._sliding(types, "dense")

    def lower_by_channel(self, types: Sequence[StreamType]) -> SlidingWindow:
        """As `lower`, but all taps of a channel, then the next channel."""
        return self._sliding(types, "depthwise")

    def _sliding(self, types: Sequence[StreamType], order: str) -> SlidingWindow:
        (x,) = types
        return SlidingWindow(
            x.shape,
            x.dtype,
            self.kernel,
            strides=self.strides,
            dilations=self.dilations,
            pads=self.pads,
            fill=self.fill,
            order=order,
        )


@dataclass(frozen=True)
class IntReduce(IntegerOp):
    """The largest element or the sum over the taps of windows: (*out, taps * C) -> (*out, C).

    Parameters
    ----------
    fn : str
        ``max`` or ``sum``.
    taps : int
    """

    fn: str
    taps: int

    by_channel = True

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        check_function(self.fn)
        check_taps(x.shape[-1], self.taps)
        lo, hi = x.lo.reshape(self.taps, -1), x.hi.reshape(self.taps, -1)
        ends = [end.max(axis=0) if self.fn == "max" else end.sum(axis=0) for end in (lo, hi)]
        return IntTensor((*x.shape[:-1], lo.shape[1]), *ends)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (flat,) = x
        windows = flat.reshape(*flat.shape[:-1], self.taps, -1)
        return windows.max(axis=-2) if self.fn == "max" else windows.sum(axis=-2)

    def lower(self, types: Sequence[StreamType]) -> Reduce:
        (x,) = types
        channels = x.channels // self.taps
        return Reduce(channels, self.taps, x.dtype, fn=self.fn, positions=x.shape[:-1])


@dataclass(frozen=True)
class IntTotal(IntegerOp):
    """The sum, or with `fn` ``max`` the largest, over all positions: (*space, C) -> (C,)."""

    fn: str = "sum"

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        check_function(self.fn)
        count = prod(x.shape[:-1]) if self.fn == "sum" else 1
        return IntTensor(x.shape[-1:], x.lo * count, x.hi * count)

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (image,) = x
        space = tuple(range(1, image.ndim - 1))
        return image.max(axis=space) if self.fn == "max" else image.sum(axis=space)

    def lower(self, types: Sequence[StreamType]) -> Total:
        (x,) = types
        return Total(x.shape, x.dtype, fn=self.fn)

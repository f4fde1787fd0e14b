"""Streams as images: which axes of the model's tensor are the positions and which the channels."""

from dataclasses import dataclass
from math import prod

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled, whole
from hwgen.graph.ir import Value
from hwgen.numerics.exact import Real
from hwgen.problem import Problem


@dataclass(frozen=True, eq=False)
class Image:
    """The model's tensor (1, channels, *space) as a stream (*space, channels).

    Parameters
    ----------
    x : Scaled
        Its integers are in the graph; its natural shape is (*space, channels).
    channel : int array, (channels,)
        The stream's channel of each of the model's.
    """

    x: Scaled
    channel: np.ndarray

    @property
    def space(self) -> tuple[int, ...]:
        return self.x.layout.natural[:-1]

    @property
    def channels(self) -> int:
        return self.x.layout.channels

    def like(self, root: Value, space: tuple[int, ...], scale: Coded, bias: Coded) -> Scaled:
        """Another stream whose channels stand for the model's as they do in this one."""
        layout = image_layout(space, self.channels, self.channel)
        return Scaled(root, layout, scale, bias)


def image_layout(space: tuple[int, ...], channels: int, channel: np.ndarray) -> StreamLayout:
    """Of a model's tensor (1, len(channel), *space) in a stream (*space, channels)."""
    index = np.arange(prod(space))[:, np.newaxis] * channels + channel
    index = np.moveaxis(index.reshape(*space, len(channel)), -1, 0)
    return StreamLayout(index[np.newaxis], (*space, channels))


def as_image(asm: Assembly, name: str, x: Scaled) -> Image:
    """The stream seen as (1, channels, *space).

    Raises
    ------
    ProblemError
        Its elements come in another order than position by position.
    """
    _, channels, *space = x.shape
    natural = (*space, channels)
    flat = np.moveaxis(x.layout.index[0], 0, -1).reshape(-1, channels)
    place, channel = np.divmod(flat, channels)
    in_order = (
        prod(natural) == prod(x.layout.natural)
        and (place == np.arange(len(place))[:, np.newaxis]).all()
        and (channel == channel[:1]).all()
    )
    if not in_order:
        raise ProblemError(
            Problem(
                name,
                f"its input must come position by position with all {channels} channels of each",
                f"another order of a {x.layout.natural} stream",
                "remove the Reshape or Transpose in front that moves channels into positions",
            )
        )
    return Image(asm.reshape(name, x, natural), channel[0])


def number_of(name: str, what: str, x: Scaled, value: Real, fix: str) -> np.ndarray:
    """The integer of each channel that stands for the real number `value`.

    Raises
    ------
    ProblemError
        `value` is not on the grid of a channel.
    """
    numbers = combine(lambda s, b: (value - b) / s, x.scale, x.bias)
    if not all(map(whole, numbers.palette)):
        off = next(n for n in numbers.palette if not whole(n))
        raise ProblemError(
            Problem(
                name,
                f"{what}, the number {float(value):g}, must be one of the values of its input",
                f"a step of {float(off):g} on the grid of {x.root.node}",
                fix,
            )
        )
    return numbers.numbers(lambda n: int(n.fraction), np.int64)


def axes_of(layout: StreamLayout) -> list[int | None] | None:
    """The axis of the stream along which each axis of the model runs; None if the model's tensor is
    no transposition of the stream's shape.

    The batch axis runs along none, nor do axes of length 1 of which the stream has another number.
    """
    index, natural = layout.index, layout.natural
    if index.size != prod(natural) or index.size == 0:
        return None
    strides = [prod(natural[axis + 1 :]) for axis in range(len(natural))]
    found: list[int | None] = []
    whole = np.zeros(index.shape, np.int64)
    for axis, length in enumerate(index.shape):
        if length == 1:
            found.append(None)
            continue
        corner = [0] * index.ndim
        corner[axis] = 1
        step = int(index[tuple(corner)] - index.flat[0])
        match = [k for k, n in enumerate(natural) if n == length and strides[k] == step]
        if not match:
            return None
        found.append(match[0])
        shape = [1] * index.ndim
        shape[axis] = -1
        whole = whole + (np.arange(length) * step).reshape(shape)
    return _with_short_axes(found, natural) if np.array_equal(whole, index) else None


def _with_short_axes(found: list[int | None], natural: tuple[int, ...]) -> list[int | None]:
    """Axes of length 1 in their order, the model's axis 1 first if it can hold the channels."""
    short = [axis for axis in range(1, len(found)) if found[axis] is None]
    free = [axis for axis in range(len(natural)) if axis not in found]
    if len(short) != len(free):
        return found
    inner = len(natural) - 1
    if short[:1] == [1] and free[-1] == inner:
        free = [inner, *free[:-1]]
    pairs = dict(zip(short, free, strict=True))
    return [pairs.get(axis, place) for axis, place in enumerate(found)]

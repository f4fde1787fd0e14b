"""Where each element of a model's tensor lies in the integer graph's natural shape.

Reshape, Transpose, Flatten, Squeeze and Unsqueeze only rearrange these positions, so any mix of
them is exact and costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgen.analysis.coded import Coded


@dataclass(frozen=True)
class Rearrangement:
    """Another order of the axes, then another shape in row-major order; neither where None.

    Parameters
    ----------
    perm, shape : tuple of int or None
    """

    perm: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = x if self.perm is None else x.transpose(self.perm)
        return x if self.shape is None else x.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class StreamLayout:
    """Positions of a model tensor's elements.

    Parameters
    ----------
    index : int array in the model's shape, batch axis included
        Flat position of each element in the natural shape.
    natural : tuple of int
        Shape of the stream: no batch axis, channels last.
    """

    index: np.ndarray
    natural: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape

    @property
    def channels(self) -> int:
        return self.natural[-1]

    @property
    def channel(self) -> np.ndarray:
        """The channel of each element."""
        return self.index % self.channels

    @classmethod
    def in_order(cls, order: np.ndarray) -> "StreamLayout":
        """Of a tensor of which natural element k is flat element ``order.flat[k]``; flat itself."""
        index = np.empty(order.size, np.int64)
        index[order.reshape(-1)] = np.arange(order.size)
        return cls(index, order.shape)

    def rearrange(self, change: Callable[[np.ndarray], np.ndarray]) -> "StreamLayout":
        return StreamLayout(change(self.index), self.natural)

    def per_channel(self, values: Coded) -> Coded | None:
        """Values that broadcast against the model's shape, one per channel; None if elements of a
        channel differ."""
        codes = np.broadcast_to(values.code, self.shape).reshape(-1)
        channel = self.channel.reshape(-1)
        chosen = np.zeros(self.channels, dtype=np.int64)
        chosen[channel] = codes
        if not np.array_equal(chosen[channel], codes):
            return None
        return Coded(values.palette, chosen).compact()

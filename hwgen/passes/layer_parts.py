"""What the values of an integer graph are while they become layers of a sequence: tensors in the
memory of the engine, windows of them, sums whose results are not known yet."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cores.engine.layer import BYTE
from cores.types import IntType
from hwgen.errors import ModelError
from hwgen.graph.ir import Node
from hwgen.integer.joins import IntAdd
from hwgen.integer.moves import IntCrop
from hwgen.integer.op import IntTensor
from hwgen.integer.windows import IntWindow


@dataclass(frozen=True, eq=False)
class InMemory:
    """A tensor in the memory of the engine.

    Parameters
    ----------
    made : int
        How many layers had been made when it was: 0 is the frame.
    image : tuple of int
        Height, width and channels.
    excess : int
        What a number in the memory lacks to that of the graph.
    kind : IntTensor
        Of the graph.
    """

    made: int
    image: tuple[int, int, int]
    excess: int
    kind: IntTensor


@dataclass(frozen=True, eq=False)
class Seen:
    """A tensor through windows."""

    source: InMemory
    window: IntWindow
    kind: IntTensor


@dataclass(frozen=True, eq=False)
class LayerSums:
    """Products that are to be added.

    Parameters
    ----------
    name : str
        Of the node.
    sources : tuple of InMemory
    weights : int array
        See `cores.engine.layer.Layer`.
    offset : int array, (rows,)
    kind : IntTensor
        Of the graph.
    geometry : dict
        Fields of a layer: kernel, strides, dilations, pads, fill.
    add : IntAdd or None
        What joins two tensors.
    """

    name: str
    sources: tuple[InMemory, ...]
    weights: np.ndarray
    offset: np.ndarray
    kind: IntTensor
    geometry: dict[str, Any]
    largest: bool = False
    add: IntAdd | None = None

    @cached_property
    def ranges(self) -> list[IntType]:
        """Of each row."""
        ends = zip(self.kind.lo, self.kind.hi, strict=True)
        return [IntType(int(lo), int(hi)) for lo, hi in ends]

    @property
    def more(self) -> np.ndarray:
        """What sums of numbers in the memory lack to those of the graph."""
        if self.add is not None:
            excess = np.array([each.excess for each in self.sources])
            return self.weights @ excess + self.offset
        flat = self.weights.reshape(len(self.weights), -1)
        return self.sources[0].excess * flat.sum(axis=1) + self.offset


Part = InMemory | Seen | LayerSums


def same(source: InMemory | Seen, name: str) -> LayerSums:
    """Each element for itself, from a tensor or from windows of one element."""
    channels = source.kind.shape[-1]
    ones, zeros = np.ones((channels, 1), np.int64), np.zeros(channels, np.int64)
    if isinstance(source, InMemory):
        return LayerSums(name, (source,), ones, zeros, source.kind, {})
    found = geometry(source.window, source.source.excess, name)
    return LayerSums(name, (source.source,), ones, zeros, source.kind, found)


def image(shape: tuple[int, ...], what: str) -> tuple[int, int, int]:
    if len(shape) > 3:
        raise ModelError(f"{what}: a sequence takes at most two axes and channels, not {shape}")
    height, width, channels = (1,) * (3 - len(shape)) + shape
    return height, width, channels


def excess(dtype: IntType, name: str) -> int:
    """What makes numbers of a range those of 8 bits with sign."""
    if BYTE.holds(dtype):
        return 0
    half = BYTE.levels // 2
    if BYTE.holds(IntType(dtype.lo - half, dtype.hi - half)):
        return half
    raise ModelError(f"{name}: numbers of a sequence must have 8 bits, not {dtype}")


def geometry(window: IntWindow, lacking: int, name: str) -> dict[str, Any]:
    """Fields of a layer that sees an image through windows."""
    fill = set(map(int, window.fill))
    padded = any(max(ends) > 0 for ends in window.pads)
    if len(fill) > 1 and padded:
        raise ModelError(f"{name}: padding must be the same in all channels in a sequence")
    one, none = (1,) * (2 - len(window.kernel)), ((0, 0),) * (2 - len(window.kernel))
    return {
        "kernel": (*one, *window.kernel),
        "strides": (*one, *window.strides),
        "dilations": (*one, *window.dilations),
        "pads": (*none, *window.pads),
        "fill": min(fill) - lacking if padded else 0,
    }


def cut(node: Node, op: IntCrop, kind: IntTensor) -> IntWindow:
    """Elements at equal distances as windows of one element with negative padding."""
    *space, channels = kind.shape
    if (op.starts[-1], op.stops[-1], op.steps[-1]) != (0, channels, 1):
        raise ModelError(
            f"{node.name}: a sequence takes whole channels, not those from {op.starts[-1]} to "
            f"{op.stops[-1]} of {channels}; build it with one unit per layer"
        )
    pads = []
    for n, start, stop, step in zip(space, op.starts, op.stops, op.steps, strict=False):
        last = start + (stop - start - 1) // step * step
        pads.append((-start, last + 1 - n))
    ones = (1,) * len(space)
    return IntWindow(ones, op.steps[:-1], ones, tuple(pads), np.zeros(channels, np.int64))

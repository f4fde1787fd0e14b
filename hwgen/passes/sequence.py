"""From the integer graph to one operator that runs its layers one after the other."""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from cores.argmax import ArgMax
from cores.engine.layer import BYTE, Layer, Rescale
from cores.engine.sequence import LANES, LayerSequence
from cores.linear_fit import fit, reached
from cores.types import IntType, StreamType
from hwgen.errors import ModelError
from hwgen.integer import (
    IntArgMax,
    IntDepthwise,
    IntMatMul,
    IntReduce,
    IntReshape,
    IntTensor,
    IntTotal,
    IntWindow,
    Step,
)
from hwgen.ir import Graph, Node, Value
from hwgen.result_type import result_type

NODE = "layers"
"""Name of the one node."""


def lower_to_sequence(graph: Graph) -> Graph:
    """All layers as one `LayerSequence`, not folded.

    Requires: an integer graph.
    Ensures: a dataflow graph of one node, and of one more that picks the largest result where the
    model ends so.
    Keeps: the function of the graph.

    Raises
    ------
    ModelError
        Some node has no place in a sequence; the message names it.
    """
    (name, entry), *more = graph.inputs.items()
    if more or len(graph.outputs) != 1:
        raise ModelError(f"{graph.name}: a sequence must have one input and one output")
    chain = _Chain(entry, Value(name, ""))
    for node in graph:
        if node.inputs != (chain.value,):
            raise ModelError(
                f"{node.name}: a sequence runs one layer after the other, and it takes "
                "another branch; build it with one unit per layer"
            )
        chain.take(node)
    ((output, value),) = graph.outputs.items()
    if value != chain.value:
        raise ModelError(f"{graph.name}: the output {output} must be what the last layer makes")
    chain.close()
    return chain.graph(graph, name, output)


@dataclass
class _Sums:
    """Products that are to be added: a layer of which the results are not known yet."""

    node: Node
    weights: np.ndarray
    offset: np.ndarray
    geometry: dict[str, Any]
    shape: tuple[int, int, int]
    ranges: IntTensor
    largest: bool = False


@dataclass
class _Chain:
    """Walks along the nodes and collects layers.

    Parameters
    ----------
    entry : IntTensor
        What comes in.
    value : Value
        The last one.
    """

    entry: IntTensor
    value: Value
    kind: IntTensor = field(init=False)
    image: tuple[int, int, int] = field(init=False)
    """Height, width and channels of the last complete tensor."""
    excess: int = field(init=False)
    """What a number in the engine's memory lacks to that of the graph."""
    window: IntWindow | None = None
    sums: _Sums | None = None
    layers: list[Layer] = field(default_factory=list)
    largest: Node | None = None

    def __post_init__(self):
        self.kind = self.entry
        self.image = _image(self.entry.shape, "the input")
        self.excess = _excess(self.entry.dtype, "the input")

    def take(self, node: Node) -> None:
        if self.largest is not None:
            raise ModelError(f"{node.name}: nothing must follow the choice of the largest result")
        if self.sums is not None and self.sums.largest and not isinstance(node.op, Step):
            self.close()
        match node.op:
            case IntWindow() if self.sums is None and self.window is None:
                self.window = node.op
            case IntReshape(shape) if self.window is None:
                self._reshape(node, shape)
            case IntMatMul(weights, offset) if self.sums is None:
                self._products(node, weights, offset)
            case IntDepthwise(weights, offset) if self.sums is None:
                self._apart(node, weights, offset)
            case IntReduce(fn, taps) if self.sums is None:
                channels = self.image[2]
                ones, zeros = np.ones((channels, taps), np.int64), np.zeros(channels, np.int64)
                self._apart(node, ones, zeros, largest=fn == "max")
            case IntTotal(fn) if self.sums is None and self.window is None:
                self._total(node, largest=fn == "max")
            case Step() if self.window is None:
                self._rescale(node, node.op)
            case IntArgMax() if self.window is None:
                self.close()
                self.largest = node
            case _:
                raise ModelError(
                    f"{node.name}: {type(node.op).__name__} has no place here in a sequence, which "
                    "knows convolutions, products, pooling and the steps behind them; "
                    "build it with one unit per layer"
                )
        self.kind = result_type(node.op, self.kind)
        self.value = node.out

    def close(self) -> None:
        """Sums that no steps follow are results."""
        if self.sums is None:
            return
        sums = self.sums
        if sums.largest:
            out, rows = sums.ranges.dtype, len(sums.weights)
            lowered = IntType(out.lo - self.excess, out.hi - self.excess)
            self._add(sums, sums.weights, Rescale((1,) * rows, (0,) * rows, 0, lowered), ())
            return
        bias = sums.offset + self.excess * sums.weights.reshape(len(sums.weights), -1).sum(axis=1)
        self._add(sums, sums.weights, None, tuple(map(int, bias)))
        self.excess = 0

    def _restore(self) -> None:
        """What leaves the last layer lacks nothing."""
        if not self.excess or not self.layers:
            return
        *before, last = self.layers
        old = last.rescale
        assert old is not None
        more = self.excess
        new = Rescale(
            old.slopes,
            tuple(offset + (more << old.shift) for offset in old.offsets),
            old.shift,
            IntType(old.out.lo + more, old.out.hi + more),
        )
        self.layers = [*before, replace(last, rescale=new)]

    def graph(self, source: Graph, name: str, output: str) -> Graph:
        self._restore()
        stream = StreamType(self.entry.shape, self.entry.dtype)
        shape = self.kind.shape
        if self.largest is not None:
            shape = (*shape[:-1], len(self.layers[-1].weights))
        op = _sequence(stream, tuple(self.layers), shape)
        nodes = [Node(NODE, op, (Value(name, ""),))]
        if self.largest is not None:
            found = op.outputs["o"]
            choice = self.largest.op
            largest = ArgMax(found.shape, found.dtype, offset=choice.offset, rank=choice.rank)
            nodes.append(Node(self.largest.name, largest, (nodes[0].out,)))
        outputs = {output: nodes[-1].out}
        return replace(source, inputs={name: stream}, nodes=tuple(nodes), outputs=outputs)

    def _reshape(self, node: Node, shape: tuple[int, ...]) -> None:
        """Elements in a row for a product with all of them, or positions without neighbours."""
        before = self.sums.ranges.shape if self.sums else self.kind.shape
        if shape != (prod(before),) and _longer(shape) != _longer(before):
            raise ModelError(
                f"{node.name}: a sequence takes a reshape that puts all elements in a row, not "
                f"one from {before} to {shape}"
            )

    def _products(self, node: Node, weights: np.ndarray, offset: np.ndarray) -> None:
        height, width, channels = self.image
        if self.window is not None:
            geometry = _geometry(self.window, self.excess, node)
        elif self.kind.shape[-1] == channels:
            geometry = {"kernel": (1, 1)}
        else:
            geometry = {"kernel": (height, width)}
        taps = prod(geometry["kernel"])
        self._expect(node, weights.reshape(len(weights), taps, -1), offset, geometry)

    def _apart(
        self, node: Node, weights: np.ndarray, offset: np.ndarray, *, largest: bool = False
    ) -> None:
        if self.window is None or len(weights) != self.image[2]:
            raise ModelError(
                f"{node.name}: a depthwise layer of a sequence must make one channel of each, not "
                f"{len(weights)} of {self.image[2]}; build it with one unit per layer"
            )
        geometry = _geometry(self.window, self.excess, node)
        self._expect(node, weights, offset, geometry, largest=largest)

    def _total(self, node: Node, *, largest: bool) -> None:
        height, width, channels = self.image
        weights = np.ones((channels, height * width), np.int64)
        offset = np.zeros(channels, np.int64)
        self._expect(node, weights, offset, {"kernel": (height, width)}, largest=largest)

    def _expect(
        self,
        node: Node,
        weights: np.ndarray,
        offset: np.ndarray,
        geometry: dict[str, Any],
        *,
        largest: bool = False,
    ) -> None:
        ranges = result_type(node.op, self.kind)
        self.sums = _Sums(node, weights, offset, geometry, self.image, ranges, largest)
        self.window = None

    def _rescale(self, node: Node, step: Step) -> None:
        if self.sums is None:
            channels = self.image[2]
            if self.kind.shape[-1] != channels:
                raise ModelError(
                    f"{node.name}: steps of elements in a row have no place in a sequence; build "
                    "it with one unit per layer"
                )
            ones, zeros = np.ones((channels, 1), np.int64), np.zeros(channels, np.int64)
            self.sums = _Sums(node, ones, zeros, {"kernel": (1, 1)}, self.image, self.kind)
        sums = self.sums
        ranges = [
            IntType(int(lo), int(hi)) for lo, hi in zip(sums.ranges.lo, sums.ranges.hi, strict=True)
        ]
        lines = fit(ranges, step.starts, step.values)
        if lines is None:
            raise ModelError(
                f"{node.name}: the steps of some channel are not on a line in integers, as a "
                "sequence needs them; build it with one unit per layer"
            )
        if sums.largest and min(lines.slopes) < 0:
            self.close()  # falling steps need weights of -1, which a largest number does not have
            return self._rescale(node, step)
        out = reached(ranges, step.starts, step.values)
        excess = _excess(out, node.name)
        signs = np.where(np.array(lines.slopes) < 0, -1, 1)
        weights = sums.weights * signs.reshape(-1, *[1] * (sums.weights.ndim - 1))
        inputs = self.excess * sums.weights.reshape(len(weights), -1).sum(axis=1) + sums.offset
        offsets = [
            offset + slope * int(more) - (excess << lines.shift)
            for slope, offset, more in zip(lines.slopes, lines.offsets, inputs, strict=True)
        ]
        rescale = Rescale(
            tuple(map(abs, lines.slopes)),
            tuple(offsets),
            lines.shift,
            IntType(out.lo - excess, out.hi - excess),
        )
        self._add(sums, weights, rescale, ())
        self.excess = excess

    def _add(
        self, sums: _Sums, weights: np.ndarray, rescale: Rescale | None, bias: tuple[int, ...]
    ) -> None:
        try:
            layer = Layer(
                sums.node.name,
                sums.shape,
                weights,
                **sums.geometry,
                rescale=rescale,
                bias=bias,
                largest=sums.largest,
            )
        except ValueError as error:
            raise ModelError(str(error)) from error
        self.layers.append(layer)
        self.image = layer.out_shape
        self.sums = None


def _sequence(
    stream: StreamType, layers: tuple[Layer, ...], shape: tuple[int, ...]
) -> LayerSequence:
    """With the most lanes that are possible."""
    if not layers:
        raise ModelError("a sequence must have a layer; this model has none")
    reason: ValueError | None = None
    for lanes in reversed(LANES):
        try:
            return LayerSequence(stream.shape, stream.dtype, layers, shape, lanes=lanes)
        except ValueError as error:
            reason = error
    raise ModelError(str(reason))


def _image(shape: tuple[int, ...], what: str) -> tuple[int, int, int]:
    if len(shape) > 3:
        raise ModelError(f"{what}: a sequence takes at most two axes and channels, not {shape}")
    height, width, channels = (1,) * (3 - len(shape)) + shape
    return height, width, channels


def _longer(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Its axes of more than one element, and the channels."""
    return (*(n for n in shape[:-1] if n > 1), shape[-1])


def _excess(dtype: IntType, name: str) -> int:
    """What makes numbers of a range those of 8 bits with sign."""
    if BYTE.holds(dtype):
        return 0
    half = BYTE.levels // 2
    if BYTE.holds(IntType(dtype.lo - half, dtype.hi - half)):
        return half
    raise ModelError(f"{name}: numbers of a sequence must have 8 bits, not {dtype}")


def _geometry(window: IntWindow, excess: int, node: Node) -> dict[str, Any]:
    fill = set(map(int, window.fill))
    if len(fill) > 1 and any(map(any, window.pads)):
        raise ModelError(f"{node.name}: padding must be the same in all channels in a sequence")
    one, none = (1,) * (2 - len(window.kernel)), ((0, 0),) * (2 - len(window.kernel))
    return {
        "kernel": (*one, *window.kernel),
        "strides": (*one, *window.strides),
        "dilations": (*one, *window.dilations),
        "pads": (*none, *window.pads),
        "fill": min(fill) - excess if any(map(any, window.pads)) else 0,
    }

"""From the integer graph to one operator that runs its layers one after the other."""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from cores.argmax import ArgMax
from cores.engine.layer import Layer, Rescale
from cores.engine.sequence import LANES, LayerSequence
from cores.types import IntType, StreamType
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntAdd
from hwgen.integer.moves import IntCrop, IntReshape
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul
from hwgen.integer.steps import IntArgMax, IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from hwgen.passes.layer_lines import rescaled
from hwgen.passes.layer_parts import (
    InMemory,
    LayerSums,
    Part,
    Seen,
    cut,
    excess,
    geometry,
    image,
    same,
)

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
        Some node has no place in a sequence, and the message names it; or the graph has several
        inputs or outputs.
    """
    walk = _Walk(graph)
    for node in graph:
        walk.take(node)
    walk.close()
    return walk.lowered()


@dataclass
class _Walk:
    """Goes along the nodes and collects layers.

    Parameters
    ----------
    graph : Graph
        The integer graph.
    """

    graph: Graph
    parts: dict[Value, Part] = field(init=False)
    layers: list[Layer] = field(default_factory=list)
    lacking: int = 0
    """What the last layer's results lack."""
    largest: Node | None = None

    def __post_init__(self):
        kind, _ = self.graph.end_types
        entry, _ = self.graph.ends
        shape = image(kind.shape, "the input")
        self.parts = {entry: InMemory(0, shape, excess(kind.dtype, "the input"), kind)}

    def take(self, node: Node) -> None:
        if self.largest is not None:
            raise ModelError(f"{node.name}: nothing must follow the choice of the largest result")
        sources = [self.parts[value] for value in node.inputs]
        self.parts[node.out] = self._part(node, sources, self.graph.types[node.out])

    def _part(self, node: Node, sources: list[Part], kind: IntTensor) -> Part:
        source = sources[0]
        if isinstance(source, LayerSums) and source.largest and not isinstance(node.op, IntStep):
            source = self._stored(node, 0)
        match node.op, source:
            case IntWindow() as window, InMemory() | Seen():
                return Seen(self._stored(node, 0), window, kind)
            case IntCrop() as crop, InMemory() | Seen():
                stored = self._stored(node, 0)
                return Seen(stored, cut(node, crop, stored.kind), kind)
            case IntReshape(shape), InMemory() | LayerSums():
                _check_reshape(node, source.kind.shape, shape)
                return replace(source, kind=kind)
            case IntMatMul(weights, offset), InMemory() | Seen():
                return _products(node, source, weights, offset, kind)
            case IntDepthwise(weights, offset), InMemory() | Seen():
                return _apart(node, source, weights, offset, kind)
            case IntReduce(fn, taps), Seen():
                channels = kind.shape[-1]
                ones, zeros = np.ones((channels, taps), np.int64), np.zeros(channels, np.int64)
                found = _apart(node, source, ones, zeros, kind)
                return replace(found, largest=fn == "max")
            case IntTotal(fn), InMemory() | Seen():
                return _total(node, self._stored(node, 0), kind, largest=fn == "max")
            case IntAdd() as add, _ if len(sources) == 2:
                return self._sum(node, add, kind)
            case IntStep() as step, _:
                return self._steps(node, source, step, kind)
            case IntArgMax(), InMemory() | LayerSums():
                self.largest = node
                return source
        raise ModelError(
            f"{node.name}: {type(node.op).__name__} has no place here in a sequence, which "
            "knows convolutions, products, sums of two, pooling and the steps behind them; "
            "build it with one unit per layer"
        )

    def _stored(self, node: Node, k: int) -> InMemory:
        """What comes in at place `k`, in the memory; copied or chosen by a layer if it must be."""
        value = node.inputs[k]
        part = self.parts[value]
        if isinstance(part, Seen) and part.window.taps == 1:
            part = same(part, node.name)
        elif isinstance(part, LayerSums) and not part.largest:
            raise ModelError(
                f"{node.name}: a sequence keeps numbers of 8 bits between its layers, not "
                f"{part.kind.dtype} of {value.node}; put a quantiser between them"
            )
        elif isinstance(part, Seen):
            raise ModelError(
                f"{node.name}: {type(node.op).__name__} has no place behind the windows of "
                f"{value.node} in a sequence; build it with one unit per layer"
            )
        if isinstance(part, LayerSums):
            lacking = part.sources[0].excess
            part = self._add(part, part.weights, _unchanged(part.kind, lacking), lacking, part.kind)
        self.parts[value] = part
        return part

    def _sum(self, node: Node, add: IntAdd, kind: IntTensor) -> LayerSums:
        sources = tuple(self._stored(node, k) for k in range(2))
        if sources[0].image != sources[1].image:
            raise ModelError(
                f"{node.name}: tensors are added place by place in a sequence, not "
                f"{sources[0].image} and {sources[1].image}; build it with one unit per layer"
            )
        return LayerSums(node.name, sources, add.factors.T, add.offset, kind, {}, add=add)

    def _steps(self, node: Node, source: Part, step: IntStep, kind: IntTensor) -> InMemory:
        if not isinstance(source, LayerSums):
            one = isinstance(source, Seen) and source.window.taps == 1
            found = source if one else self._stored(node, 0)
            stored = found.source if isinstance(found, Seen) else found
            if found.kind.shape[-1] != stored.image[2]:
                raise ModelError(
                    f"{node.name}: steps of elements in a row have no place in a sequence; build "
                    "it with one unit per layer"
                )
            source = same(found, node.name)
        weights, rescale, lacking = rescaled(source, step, node.name)
        if source.largest and (weights < 0).any():
            # Falling steps need weights of -1, which a largest number does not have.
            source = same(self._stored(node, 0), node.name)
            weights, rescale, lacking = rescaled(source, step, node.name)
        return self._add(source, weights, rescale, lacking, kind)

    def _add(
        self,
        sums: LayerSums,
        weights: np.ndarray,
        rescale: Rescale | None,
        lacking: int,
        kind: IntTensor,
        bias: tuple[int, ...] = (),
    ) -> InMemory:
        number = len(self.layers)
        takes = tuple(number + 1 - source.made for source in sums.sources)
        try:
            layer = Layer(
                sums.name,
                sums.sources[0].image,
                weights,
                **sums.geometry,
                rescale=rescale,
                bias=bias,
                largest=sums.largest,
                takes=takes,
            )
        except ValueError as error:
            raise ModelError(str(error)) from error
        self.layers.append(layer)
        self.lacking = lacking
        return InMemory(number + 1, layer.out_shape, lacking, kind)

    def close(self) -> None:
        """The output becomes what the last layer makes."""
        _, value = self.graph.ends
        part = self.parts[value]
        if self.largest is not None and value != self.largest.out:
            raise ModelError(f"{value.node}: the output must be what the last layer makes")
        if isinstance(part, LayerSums) and not part.largest:
            self._add(part, part.weights, None, 0, part.kind, tuple(map(int, part.more)))
            return
        node = Node(value.node, None, (value,))
        stored = self._stored(node, 0)
        last = self.layers[-1].rescale if self.layers else None
        turned = last is not None and last.late and self.lacking % 2  # ties are not the graph's
        if 0 < stored.made < len(self.layers) or turned:
            sums = same(stored, value.node)
            rescale = _unchanged(stored.kind, stored.excess)
            self._add(sums, sums.weights, rescale, stored.excess, stored.kind)

    def _complete(self) -> tuple[Layer, ...]:
        """What leaves the last layer lacks nothing."""
        if not self.lacking or not self.layers:
            return tuple(self.layers)
        *before, last = self.layers
        old, more = last.rescale, self.lacking
        assert old is not None
        new = replace(
            old,
            offsets=tuple(offset + (more << old.shift) for offset in old.offsets),
            out=IntType(old.out.lo + more, old.out.hi + more),
        )
        return (*before, replace(last, rescale=new))

    def lowered(self) -> Graph:
        """The graph of one `LayerSequence`, and of one more op where the model picks a result."""
        entry, value = self.graph.ends
        kind = self.graph.types[entry]
        stream = StreamType(kind.shape, kind.dtype)
        op = _sequence(stream, self._complete(), self.parts[value].kind.shape)
        nodes = [Node(NODE, op, (entry,))]
        if self.largest is not None:
            found = op.outputs["o"]
            choice = self.largest.op
            largest = ArgMax(found.shape, found.dtype, offset=choice.offset, rank=choice.rank)
            nodes.append(Node(self.largest.name, largest, (nodes[0].out,)))
        return replace(
            self.graph,
            inputs=dict.fromkeys(self.graph.inputs, stream),
            nodes=tuple(nodes),
            outputs=dict.fromkeys(self.graph.outputs, nodes[-1].out),
        )


def _products(
    node: Node,
    source: InMemory | Seen,
    weights: np.ndarray,
    offset: np.ndarray,
    kind: IntTensor,
) -> LayerSums:
    stored, fields = _seen(node, source)
    height, width, channels = stored.image
    if isinstance(source, InMemory):
        one = stored.kind.shape[-1] == channels
        fields = {"kernel": (1, 1) if one else (height, width)}
    taps = prod(fields["kernel"])
    shaped = weights.reshape(len(weights), taps, -1)
    return LayerSums(node.name, (stored,), shaped, offset, kind, fields)


def _apart(
    node: Node,
    source: InMemory | Seen,
    weights: np.ndarray,
    offset: np.ndarray,
    kind: IntTensor,
) -> LayerSums:
    """Each channel for itself; where it has several rows, they are rows of all channels."""
    stored, fields = _seen(node, source)
    channels = stored.image[2]
    rows, taps = weights.shape
    if rows != channels:
        dense = np.zeros((rows, taps, channels), np.int64)
        dense[np.arange(rows), :, np.arange(rows) * channels // rows] = weights
        weights = dense
    return LayerSums(node.name, (stored,), weights, offset, kind, fields)


def _total(node: Node, source: InMemory, kind: IntTensor, *, largest: bool) -> LayerSums:
    height, width, channels = source.image
    ones, zeros = np.ones((channels, height * width), np.int64), np.zeros(channels, np.int64)
    fields = {"kernel": (height, width)}
    return LayerSums(node.name, (source,), ones, zeros, kind, fields, largest=largest)


def _seen(node: Node, source: InMemory | Seen) -> tuple[InMemory, dict[str, Any]]:
    if isinstance(source, InMemory):
        return source, {}
    return source.source, geometry(source.window, source.source.excess, node.name)


def _unchanged(kind: IntTensor, lacking: int) -> Rescale:
    """Results are the sums of one element, or the largest."""
    rows, out = len(kind.lo), kind.dtype
    lowered = IntType(out.lo - lacking, out.hi - lacking)
    return Rescale((1,) * rows, (0,) * rows, 0, lowered)


def _check_reshape(node: Node, before: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Elements in a row for a product with all of them, or positions without neighbours."""
    if shape != (prod(before),) and _longer(shape) != _longer(before):
        raise ModelError(
            f"{node.name}: a sequence takes a reshape that puts all elements in a row, not "
            f"one from {before} to {shape}"
        )


def _longer(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Its axes of more than one element, and the channels."""
    return (*(n for n in shape[:-1] if n > 1), shape[-1])


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
            reason = reason or error
    raise ModelError(str(reason))

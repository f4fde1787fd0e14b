"""Reads an ONNX file into a graph of `hwgen.tensor` ops, with all its problems at once."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from hwgen.errors import ModelError
from hwgen.frontend.call import (
    Builder,
    Call,
    RefusalError,
    Shape,
    ShapeUnknownError,
    Tensor,
    UnmappedError,
)
from hwgen.frontend.model_file import (
    STANDARD_DOMAINS,
    graph_inputs,
    load,
    opset,
    stored_array,
)
from hwgen.frontend.order import node_labels, topological
from hwgen.frontend.shapes import fold
from hwgen.frontend.table import QUANTISERS, Reader, reader_of
from hwgen.frontend.unsupported import full_name, output_shapes, unmapped
from hwgen.graph.ir import Graph, Value
from hwgen.problem import Problem
from hwgen.tensor.op import TensorType
from hwgen.tensor.unsupported import Unsupported

Find = Callable[[str, str], Reader | None]
"""From an operator's name and domain to the function that reads it."""

UNUSED = "no output depends on it"


@dataclass(frozen=True)
class SourceNode:
    """One node of the ONNX file.

    Parameters
    ----------
    name : str
        The node's name, made unique; ``<OpType>_<index>`` where it has none.
    op_type : str
        Operator, with its domain unless it is a standard one.
    nodes : tuple of str
        The graph nodes it became, in order; several ONNX nodes can share one.
    note : str
        Why it became none, as ``stored numbers``; empty otherwise.
    """

    name: str
    op_type: str
    nodes: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Model:
    """A model as read.

    Parameters
    ----------
    graph : Graph
        Ops of `hwgen.tensor`; inputs and outputs are named as in the file.
    sources : tuple of SourceNode
        Every node of the file, in file order.
    problems : tuple of Problem
        What cannot be mapped and why; the graph has an `Unsupported` op in each such place.
    hash : str
        BLAKE2s of the file's bytes, hexadecimal.
    name : str
        The file's name without its ending.
    """

    graph: Graph
    sources: tuple[SourceNode, ...]
    problems: tuple[Problem, ...]
    hash: str
    name: str


def read(path: str | Path, find: Find = reader_of) -> Model:
    """Reads a model file.

    Parameters
    ----------
    find : callable
        Which function reads which operator; `Registry.reader_of` knows those of other packages.

    Raises
    ------
    ModelError
        The file is not a whole ONNX model, its graph is broken, or an input has no fixed shape
        with batch 1.
    """
    proto, digest = load(path)
    reading = _Reading(proto, find)
    graph = reading.run(Path(path).stem)
    return Model(graph, reading.sources(graph), tuple(reading.problems), digest, graph.name)


class _Reading:
    """The walk through one graph: what is known of every tensor name."""

    def __init__(self, proto: onnx.ModelProto, find: Find):
        self.find = find
        self.nodes = list(proto.graph.node)
        self.outputs = [info.name for info in proto.graph.output]
        self.inputs: dict[str, TensorType] = graph_inputs(proto)
        self.opsets = {o.domain: o.version for o in proto.opset_import} | {"": opset(proto)}
        self.declared = _declared_shapes(proto.graph)
        self.builder = Builder(self.inputs, node_labels(self.nodes, self.inputs))
        self.known: dict[str, Tensor] = {
            name: Tensor(kind.shape, kind.elem, Value(name, ""))
            for name, kind in self.inputs.items()
        }
        for tensor in proto.graph.initializer:
            array, elem = stored_array(tensor, f"initialiser {tensor.name}")
            self.known[tensor.name] = Tensor(array.shape, elem, const=array, name=tensor.name)
        self.order = topological(self.nodes, self.known, self.outputs, self.builder.labels)
        self.uses = Counter(self.outputs)
        for index in self.order:
            self.uses.update(self.nodes[index].input)
        self.problems: list[Problem] = []
        self.notes = dict.fromkeys(range(len(self.nodes)), UNUSED)
        self.shared_nodes: dict[int, str] = {}

    def run(self, name: str) -> Graph:
        for index in self.order:
            self._read_node(index)
        outputs = {}
        for output in self.outputs:
            outputs[output] = self._output(output)
        nodes = tuple(self.builder.nodes.values())
        return Graph(self.inputs, nodes, outputs, name).without_dead_nodes()

    def _output(self, name: str) -> Value:
        """An output's value; integers with a grid are spelled out as nodes of their maker."""
        tensor = self.known[name]
        maker = next((i for i in self.order if name in self.nodes[i].output), None)
        if tensor.grid is None or maker is None:
            try:
                return self.builder.value(tensor)
            except RefusalError as refusal:
                raise ModelError(f"output {name}: {refusal.rule}, not {refusal.found}") from refusal
        return self.builder.value(self._call(maker).plain(tensor))

    def _call(self, index: int) -> Call:
        node = self.nodes[index]
        return Call(
            builder=self.builder,
            index=index,
            kind=node.op_type,
            inputs=tuple(self.known[name] if name else None for name in node.input),
            attributes=_attributes(node, self.builder.labels[index]),
            opset=self.opsets[""],
            used=tuple(self.uses[name] if name else 0 for name in node.output),
        )

    def _read_node(self, index: int) -> None:
        node = self.nodes[index]
        before = len(self.builder.nodes)
        try:
            results = self._results(index, node)
        except RefusalError as refusal:
            self.builder.roll_back(before)
            label = self.builder.labels[index]
            self.problems.append(Problem(label, refusal.rule, refusal.found, refusal.fix))
            results = self._give_up(index, refusal)
        except ShapeUnknownError:
            self.builder.roll_back(before)
            results = self._give_up(index, None)
        for name, tensor in zip(node.output, results, strict=False):
            if name:
                self.known[name] = replace(tensor, shared=tensor.shared or self.uses[name] > 1)
        self.notes[index] = self._note(index, results)

    def _results(self, index: int, node: onnx.NodeProto) -> tuple[Tensor, ...]:
        call = self._call(index)
        folded = fold(call) if node.domain in STANDARD_DOMAINS else None
        if folded is not None:
            return (folded,)
        reader = self.find(node.op_type, node.domain)
        if reader is None:
            raise unmapped(node.op_type, node.domain)
        try:
            results = reader(call)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
            # what numpy says of parameters that ONNX's definition of the operator excludes
            what = str(error).splitlines()[0]
            raise RefusalError(f"{node.op_type} must follow its ONNX definition", what) from error
        results = results if isinstance(results, tuple) else (results,)
        if any(call.used[len(results) :]):
            raise RefusalError(
                f"{node.op_type} must give at most {len(results)} outputs", f"{len(node.output)}"
            )
        return results

    def _give_up(self, index: int, refusal: RefusalError | None) -> tuple[Tensor, ...]:
        """An Unsupported node, so that the rest of the model can be read."""
        node, label = self.nodes[index], self.builder.labels[index]
        inputs = {name: self.known[name] for name in node.input if name}
        values = []
        for tensor in inputs.values():
            try:
                values.append(self.builder.value(tensor))
            except RefusalError:  # stored numbers that are not finite are part of what is refused
                continue
        if refusal is None:
            reason, nearest = "the shape of its input is unknown", ""
        elif isinstance(refusal, UnmappedError):
            reason, nearest = refusal.reason, refusal.nearest
        else:
            reason, nearest = f"{refusal.rule}, not {refusal.found}", refusal.fix
        op = Unsupported(full_name(node.op_type, node.domain), reason, nearest)
        made = self.builder.add(label, op, tuple(values), index)
        if node.op_type in QUANTISERS and inputs:
            first = next(iter(inputs.values()))  # quantisers keep the shape
            shapes: tuple = ((first.shape, first.elem),) * len(node.output)
        else:
            shapes = output_shapes(node, inputs, self.declared, self.opsets)
        return tuple(
            Tensor(shape, elem, made[f"o{port}" if port else "o"])
            for port, (shape, elem) in enumerate(shapes)
        )

    def _note(self, index: int, results: tuple[Tensor, ...]) -> str:
        if self.builder.made[index]:
            return ""
        first = results[0]
        if first.const is not None:
            return "stored numbers"
        if first.value is not None and first.value.node in self.builder.nodes:
            self.shared_nodes[index] = first.value.node
            return ""
        return "passes its input on"

    def sources(self, graph: Graph) -> tuple[SourceNode, ...]:
        rows = []
        for index, node in enumerate(self.nodes):
            made = [name for name in self.builder.made[index] if name in graph.by_name]
            shared = self.shared_nodes.get(index)
            if not made and shared in graph.by_name:
                made = [shared]
            note = "" if made else self.notes[index] or UNUSED
            kind = full_name(node.op_type, node.domain)
            rows.append(SourceNode(self.builder.labels[index], kind, tuple(made), note))
        return tuple(rows)


def _attributes(node: onnx.NodeProto, label: str) -> Mapping[str, Any]:
    """Attributes as Python values; tensors as (array, element type)."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            array, elem = stored_array(attribute.t, f"{label}: attribute {attribute.name}")
            found[attribute.name] = (array, elem)
        elif attribute.type == onnx.AttributeProto.STRING:
            found[attribute.name] = attribute.s.decode(errors="replace")
        elif attribute.type in (
            onnx.AttributeProto.FLOAT,
            onnx.AttributeProto.INT,
            onnx.AttributeProto.FLOATS,
            onnx.AttributeProto.INTS,
        ):
            found[attribute.name] = helper.get_attribute_value(attribute)
    return found


def _declared_shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Shapes that the file declares for inner tensors and outputs, the batch taken as 1."""
    shapes = {}
    for info in (*graph.value_info, *graph.output):
        if not info.type.tensor_type.HasField("shape"):
            continue
        dims = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        if dims and dims[0] < 1:
            dims[0] = 1
        if all(dim > 0 for dim in dims):
            shapes[info.name] = tuple(dims)
    return shapes

"""Scaled-integer analysis: from the tensor graph to the integer graph, with exact ranges.

One walk over the model. Every value is a constant, scale * n + bias of an integer n, an elementwise
function of such an integer that the next quantiser closes, or something that the host computes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from cores.types import IntType
from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded
from hwgen.analysis.edge_plan import Edge
from hwgen.analysis.elementwise import Defined, binary, unary
from hwgen.analysis.entry import enter, enter_integers
from hwgen.analysis.exits import argmax, leave, softmax
from hwgen.analysis.joins import concatenate
from hwgen.analysis.known import Known, joined, moved
from hwgen.analysis.moves import move
from hwgen.analysis.pooling import average, largest, mean
from hwgen.analysis.product import multiply
from hwgen.analysis.quantisers import (
    off_grid_warning,
    quantise_host,
    quantise_known,
    quantise_stream,
    threshold_stream,
)
from hwgen.analysis.scaled import Host, RefusedError, Scaled, Tail, Unknown
from hwgen.analysis.trees import decides
from hwgen.analysis.windows import convolve
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.host.edges import EdgeStep
from hwgen.numerics.exact import ONE, ZERO, DomainError, UndecidedError
from hwgen.problem import Problem
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.input_type import EXAMPLES, InputType, insert_input_quantiser
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.op import TensorType
from hwgen.tensor.order import natural_order
from hwgen.tensor.pool_last import quantise_before_pooling
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.unsupported import Unsupported

INTEGER_INPUTS = {
    "UINT4": IntType.bits(4, signed=False),
    "INT4": IntType.bits(4, signed=True),
    "UINT8": IntType.bits(8, signed=False),
    "INT8": IntType.bits(8, signed=True),
    "UINT16": IntType.bits(16, signed=False),
    "INT16": IntType.bits(16, signed=True),
}

Abstract = Defined | Unknown
Spatial = MaxPool | AveragePool | Mean | Pad | Slice | Repeat | Dilate
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a model is in integers.

    Parameters
    ----------
    graph : Graph or None
        The integer graph; None where problems leave none.
    problems : list of Problem
    warnings : list of str
    fates : dict of tensor node name to str
        What became of each node of the tensor graph, in a few words.
    input_edges, output_edges : dict of input or output name to host steps
        See `hwgen.host.edges`.
    """

    graph: Graph | None
    problems: list[Problem]
    warnings: list[str]
    fates: dict[str, str]
    input_edges: dict[str, list[EdgeStep]]
    output_edges: dict[str, list[EdgeStep]]


def analyse(graph: Graph, input_types: Mapping[str, InputType] | None = None) -> Analysis:
    """Maps a tensor graph to integers and reports every problem at once.

    Parameters
    ----------
    graph : Graph
        Ops of `hwgen.tensor`.
    input_types : mapping of input name to InputType, optional
        Quantisers to insert right at float inputs, as `insert_input_quantiser` does.
    """
    for name, kind in (input_types or {}).items():
        graph = insert_input_quantiser(graph, name, kind)
    return _Walk(quantise_before_pooling(graph.without_dead_nodes())).run()


@dataclass(eq=False)
class _Walk:
    """One pass over the nodes; `values` holds what is known of each."""

    graph: Graph
    asm: Assembly = field(default_factory=Assembly)
    values: dict[Value, Abstract] = field(default_factory=dict)
    off_grid: list[str] = field(default_factory=list)
    edges: dict[str, Edge] = field(default_factory=dict)
    entered: dict[str, str] = field(default_factory=dict)

    def run(self) -> Analysis:
        for name, kind in self.graph.inputs.items():
            self.values[Value(name, "")] = self._input(name, kind)
        for node in self.graph:
            # further outputs of nodes that are not mapped have no entry
            args = [self.values.get(value, Unknown()) for value in node.inputs]
            defined = [arg for arg in args if not isinstance(arg, Unknown)]
            result: Abstract = Unknown()
            if len(defined) == len(args):
                result = self._guarded(node.name, partial(self._shared, node, defined))
            self._set(node, result)
        outputs: dict[str, Value] = {}
        output_edges: dict[str, list[EdgeStep]] = {}
        for name, value in self.graph.outputs.items():
            x = self.values.get(value, Unknown())
            if isinstance(x, Unknown):
                continue
            left = self._guarded(name, partial(leave, self.asm, name, x))
            if not isinstance(left, Unknown):
                outputs[name], output_edges[name] = left
        return self._result(outputs, output_edges)

    def _result(
        self, outputs: dict[str, Value], output_edges: dict[str, list[EdgeStep]]
    ) -> Analysis:
        for what, names in (("input", self.graph.inputs), ("output", self.graph.outputs)):
            if len(names) != 1:
                problem = Problem(
                    ", ".join(names) or self.graph.name,
                    f"a model must have one {what}",
                    f"{len(names)}",
                    f"cut the model so that one {what} is left",
                )
                self.asm.problems.append(problem)
        if self.off_grid:
            self.asm.warnings.append(off_grid_warning(self.off_grid))
        whole = not self.asm.problems and len(outputs) == len(self.graph.outputs)
        graph = self.asm.graph(self.graph.name, outputs) if whole else None
        input_edges = {name: edge.steps() for name, edge in self.edges.items()}
        asm = self.asm
        return Analysis(graph, asm.problems, asm.warnings, asm.fates, input_edges, output_edges)

    def _guarded(self, name: str, make: Callable[[], Result]) -> Result | Unknown:
        """What `make` returns; Unknown and a problem where it refuses."""
        try:
            return make()
        except RefusedError as refused:
            self.asm.problems.append(refused.problem)
        except (DomainError, UndecidedError, ModelError) as error:
            self.asm.problems.append(
                Problem(name, "its result must be a definite real number", f"{error}")
            )
        return Unknown()

    def _set(self, node: Node, result: Abstract) -> None:
        self.values[node.out] = result
        if isinstance(result, Unknown) or node.name in self.asm.fates:
            return
        if isinstance(result, Known):
            self.asm.fates[node.name] = "constant"
        elif isinstance(node.op, (Reshape, Transpose)):
            self.asm.fates[node.name] = "vanishes"
        elif isinstance(result, Host):
            side = "before" if result.source is None else "after"
            self.asm.fates[node.name] = f"host: {side} the accelerator"

    def _input(self, name: str, kind: TensorType) -> Abstract:
        one, none = (Coded.uniform(k, kind.shape) for k in (ONE, ZERO))
        edge = Edge().reshape(kind.shape)
        x = Host(edge, kind.shape, name=name, line=(one, none), raw=edge)
        if kind.elem not in INTEGER_INPUTS:
            return x
        order = natural_order(self.graph, Value(name, ""), kind.shape)
        scaled, self.edges[name] = enter_integers(self.asm, x, INTEGER_INPUTS[kind.elem], order)
        return scaled

    def _shared(self, node: Node, args: list[Defined]) -> Abstract:
        """The node's result; what several nodes use is quantised once, for all of them."""
        result = self._node(node, args)
        if not isinstance(result, Scaled) or len(self.graph.users(node.out)) < 2:
            return result
        quantised = result.inner is not None and decides(result.inner.tree)
        return self.asm.realise(result) if quantised else result

    def _node(self, node: Node, args: list[Defined]) -> Abstract:
        name, op = node.name, node.op
        match op, args:
            case Constant(value), []:
                return Known(np.asarray(value))
            case Unary(fn), [x]:
                return unary(name, fn, x)
            case Binary(fn), [a, b]:
                return binary(self.asm, name, fn, a, b)
            case ((Reshape() | Transpose()), [x]):
                return x.rearrange(op)
            case ((Quant() | MultiThreshold()), [x]):
                return self._quantiser(node, op, x)
            case MatMul(), [a, b]:
                return self._product(name, a, b)
            case Conv(), [x, Known() as weights]:
                return convolve(self.asm, name, op, self._integers(name, op, x), weights)
            case Conv(), [Scaled() | Tail() | Host(), _]:
                raise RefusedError(
                    Problem(
                        name,
                        "the weights of a Conv must be constant",
                        "an activation",
                        "only products with stored weights are supported",
                    )
                )
            case Concat(), _:
                return self._concat(name, op, args)
            case _, [x] if isinstance(op, Spatial):
                return self._spatial(name, op, x)
            case Softmax(), [Scaled() | Tail() | Host() as x]:
                return softmax(self.asm, name, op, x)
            case ArgMax(), [Scaled() | Tail() | Host() as x]:
                return argmax(self.asm, name, op, x)
            case Unsupported(), _:
                return Unknown()
        raise RefusedError(
            Problem(
                name,
                f"{type(op).__name__} must be applied to a value that depends on the input",
                "a constant",
                "fold constants in the exporter",
            )
        )

    def _quantiser(self, node: Node, q: Quant | MultiThreshold, x: Defined) -> Defined:
        name = node.name
        match x:
            case Known() if isinstance(q, Quant):
                return quantise_known(name, x, q, self.off_grid)
            case Host() if x.source is None and _bounded(q):
                return self._enter(node, q, x)
            case Host():
                return quantise_host(x, q)
            case Scaled() | Tail():
                if isinstance(q, MultiThreshold):
                    return threshold_stream(name, x, q)
                return quantise_stream(self.asm, name, x, q)
        raise RefusedError(
            Problem(name, "MultiThreshold must be applied to a stream", "a constant")
        )

    def _enter(self, node: Node, q: Quant | MultiThreshold, x: Host) -> Scaled:
        if x.name in self.entered:
            raise RefusedError(
                Problem(
                    node.name,
                    f"input {x.name} must be quantised once",
                    f"a second time after {self.entered[x.name]}",
                    "quantise the input in front of the branch",
                )
            )
        order = natural_order(self.graph, node.out, x.shape)
        scaled, self.edges[x.name] = enter(self.asm, node.name, x, q, order)
        self.entered[x.name] = node.name
        self.asm.fates[node.name] = "host: quantises the input"
        return scaled

    def _product(self, name: str, a: Defined, b: Defined) -> Scaled:
        match a, b:
            case Known() as weights, Scaled() | Tail() | Host() as x:
                left = True
            case Scaled() | Tail() | Host() as x, Known() as weights:
                left = False
            case _:
                raise RefusedError(
                    Problem(
                        name,
                        "one factor must be a constant weight matrix",
                        "two constants" if isinstance(a, Known) else "two activations",
                        "products of activations (attention) are not supported yet",
                    )
                )
        return multiply(self.asm, name, self._integers(name, MatMul(), x), weights, left=left)

    def _spatial(self, name: str, op: Spatial, x: Defined) -> Defined:
        match op, x:
            case _, Known() if (constant := moved(op, x)) is not None:
                return constant
            case Slice(), Host():
                return x.cut(tuple(map(slice, op.starts, op.stops, op.steps)))
            case MaxPool(), Scaled() | Tail():
                return largest(self.asm, name, op, x)
            case AveragePool(), _:
                return average(self.asm, name, op, self._integers(name, op, x))
            case Mean(), _:
                return mean(self.asm, name, op, self._integers(name, op, x))
            case ((Pad() | Slice() | Repeat() | Dilate()), _):
                return move(self.asm, name, op, self._integers(name, op, x))
        raise RefusedError(_unquantised(name, op, x))

    def _concat(self, name: str, op: Concat, args: list[Defined]) -> Defined:
        if all(isinstance(x, Known) for x in args):
            return joined([x for x in args if isinstance(x, Known)], op.axis)
        streams = [self._integers(name, op, x) for x in args]
        return concatenate(self.asm, name, op, streams)

    def _integers(self, name: str, op: object, x: Defined) -> Scaled:
        """The value with its integers in the integer graph."""
        if isinstance(x, (Scaled, Tail)):
            return self.asm.integers(name, x)
        raise RefusedError(_unquantised(name, op, x))


def _unquantised(name: str, op: object, x: Known | Host) -> Problem:
    kind = type(op).__name__
    if isinstance(x, Known):
        return Problem(
            name,
            f"{kind} must be applied to values that depend on the input",
            "a constant",
            "fold constants in the exporter",
        )
    if x.source is None:
        return Problem(
            name,
            f"input {x.name} must be quantised in front of its first {kind}",
            "float numbers",
            f"pass its type, such as {EXAMPLES}",
        )
    return Problem(
        name,
        f"Softmax and argmax must stand behind the last {kind}",
        "one in front of this node",
        "cut the model there",
    )


def _bounded(q: Quant | MultiThreshold) -> bool:
    return isinstance(q, MultiThreshold) or (q.lo is not None and q.hi is not None)

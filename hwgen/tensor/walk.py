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
from hwgen.analysis.context import Context
from hwgen.analysis.edge_plan import Edge
from hwgen.analysis.entry import enter_integers
from hwgen.analysis.exits import leave
from hwgen.analysis.known import Known
from hwgen.analysis.quantisers import off_grid_warning
from hwgen.analysis.scaled import Abstract, Defined, Host, ProblemError, Scaled, Unknown
from hwgen.analysis.trees import decides
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.host.edges import EdgeStep
from hwgen.numerics.exact import ONE, ZERO, DomainError, UndecidedError
from hwgen.problem import Problem
from hwgen.tensor.input_type import InputType, insert_input_quantiser
from hwgen.tensor.op import TensorType, require_op, require_shape
from hwgen.tensor.order import natural_order
from hwgen.tensor.pool_last import quantise_before_pooling

INTEGER_INPUTS = {
    "UINT4": IntType.bits(4, signed=False),
    "INT4": IntType.bits(4, signed=True),
    "UINT8": IntType.bits(8, signed=False),
    "INT8": IntType.bits(8, signed=True),
    "UINT16": IntType.bits(16, signed=False),
    "INT16": IntType.bits(16, signed=True),
}

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

    Raises
    ------
    InputError
        The graph has no input of a name in `input_types`.
    CheckError
        A node's op is no `TensorOp`, or does not give the shape that it promises.
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

    def run(self) -> Analysis:
        for name, kind in self.graph.inputs.items():
            self.values[Value(name, "")] = self._input(name, kind)
        for node in self.graph:
            require_op(node)
            # further outputs of nodes that are not mapped have no entry
            args = [self.values.get(value, Unknown()) for value in node.inputs]
            defined = [arg for arg in args if not isinstance(arg, Unknown)]
            result: Abstract = Unknown()
            if len(defined) == len(args):
                result = self._guarded(node.name, partial(self._result_of, node, defined))
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
        if self.asm.off_grid:
            self.asm.warnings.append(off_grid_warning(self.asm.off_grid))
        whole = not self.asm.problems and len(outputs) == len(self.graph.outputs)
        graph = self.asm.graph(self.graph.name, outputs) if whole else None
        input_edges = {name: edge.steps() for name, edge in self.asm.edges.items()}
        asm = self.asm
        return Analysis(graph, asm.problems, asm.warnings, asm.fates, input_edges, output_edges)

    def _guarded(self, name: str, make: Callable[[], Result]) -> Result | Unknown:
        """What `make` returns; Unknown and a problem where it refuses."""
        try:
            return make()
        except ProblemError as refused:
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
        scaled, self.asm.edges[name] = enter_integers(self.asm, x, INTEGER_INPUTS[kind.elem], order)
        return scaled

    def _result_of(self, node: Node, args: list[Defined]) -> Abstract:
        """The node's result; what several nodes use is quantised once, for all of them."""
        at = Context(self.asm, node.name, type(node.op).__name__, partial(self._order, node, args))
        result = node.op.analyse(at, *args)
        if isinstance(result, Unknown):
            return result
        require_shape(node, [x.shape for x in args], result.shape)
        if not isinstance(result, Scaled) or len(self.graph.users(node.out)) < 2:
            return result
        quantised = result.inner is not None and decides(result.inner.tree)
        return self.asm.realise(result) if quantised else result

    def _order(self, node: Node, args: list[Defined]) -> np.ndarray:
        shape = node.op.result_shape(*(x.shape for x in args))
        return natural_order(self.graph, node.out, shape)

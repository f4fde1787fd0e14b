"""Expressions of one integer as host steps; their quantisers are tables, exact as on the chip."""

import numpy as np

from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge, constant, numbers
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.steps import quantised_table
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep
from hwgen.numerics.exact import Real
from hwgen.numerics.tail import Apply, Const, Expr, Parameter, Quantise, StepCount


def host_edge(tree: Expr, layout: StreamLayout, kind: IntTensor) -> Edge:
    """The value in the model's shape, made from the integer in the stream's shape.

    Parameters
    ----------
    kind : IntTensor
        Of the integer.
    """
    axis = len(layout.natural) - 1
    known: dict[int, Edge] = {}

    def visit(tree: Expr) -> Edge:
        if id(tree) not in known:
            known[id(tree)] = made(tree)
        return known[id(tree)]

    def made(tree: Expr) -> Edge:
        match tree:
            case Const(value):
                return constant(_coded(value))
            case Apply(fn, args):
                first, *others = (visit(arg) for arg in args)
                return first.then("binary" if others else "unary", *others, fn=fn)
            case Quantise():
                scale, zero_point = _coded(tree.scale), _coded(tree.zero_point)
                bias = combine(lambda s, z: -(s * z), scale, zero_point)
                return quantised(tree, scale, bias)
            case StepCount():
                return quantised(tree, _coded(tree.out_scale), _coded(tree.out_bias))
        return Edge()

    def quantised(tree: Quantise | StepCount, scale: Coded, bias: Coded) -> Edge:
        channels = (layout.channels,)
        scale, bias = (
            part.rearrange(lambda code: np.broadcast_to(code, channels)) for part in (scale, bias)
        )
        edge = step_edge(quantised_table(tree, kind, scale, bias), axis)
        fields = {"scale": numbers(scale.compact()), "bias": numbers(bias.compact())}
        return edge.then("affine", **fields, axis=axis)

    return visit(tree).take(layout.index)


def step_edge(step: IntStep, axis: int) -> Edge:
    """A step function along an axis, channels that are equal in one row."""
    same = (step.starts == step.starts[0]).all() and (step.values == step.values[0]).all()
    rows = slice(0, 1) if same else slice(None)
    starts, values = step.starts[rows].tolist(), step.values[rows].tolist()
    return Edge().then("step", starts=starts, values=values, axis=axis)


def _coded(parameter: Parameter) -> Coded:
    if isinstance(parameter, Real):
        return Coded.uniform(parameter)
    return Coded.of_list(list(parameter))

"""What leaves the integer graph: argmax on the chip, and everything the host still has to do."""

from math import prod

import numpy as np

from hwgen.analysis.assembly import MAX_WIDTH, Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge
from hwgen.analysis.known import Known
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import Host, ProblemError, Scaled, Tail
from hwgen.analysis.steps import quantised_table
from hwgen.analysis.tree_edge import step_edge
from hwgen.graph.ir import Value
from hwgen.host.edges import EdgeStep
from hwgen.integer.steps import IntArgMax
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.problem import Problem


def to_host(asm: Assembly, x: Scaled | Tail) -> Host:
    """The value computed on the host from its integer root."""
    if isinstance(x, Scaled) and asm.is_open(x.root):
        x = asm.realise(x)
    base = x if isinstance(x, Scaled) else x.base
    root = asm.settled(base.names[-1] if base.names else base.root.node, base.root)
    edge = Edge()
    if base.inner is not None:
        kind = asm.types[base.root]
        step = quantised_table(base.inner.tree, kind, base.inner.scale, base.inner.bias)
        edge = step_edge(step, len(kind.shape) - 1)
    asm.fold(x.names, "host: after the accelerator")
    whole = isinstance(x, Scaled) and x.whole
    return Host(x.edge.after(edge), x.shape, root, whole=whole)


def softmax(asm: Assembly, name: str, axis: int, x: Scaled | Tail | Host) -> Host:
    """A softmax that the host computes.

    Raises
    ------
    ProblemError
        It stands in front of the accelerator.
    """
    host = x if isinstance(x, Host) else to_host(asm, x)
    if host.source is None:
        raise ProblemError(
            Problem(
                name,
                "Softmax must stand behind the last MatMul",
                "one in front of the first quantiser",
                "remove it from the model and compute it before",
            )
        )
    asm.fates[name] = "host: softmax"
    axis = axis % len(host.shape)
    peak = None if isinstance(x, Host) else x
    edge = host.edge.then("softmax", axis=axis)
    return Host(edge, host.shape, host.source, peak=peak, peak_axis=axis)


def argmax(
    asm: Assembly, name: str, axis: int, x: Scaled | Tail | Host, *, keepdims: bool, largest: bool
) -> Scaled | Host:
    """The index of the largest element, or of the smallest: on the chip where all channels share a
    scale."""
    axis = axis % len(x.shape)
    if isinstance(x, Host) and x.peak is not None and x.peak_axis == axis:
        # Softmax keeps the order of its inputs, and equal ones equal.
        x = x.peak
    reason = "its input is computed on the host"
    if isinstance(x, Scaled):
        whole = asm.realise(x)
        found = _on_chip(asm, name, whole, axis, keepdims=keepdims, largest=largest)
        if isinstance(found, Scaled):
            return found
        x, reason = whole, found
    host = x if isinstance(x, Host) else to_host(asm, x)
    asm.fates[name] = f"host: argmax ({reason})"
    shape = list(host.shape)
    shape[axis] = 1
    if not keepdims:
        del shape[axis]
    edge = host.edge.then("argmax", axis=axis, keepdims=keepdims, largest=largest)
    return Host(edge, tuple(shape), host.source, host.name, whole=True)


def _on_chip(
    asm: Assembly, name: str, x: Scaled, axis: int, *, keepdims: bool, largest: bool
) -> Scaled | str:
    """The ArgMax node's result, or why it must be on the host."""
    channels = x.layout.channels
    index = np.moveaxis(x.layout.index, axis, -1)
    rows = index.reshape(-1, index.shape[-1])
    in_order = np.arange(channels)
    if rows.shape[1] != channels or not (rows % channels == in_order).all():
        return "it compares other elements than the channels in their order"
    scale = x.scale.compact().palette
    if not all(s.same(scale[0]) for s in scale) or not scale[0].sign():
        return "its channels have different scales"
    negative = (scale[0].sign() < 0) == largest
    root, bias = x.root, combine(lambda b, s: b / s, x.bias, x.scale)
    if negative:
        root, bias = asm.signed(root, -np.ones(channels, np.int64)), bias.map(lambda b: -b)
    floor = bias.map(lambda b: b.round("FLOOR"))
    rest = combine(lambda b, f: b - f, bias, floor)
    offset = floor.numbers(int, np.int64)
    offset = offset - offset.min()
    if int(offset.max()).bit_length() > MAX_WIDTH - 2:
        return "its biases are too far apart"
    asm.fold(x.trail, f"folded into {name}")
    chosen = asm.add(name, IntArgMax(offset, _ranks(rest)), root)
    asm.fates[name] = f"ArgMax of {channels}"
    shape = list(x.shape)
    shape[axis] = 1
    out = (rows[:, 0] // channels).reshape(index.shape[:-1])
    out = np.expand_dims(out, axis) if keepdims else out
    layout = StreamLayout(out, (*x.layout.natural[:-1], 1))
    return Scaled(chosen, layout, Coded.uniform(ONE, (1,)), Coded.uniform(ZERO, (1,)), whole=True)


def _ranks(rest: Coded) -> np.ndarray:
    order: list[Real] = []
    for value in sorted(rest.palette):
        if not order or value != order[-1]:
            order.append(value)
    return rest.numbers(lambda value: order.index(value), np.int64)


def leave(
    asm: Assembly, output: str, x: Known | Scaled | Tail | Host
) -> tuple[Value, list[EdgeStep]]:
    """The accelerator's output for one of the model's, and the host steps behind it.

    Raises
    ------
    ProblemError
        The output does not come from the accelerator.
    """
    if isinstance(x, (Scaled, Tail)):
        x = to_host(asm, x)
    if not isinstance(x, Host) or x.source is None or x.source.node in asm.inputs:
        raise ProblemError(
            Problem(
                output,
                "an output must come from a MatMul, a Conv or a quantiser of a quantised stream",
                "a constant" if isinstance(x, Known) else "a value that the host computes alone",
                "give hwgen a model with at least one quantised layer",
            )
        )
    shape = x.shape[1:]
    assert prod(shape) == prod(x.shape), "the batch axis has length 1"
    kind = "int64" if x.whole else "float32"
    return x.source, x.edge.reshape(shape).then(kind).steps()

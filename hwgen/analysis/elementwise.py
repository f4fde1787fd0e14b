"""Elementwise functions on the abstract values of the analysis."""

from dataclasses import replace

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge, constant
from hwgen.analysis.joins import add_streams
from hwgen.analysis.known import Known
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import (
    Defined,
    Host,
    Inner,
    ProblemError,
    Scaled,
    Stream,
    Tail,
    parameter,
    whole,
)
from hwgen.analysis.steps import MAX_LEVELS
from hwgen.analysis.tree_edge import host_edge
from hwgen.analysis.trees import decides
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.functions import apply
from hwgen.numerics.tail import Apply, Const, Var
from hwgen.problem import Problem


def unary(name: str, fn: str, x: Defined) -> Defined:
    """A function of `hwgen.numerics.functions.UNARY`."""
    match x:
        case Known():
            return Known(computed=x.reals.map(lambda value: apply(fn, value)))
        case Host():
            edge = x.edge.then("unary", fn=fn)
            if fn == "neg" and x.line is not None:
                line = (_negated(x.line[0]), _negated(x.line[1]))
                return replace(x, edge=edge, line=line, peak=None, whole=False)
            return replace(x, edge=edge, line=None, peak=None, whole=False)
        case Scaled() if fn == "neg":
            return x.affine(name, factor=_number(-ONE))
        case Scaled() if fn == "relu" and (clipped := _clip(name, "max", x, _zeros(x))):
            return clipped
    return _opened(name, x, Apply(fn, (x.tree,)), x.layout, x.edge.then("unary", fn=fn))


def binary(asm: Assembly, name: str, fn: str, a: Defined, b: Defined) -> Defined:
    """A function of `hwgen.numerics.functions.BINARY`.

    Raises
    ------
    ProblemError
        Two streams meet that cannot be added, or a constant differs inside a channel.
    """
    match a, b:
        case Known(), Known():
            return Known(computed=combine(lambda x, y: apply(fn, x, y), a.reals, b.reals))
        case (Host(), Known()) | (Known(), Host()):
            return _host_with_constant(fn, a, b)
        case Host(), Host() if (a.source, a.name) == (b.source, b.name):
            shape = np.broadcast_shapes(a.shape, b.shape)
            edge = a.edge.then("binary", b.edge, fn=fn)
            return Host(edge, shape, a.source, a.name)
        case (Scaled() | Tail(), Known()):
            return _with_constant(name, fn, a, b, swapped=False)
        case (Known(), Scaled() | Tail()):
            return _with_constant(name, fn, b, a, swapped=True)
        case (Scaled() | Tail(), Scaled() | Tail()):
            return _same_stream(asm, name, fn, a, b) or _two_streams(asm, name, fn, a, b)
    raise _join(name, a, b)


def per_channel(name: str, what: str, layout: StreamLayout, values: Coded) -> Coded:
    """Numbers of the model's shape as one per channel.

    Raises
    ------
    ProblemError
    """
    found = layout.per_channel(values)
    if found is None:
        raise ProblemError(
            Problem(
                name,
                f"{what} must be one number, or one per channel (last axis of {layout.natural})",
                f"numbers of the shape {values.shape} that differ inside a channel",
            )
        )
    return found


def _with_constant(name: str, fn: str, x: Stream, k: Known, *, swapped: bool) -> Stream:
    x = _spread(x, k.shape)
    number = per_channel(name, "the constant", x.layout, k.reals)
    if isinstance(x, Scaled):
        done = _affine(name, fn, x, number, swapped=swapped)
        if done is not None:
            return done
    args = (x.tree, Const(parameter(number)))
    edges = (x.edge, constant(k.reals))
    args, edges = (args[::-1], edges[::-1]) if swapped else (args, edges)
    edge = edges[0].then("binary", edges[1], fn=fn)
    return _opened(name, x, Apply(fn, args), x.layout, edge)


def _affine(name: str, fn: str, x: Scaled, number: Coded, *, swapped: bool) -> Scaled | None:
    """What stays scale * g + bias; None for everything else."""
    match fn:
        case "add":
            return x.affine(name, shift=number)
        case "sub":
            if swapped:
                return x.affine(name, factor=_number(-ONE), shift=number)
            return x.affine(name, shift=_negated(number))
        case "mul":
            return x.affine(name, factor=number)
        case "div" if not swapped:
            return x.affine(name, factor=number.map(Real.reciprocal))
        case "pow" if not swapped and all(k.same(ONE) for k in number.palette):
            return x.affine(name)
        case "min" | "max":
            return _clip(name, fn, x, number)
    return None


def _clip(name: str, fn: str, x: Scaled, bound: Coded) -> Scaled | None:
    """min or max with bounds that lie on the grid of x: still integers of the same grid."""
    if not all(s.is_rational and s.sign() for s in x.scale.palette):
        return None
    steps = combine(lambda k, b, s: (k - b) / s, bound, x.bias, x.scale)
    if not all(map(whole, steps.palette)):
        return None
    channels = x.layout.channels
    inner = x.inner or Inner(
        Var(), Coded.uniform(ONE, (channels,)), Coded.uniform(ZERO, (channels,))
    )
    signs = combine(lambda s, t: (s * t).sign(), x.scale, inner.scale)
    if len({*signs.palette}) > 1:
        return None
    if signs.palette[0] < 0:
        fn = {"min": "max", "max": "min"}[fn]
    level = combine(lambda k, s, b: k * s + b, steps, inner.scale, inner.bias)
    tree = Apply(fn, (inner.tree, Const(parameter(level))))
    return replace(
        x,
        inner=replace(inner, tree=tree),
        closer=name,
        trail=(),
        inner_trail=x.names,
        whole=False,
    )


def _two_streams(asm: Assembly, name: str, fn: str, a: Stream, b: Stream) -> Stream:
    if fn not in ("add", "sub"):
        raise _join(name, a, b)
    return add_streams(asm, name, fn, asm.integers(name, a), asm.integers(name, b))


def _same_stream(asm: Assembly, name: str, fn: str, a: Stream, b: Stream) -> Stream | None:
    """Two functions of the same integer, as in x * sigmoid(x); None for others."""
    root = _base(a).root
    if root != _base(b).root:
        return None
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = _spread(a, shape), _spread(b, shape)
    if not np.array_equal(a.layout.index, b.layout.index):
        return None
    base, other = _base(a), _base(b)
    tree = Apply(fn, (a.tree, b.tree))
    trail = tuple(dict.fromkeys((*_trail(a), *_trail(b), name)))
    if (base.inner and base.inner.tree) is (other.inner and other.inner.tree):
        if isinstance(a, Scaled) and isinstance(b, Scaled) and fn in ("add", "sub"):
            scale, bias = (
                combine(lambda x, y: apply(fn, x, y), x, y)
                for x, y in ((a.scale, b.scale), (a.bias, b.bias))
            )
            trail = (*a.trail, *b.trail, name)
            return replace(a, scale=scale, bias=bias, trail=trail, whole=False)
        return Tail(base, tree, a.layout, a.edge.then("binary", b.edge, fn=fn), trail)
    kind = asm.types[root]
    if decides(tree) and int((kind.hi - kind.lo).max()) >= MAX_LEVELS and fn in ("add", "sub"):
        return None  # quantisers of one wide integer, each with few levels: two streams
    one, none = (Coded.uniform(k, (a.layout.channels,)) for k in (ONE, ZERO))
    trail = tuple(dict.fromkeys((*a.names, *b.names, name)))
    plain = Scaled(root, a.layout, one, none)
    return Tail(plain, tree, a.layout, host_edge(tree, a.layout, kind), trail)


def _opened(name: str, x: Stream, tree: Apply, layout: StreamLayout, edge: Edge) -> Tail:
    return Tail(_base(x), tree, layout, edge, (*_trail(x), name))


def _base(x: Stream) -> Scaled:
    return x if isinstance(x, Scaled) else x.base


def _trail(x: Stream) -> tuple[str, ...]:
    return () if isinstance(x, Scaled) else x.trail


def _spread(x: Stream, shape: tuple[int, ...]) -> Stream:
    """x in the shape that broadcasting against `shape` gives."""
    wanted = np.broadcast_shapes(x.shape, shape)
    if wanted == x.shape:
        return x
    layout = x.layout.rearrange(lambda index: np.broadcast_to(index, wanted))
    return replace(x, layout=layout)


def _host_with_constant(fn: str, a: Host | Known, b: Host | Known) -> Host:
    edges = [x.edge if isinstance(x, Host) else constant(x.reals) for x in (a, b)]
    host, known = (a, b) if isinstance(a, Host) else (b, a)
    assert isinstance(host, Host) and isinstance(known, Known)
    edge = edges[0].then("binary", edges[1], fn=fn)
    shape = np.broadcast_shapes(host.shape, known.shape)
    line = None
    if host.line is not None and shape == host.shape:
        line = _line(fn, host.line, known.reals, swapped=host is b)
    return replace(host, edge=edge, shape=shape, line=line, peak=None, whole=False)


def _line(
    fn: str, line: tuple[Coded, Coded], number: Coded, *, swapped: bool
) -> tuple[Coded, Coded] | None:
    factor, shift = line

    def each(fn: str, part: Coded) -> Coded:
        return combine(lambda x, k: apply(fn, x, k), part, number)

    match fn:
        case "add":
            return factor, each("add", shift)
        case "sub" if swapped:
            return _negated(factor), each("add", _negated(shift))
        case "sub":
            return factor, each("sub", shift)
        case "mul":
            return each("mul", factor), each("mul", shift)
        case "div" if not swapped:
            return each("div", factor), each("div", shift)
    return None


def _join(name: str, a: Defined, b: Defined) -> ProblemError:
    ends = " and ".join(_origin(x) for x in (a, b))
    return ProblemError(
        Problem(
            name,
            "one of its inputs must be a constant",
            f"two streams, {ends}",
            "two streams can be added, subtracted or concatenated",
        )
    )


def _origin(x: Defined) -> str:
    match x:
        case Scaled():
            return x.root.node
        case Tail():
            return x.base.root.node
        case Host():
            return x.name or str(x.source)
    return "a constant"


def _number(value: Real) -> Coded:
    return Coded.uniform(value)


def _zeros(x: Scaled) -> Coded:
    return Coded.uniform(ZERO, (x.layout.channels,))


def _negated(values: Coded) -> Coded:
    return values.map(lambda value: -value)

"""Abstract values of the scaled-integer analysis: what a tensor of the model is, in integers.

Source
------
Scaled-integer range analysis, arXiv 2508.21493.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge, numbers
from hwgen.analysis.known import Known
from hwgen.analysis.layout import Rearrangement, StreamLayout
from hwgen.graph.ir import Value
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.tail import Apply, Const, Expr, Parameter, Var
from hwgen.problem import Problem


class ProblemError(Exception):
    """What a node of the model asks for cannot be mapped; the walk records it and goes on."""

    def __init__(self, problem: Problem):
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, eq=False)
class Unknown:
    """A value behind a problem; its users are not blamed again."""


@dataclass(frozen=True, eq=False)
class Inner:
    """An expression of the root's integer whose values are scale * g + bias, g an integer.

    Parameters
    ----------
    tree : Expr
        Real-valued; ends in a quantiser or in a clip of one.
    scale, bias : Coded of Real, (channels,)
    """

    tree: Expr
    scale: Coded
    bias: Coded


@dataclass(frozen=True, eq=False)
class Scaled:
    """scale * g + bias per channel, g an integer: that of the integer graph, or a function of it.

    Parameters
    ----------
    root : Value
        Value of the integer graph.
    layout : StreamLayout
    scale, bias : Coded of Real, (channels,)
    inner : Inner or None
        What g is where it is not yet in the integer graph; None if g is the root's integer.
    closer : str
        Node of the model that made `inner`.
    trail, inner_trail : tuple of str
        Nodes of the model absorbed into scale and bias, and into `inner`.
    whole : bool
        The model's value is this integer itself (an index).
    """

    root: Value
    layout: StreamLayout
    scale: Coded
    bias: Coded
    inner: Inner | None = None
    closer: str = ""
    trail: tuple[str, ...] = ()
    inner_trail: tuple[str, ...] = ()
    whole: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes absorbed since the root."""
        return (*self.inner_trail, *([self.closer] if self.inner else []), *self.trail)

    @property
    def edge(self) -> Edge:
        """The value in the model's shape, made from the integer g in the natural shape."""
        edge = Edge()
        if not self.is_integer:
            axis = len(self.layout.natural) - 1
            scale, bias = numbers(self.scale.compact()), numbers(self.bias.compact())
            edge = edge.then("affine", scale=scale, bias=bias, axis=axis)
        return edge.take(self.layout.index)

    def rearrange(self, change: Rearrangement) -> "Scaled":
        return replace(self, layout=self.layout.rearrange(change))

    def affine(
        self, node: str, *, factor: Coded | None = None, shift: Coded | None = None
    ) -> "Scaled":
        """factor * self + shift, both per channel."""
        scale, bias = self.scale, self.bias
        if factor is not None:
            scale, bias = (combine(lambda a, b: a * b, x, factor) for x in (scale, bias))
        if shift is not None:
            bias = combine(lambda a, b: a + b, bias, shift)
        trail = (*self.trail, node)
        return replace(self, scale=scale, bias=bias, trail=trail, whole=False)

    @property
    def tree(self) -> Expr:
        """The value as an expression of the root's integer."""
        if self.inner is None:
            return line(Var(), self.scale, self.bias)
        ratio = combine(lambda a, b: ONE if a.same(b) else a / b, self.scale, self.inner.scale)
        shift = combine(
            lambda a, b, k: ZERO if k is ONE and a.same(b) else a - b * k,
            *(self.bias, self.inner.bias, ratio),
        )
        return line(self.inner.tree, ratio, shift)

    @property
    def is_integer(self) -> bool:
        """Whether scale is 1 and bias 0 in every channel."""
        return all(x.same(ONE) for x in self.scale.palette) and all(
            x.same(ZERO) for x in self.bias.palette
        )


def whole(value: Real) -> bool:
    """Whether the number is known to be an integer."""
    return value.is_rational and value.fraction.denominator == 1


def parameter(values: Coded) -> Parameter:
    """One number per channel in the form that expressions hold."""
    small = values.compact()
    if len(small.palette) == 1:
        return small.palette[0]
    numbers = np.empty(len(small.palette), dtype=object)
    numbers[:] = small.palette
    return numbers[small.code]


def line(tree: Expr, scale: Coded, bias: Coded) -> Expr:
    """scale * tree + bias, without factors of 1 and terms of 0."""
    if not all(x.same(ONE) for x in scale.palette):
        tree = Apply("mul", (tree, Const(parameter(scale))))
    if not all(x.same(ZERO) for x in bias.palette):
        tree = Apply("add", (tree, Const(parameter(bias))))
    return tree


@dataclass(frozen=True, eq=False)
class Tail:
    """An elementwise function of one integer of the graph that is not affine and not yet quantised.

    Parameters
    ----------
    base : Scaled
        The last value that was scale * g + bias.
    tree : Expr
        The function, of the integer of ``base.root``.
    layout : StreamLayout
    edge : Edge
        The value in the model's shape, made from the integer g of `base` in the natural shape.
    trail : tuple of str
        Nodes of the model since `base`.
    """

    base: Scaled
    tree: Expr
    layout: StreamLayout
    edge: Edge
    trail: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.base.names, *self.trail)

    def rearrange(self, change: Rearrangement) -> "Tail":
        layout = self.layout.rearrange(change)
        return replace(self, layout=layout, edge=self.edge.rearrange(change))


@dataclass(frozen=True, eq=False)
class Host:
    """A value that the host computes, before the accelerator or after it.

    Parameters
    ----------
    edge : Edge
        In the model's shape, batch axis included.
    source : Value or None
        The accelerator's output that it is made from; None in front of the accelerator.
    name : str
        The model's input, in front of the accelerator.
    line : pair of Coded of Real, or None
        factor and shift of the model's input while it is only scaled and shifted, in the model's
        shape.
    raw : Edge
        Where there is a `line`: the model's input, rearranged only.
    peak : Scaled or None
        Has its largest element along `peak_axis` where this value has it, ties included.
    whole : bool
        The value is an index.
    """

    edge: Edge
    shape: tuple[int, ...]
    source: Value | None = None
    name: str = ""
    line: tuple[Coded, Coded] | None = None
    raw: Edge = field(default_factory=Edge)
    peak: Scaled | Tail | None = None
    peak_axis: int = 0
    whole: bool = False

    def rearrange(self, change: Rearrangement) -> "Host":
        line = self.line and tuple(part.rearrange(change) for part in self.line)
        shape = change(np.empty(self.shape, np.bool_)).shape
        return replace(
            self,
            edge=self.edge.rearrange(change),
            shape=shape,
            line=line,
            raw=self.raw.rearrange(change),
            peak=None,
        )

    def cut(self, parts: tuple[slice, ...]) -> "Host":
        """The elements in a slice of every axis."""
        index = np.arange(np.prod(self.shape)).reshape(self.shape)[parts]
        line = self.line and tuple(
            part.rearrange(lambda code: np.broadcast_to(code, self.shape)[parts])
            for part in self.line
        )
        edges = {part: getattr(self, part).take(index) for part in ("edge", "raw")}
        return replace(self, **edges, shape=index.shape, line=line, peak=None)


Stream = Scaled | Tail
Defined = Known | Scaled | Tail | Host
"""What an op may find at its inputs."""
Abstract = Defined | Unknown
"""What it may make."""

"""The integer graph while the analysis builds it: nodes, ranges, problems and fates."""

from dataclasses import dataclass, field, replace

import numpy as np

from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge
from hwgen.analysis.grid import WIDTH
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import Inner, ProblemError, Scaled, Tail, whole
from hwgen.analysis.steps import as_line, level_table, quantised_table, table
from hwgen.analysis.sums import OpenSum, reduced
from hwgen.errors import ModelError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.joins import IntAdd
from hwgen.integer.moves import IntReshape
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.numerics.exact import Real
from hwgen.problem import Problem

MAX_WIDTH = 32
"""Bits of the widest integer that flows between nodes."""


@dataclass(frozen=True, eq=False)
class Padded:
    """What a node that only pads was made of.

    Parameters
    ----------
    name : str
        The Pad of the model.
    source : Value
    space : tuple of int
        Of the source.
    pads : tuple of (int, int)
    fill : int64 array, (channels,)
    """

    name: str
    source: Value
    space: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    fill: np.ndarray


@dataclass(eq=False)
class Assembly:
    """What the walk over a tensor graph has found so far; grows, and never takes back.

    Attributes
    ----------
    inputs : dict of input name to IntTensor
    nodes : list of Node
    types : dict of Value to IntTensor
    problems : list of Problem
    warnings : list of str
    fates : dict of tensor node name to str
    pads : dict of Value to Padded
        Nodes that only pad.
    edges : dict of input name to Edge
        How the host makes the integers of each input that has entered.
    entered : dict of input name to str
        The node that quantises each float input.
    off_grid : list of str
        Quantisers of constants that were not quantised before.
    """

    inputs: dict[str, IntTensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    types: dict[Value, IntTensor] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    pads: dict[Value, Padded] = field(default_factory=dict)
    edges: dict[str, Edge] = field(default_factory=dict)
    entered: dict[str, str] = field(default_factory=dict)
    off_grid: list[str] = field(default_factory=list)
    _sums: dict[Value, tuple[OpenSum, tuple[Value, Value]]] = field(default_factory=dict)
    _settled: dict[Value, Value] = field(default_factory=dict)
    _realised: dict[tuple[Value, int], tuple[Value, int, np.ndarray]] = field(default_factory=dict)
    _levels: dict[tuple[Value, int], Scaled] = field(default_factory=dict)
    _kept: list[Inner | Tail] = field(default_factory=list)  # so that no identity is used again

    def add_input(self, name: str, kind: IntTensor) -> Value:
        value = Value(name, "")
        self.inputs[name] = self.types[value] = kind
        return value

    def add(self, name: str, op: IntegerOp, *inputs: Value) -> Value:
        """A node; the name gets a number where it is taken.

        Raises
        ------
        ProblemError
            Its integers are too wide.
        """
        inputs = tuple(self.settled(name, x) for x in inputs)
        kind = op.result_type(*(self.types[x] for x in inputs))
        if kind.dtype.width > MAX_WIDTH:
            raise ProblemError(
                Problem(
                    name,
                    f"integers must fit {MAX_WIDTH} bits",
                    f"{kind.dtype.width} bits ({kind.dtype})",
                    "put a quantiser in front",
                )
            )
        node = Node(self._title(name), op, inputs)
        self.nodes.append(node)
        self.types[node.out] = kind
        return node.out

    def _title(self, name: str) -> str:
        taken = {*self.inputs, *(node.name for node in self.nodes), *(x.node for x in self._sums)}
        title, count = name, 1
        while title in taken:
            count += 1
            title = f"{name}_{count}"
        return title

    def join(self, name: str, inputs: tuple[Value, Value], factors: np.ndarray) -> Value:
        """factors[0, c] * n1 + factors[1, c] * n2: a node at once if all are 1 or -1, else when it
        is used.

        Parameters
        ----------
        factors : int64 array, (2, channels)
            The first is positive, none is 0.
        """
        inputs = (self.settled(name, inputs[0]), self.settled(name, inputs[1]))
        if (np.abs(factors) == 1).all():
            return self.add(name, IntAdd(factors, np.zeros(factors.shape[1], np.int64)), *inputs)
        kinds = (self.types[inputs[0]], self.types[inputs[1]])
        value = Value(self._title(name))
        self._sums[value] = OpenSum(kinds, factors), inputs
        zero = np.zeros(factors.shape[1], np.int64)
        self.types[value] = IntAdd(factors, zero).result_type(*kinds)
        return value

    def is_open(self, x: Value) -> bool:
        """Whether the value is a sum that waits for its user."""
        return x in self._sums

    def settled(self, name: str, x: Value) -> Value:
        """The value in the graph; a sum that no quantiser follows with its full factors.

        Raises
        ------
        ProblemError
            Those are too wide.
        """
        if x not in self._sums:
            return x
        if x not in self._settled:
            total, inputs = self._sums[x]
            largest = int(np.abs(total.factors).max())
            if largest.bit_length() > WIDTH:
                raise ProblemError(
                    Problem(
                        name,
                        f"the scales of the sum {x.node} must be multiples of a common one by "
                        f"integers of at most {WIDTH} bits where no quantiser follows it",
                        f"by integers up to {largest}",
                        f"put a quantiser behind {x.node}, or give its inputs the same scale",
                    )
                )
            zero = np.zeros(total.factors.shape[1], np.int64)
            self._settled[x] = self.add(f"{x.node}_sum", IntAdd(total.factors, zero), *inputs)
        return self._settled[x]

    def add_step(self, name: str, step: IntStep, x: Value) -> Value:
        """A step function as a node; on a sum that is not in the graph yet it picks its factors.

        Raises
        ------
        ProblemError
            Both inputs of the sum are wide, or the integers are.
        """
        if x not in self._sums:
            return self.add(name, step, x)
        total, inputs = self._sums[x]
        kind = self.types[x]
        rows = np.hstack([step.starts, step.values])
        total = replace(total, inputs=tuple(_shared(x, rows) for x in total.inputs))
        kind = _shared(kind, rows)
        ends = zip(step.starts, kind.lo, kind.hi, strict=True)
        inside = [row[(row > lo) & (row <= hi)].tolist() for row, lo, hi in ends]
        try:
            factors, starts = reduced(total, inside)
        except ValueError as error:
            raise ProblemError(
                Problem(
                    name,
                    f"one of the two inputs of {x.node} must be quantised",
                    f"two wide ones ({error})",
                    "put a quantiser on the branch that has none",
                )
            ) from error
        zero = np.zeros(factors.shape[1], np.int64)
        root = self.add(f"{x.node}_sum", IntAdd(factors, zero), *inputs)
        pairs = [f"{a} and {b}" for a, b in dict.fromkeys(zip(*factors.tolist(), strict=True))]
        self.fates[x.node] = f"Add times {pairs[0]}" + (" ..." if len(pairs) > 1 else "")
        values = [step.values[c, : len(row) + 1].tolist() for c, row in enumerate(inside)]
        return self.add(name, table(starts, values, self.types[root]), root)

    def signed(self, x: Value, sign: np.ndarray) -> Value:
        """x times sign[c], 1 or -1: by changing what makes it, where that is possible."""
        node = next((node for node in self.nodes if node.out == x), None)
        title = f"{x.node}_negated"
        match node and node.op:
            case IntMatMul(weights, offset):
                op: IntegerOp = IntMatMul(weights * sign[:, np.newaxis], offset * sign)
            case IntDepthwise(weights, offset):
                op = IntDepthwise(weights * sign[:, np.newaxis], offset * sign)
            case IntStep(starts, values):
                op = IntStep(starts, values * sign[:, np.newaxis])
            case _:
                op = IntDepthwise(sign.reshape(-1, 1), np.zeros(len(sign), np.int64))
                return self.add(title, op, x)
        assert node is not None
        return self.add(title, op, *node.inputs)

    def reshape(self, name: str, x: Scaled, natural: tuple[int, ...]) -> Scaled:
        """The stream with the same order of elements in another shape.

        Raises
        ------
        ProblemError
            Its integers mean different numbers inside one of the new channels.
        """
        if natural == x.layout.natural:
            return x
        scale, bias = (
            _regrouped(name, part, x.layout.natural, natural) for part in (x.scale, x.bias)
        )
        root = self.add(f"{name}_shape", IntReshape(natural), x.root)
        return replace(
            x, root=root, layout=StreamLayout(x.layout.index, natural), scale=scale, bias=bias
        )

    def fold(self, names: tuple[str, ...], fate: str) -> None:
        """The same fate for several nodes of the model."""
        self.fates.update(dict.fromkeys(names, fate))

    def realise(self, x: Scaled) -> Scaled:
        """The same value with its integer in the integer graph."""
        if x.inner is None:
            return x
        key = (x.root, id(x.inner.tree))
        if key not in self._realised:
            self._realised[key] = self._step(x)
            self._kept.append(x.inner)
        root, slope, shift = self._realised[key]
        scale, bias = x.scale, x.bias
        if root == x.root:
            # The step is slope * n + shift[c]: no hardware, another scale and bias.
            moves = Coded.of_array(shift, Real.of)
            bias = combine(lambda b, s, k: b + s * k, bias, scale, moves)
            scale = scale.map(lambda s: s * slope)
        return replace(x, root=root, scale=scale, bias=bias, inner=None, inner_trail=(), closer="")

    def _step(self, x: Scaled) -> tuple[Value, int, np.ndarray]:
        assert x.inner is not None
        kind = self.types[x.root]
        try:
            step = quantised_table(x.inner.tree, kind, x.inner.scale, x.inner.bias)
        except ModelError as error:
            raise ProblemError(
                Problem(
                    x.closer,
                    "its result must be quantised",
                    f"a function of {int((kind.hi - kind.lo).max()) + 1} integers ({error})",
                    f"put a quantiser behind {x.closer}",
                )
            ) from error
        line = as_line(step, kind)
        if line is not None and _keeps_zero(x.inner, *line):
            self.fates[x.closer] = "vanishes: its grid is that of its input"
            self.fold(x.inner_trail, f"folded into the scale of {x.closer}")
            return x.root, *line
        value = self.add_step(x.closer, step, x.root)
        self.fates[x.closer] = f"MultiThreshold {len(step.starts)} x {step.starts.shape[1]}"
        self.fold(x.inner_trail, f"folded into the thresholds of {value.node}")
        return value, 1, np.zeros(1, np.int64)

    def integers(self, user: str, x: Scaled | Tail) -> Scaled:
        """The value with its integer in the integer graph."""
        return self.levels(x, user) if isinstance(x, Tail) else self.realise(x)

    def levels(self, x: Tail, user: str) -> Scaled:
        """A function that no quantiser follows, as integers, if its few levels lie on a grid."""
        key = (x.base.root, id(x.tree))
        if key not in self._levels:
            self._levels[key] = self._tabulated(x, user)
            self._kept.append(x)
        return replace(self._levels[key], layout=x.layout)

    def _tabulated(self, x: Tail, user: str) -> Scaled:
        inner = x.base.inner.tree if x.base.inner else None
        last = x.trail[-1]
        kind = self.types[x.base.root]
        try:
            found = level_table(x.tree, inner, kind)
        except ValueError:
            raise ProblemError(
                Problem(
                    user,
                    "its input must be quantised",
                    f"the result of {last} with {int((kind.hi - kind.lo).max()) + 1} different "
                    "inputs per channel",
                    f"put a Quant behind {last}",
                )
            ) from None
        if found is None:
            raise ProblemError(
                Problem(
                    user,
                    "its input must lie on an integer grid of at most 16 bits",
                    f"the values that {last} makes",
                    f"put a Quant behind {last}",
                )
            )
        step, scale, bias = found
        layout, trail = x.layout, (*x.base.names, *x.trail)
        line = as_line(step, kind)
        if line is None:
            root = self.add_step(last, step, x.base.root)
            self.fold(trail, f"folded into the thresholds of {root.node}")
            self.fates[last] = f"MultiThreshold {len(step.starts)} x {step.starts.shape[1]}"
            return Scaled(root, layout, self.scales(layout, scale), bias)
        slope, shift = line
        self.fold(trail, f"folded into the scale of {user}")
        bias = combine(lambda b, k: b + scale * k, bias, Coded.of_array(shift, Real.of))
        return Scaled(x.base.root, layout, self.scales(layout, scale * slope), bias)

    @staticmethod
    def scales(layout: StreamLayout, scale: Real) -> Coded:
        return Coded.uniform(scale, (layout.channels,))

    def graph(self, name: str, outputs: dict[str, Value]) -> Graph:
        """The integer graph as far as the outputs need it."""
        return Graph(self.inputs, tuple(self.nodes), outputs, name).without_dead_nodes()


def _keeps_zero(inner: Inner, slope: int, shift: np.ndarray) -> bool:
    """Whether the real number 0, with which convolutions pad, has an integer n with
    slope * n + shift[c] where the quantiser has one for it."""
    zero = combine(lambda s, b, k: (-b / s - k) / slope, inner.scale, inner.bias, _reals(shift))
    own = combine(lambda s, b: -b / s, inner.scale, inner.bias)
    return all(map(whole, zero.palette)) or not all(map(whole, own.palette))


def _reals(numbers: np.ndarray) -> Coded:
    return Coded.of_array(numbers, Real.of)


def _shared(x: IntTensor, rows: np.ndarray) -> IntTensor:
    """The type with one range for all channels of which the rows are equal."""
    _, group = np.unique(rows, axis=0, return_inverse=True)
    lo, hi = x.lo.copy(), x.hi.copy()
    for k in range(int(group.max()) + 1):
        members = group.reshape(-1) == k
        lo[members], hi[members] = x.lo[members].min(), x.hi[members].max()
    return IntTensor(x.shape, lo, hi)


def _regrouped(
    name: str, values: Coded, natural: tuple[int, ...], wanted: tuple[int, ...]
) -> Coded:
    """Numbers per channel of one shape as numbers per channel of another."""
    rows = np.broadcast_to(values.code, natural).reshape(-1, wanted[-1])
    if (rows != rows[0]).any():
        raise ProblemError(
            Problem(
                name,
                f"elements in a channel of {wanted} must have one scale and zero point",
                f"a {natural} stream in which they differ per channel",
                "give the quantiser in front one scale for all channels",
            )
        )
    return values.rearrange(lambda _: rows[0])

"""Small tensor graphs for tests: a chain under construction, and random quantised MLPs."""

import numpy as np

from hwgen.graph.ir import Graph, Node, Value
from hwgen.numerics.exact import ROUNDINGS
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.op import TensorType
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant


class Chain:
    """A tensor graph of which `value` is the last result."""

    def __init__(self, shape: tuple[int, ...], elem: str = "FLOAT"):
        self.inputs = {"x": TensorType((1, *shape), elem)}
        self.nodes: list[Node] = []
        self.value = Value("x", "")

    def constant(self, value) -> Value:
        return self.node(Constant(np.asarray(value)))

    def node(self, op, *inputs: Value, name: str = "") -> Value:
        name = name or f"{type(op).__name__}_{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs))
        return self.nodes[-1].out

    def then(self, op, *, name: str = "") -> "Chain":
        self.value = self.node(op, self.value, name=name)
        return self

    def binary(self, fn: str, constant, *, swapped: bool = False, name: str = "") -> "Chain":
        args = (self.value, self.constant(np.asarray(constant, np.float64)))
        self.value = self.node(Binary(fn), *(args[::-1] if swapped else args), name=name)
        return self

    def matmul(self, weights: Value, *, left: bool = False, name: str = "") -> "Chain":
        args = (weights, self.value) if left else (self.value, weights)
        self.value = self.node(MatMul(), *args, name=name)
        return self

    def matmul_of(self, weights, *, name: str = "") -> "Chain":
        return self.matmul(self.constant(np.asarray(weights, np.float64)), name=name)

    def conv(
        self,
        weights,
        *,
        strides: tuple[int, ...] = (),
        dilations: tuple[int, ...] = (),
        pads: tuple[tuple[int, int], ...] = (),
        groups: int = 1,
        name: str = "",
    ) -> "Chain":
        """Axes without an entry have stride and dilation 1 and no padding."""
        weights = np.asarray(weights, np.float64)
        axes = weights.ndim - 2
        op = Conv(
            strides or (1,) * axes, dilations or (1,) * axes, pads or ((0, 0),) * axes, groups
        )
        self.value = self.node(op, self.value, self.constant(weights), name=name)
        return self

    def at(self, value: Value) -> "Chain":
        """Goes on from another result: a branch."""
        self.value = value
        return self

    @property
    def graph(self) -> Graph:
        return Graph(self.inputs, tuple(self.nodes), {"y": self.value}, "chain")


def quant(scale, lo, hi, *, zero_point=0.0, rounding="HALF_EVEN", round_first=False) -> Quant:
    scale, zero_point = np.asarray(scale, np.float64), np.asarray(zero_point, np.float64)
    return Quant(scale, zero_point, lo, hi, rounding, round_first)


def bipolar(scale) -> Quant:
    """scale * (+1 or -1), +1 at zero."""
    return quant(2 * np.asarray(scale), 0, 1, zero_point=0.5, rounding="HALF_CEIL")


def random_scale(rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
    """float32 numbers; now and then powers of two, whose quotients tie."""
    if rng.random() < 0.5:
        return 2.0 ** rng.integers(-3, 2, shape)
    return rng.uniform(0.05, 1.5, shape).astype(np.float32).astype(np.float64)


def random_quant(rng: np.random.Generator, shape: tuple[int, ...] = ()) -> Quant:
    """Any rounding, range, zero point and sign of the scale."""
    if rng.random() < 0.2:
        return bipolar(random_scale(rng))
    bits, signed = int(rng.integers(1, 5)), bool(rng.integers(2))
    lo = -(1 << bits - 1) if signed else 0
    sign = -1.0 if rng.random() < 0.2 else 1.0
    return quant(
        sign * random_scale(rng, shape),
        lo,
        lo + (1 << bits) - 1,
        zero_point=float(rng.choice([0, 0, 0, 1, -1, 3])),
        rounding=str(rng.choice(ROUNDINGS)),
        round_first=bool(rng.integers(2)),
    )


def random_thresholds(rng: np.random.Generator, channels: int, axis: int) -> MultiThreshold:
    rows = channels if rng.random() < 0.5 else 1
    table = np.sort(rng.integers(-8, 9, (rows, int(rng.integers(1, 5)))) / 4.0, axis=1)
    return MultiThreshold(table, float(rng.choice([1, 2, 0.5])), float(rng.choice([0, -1])), axis)


def random_model(rng: np.random.Generator) -> Graph:
    """A quantised MLP; its input is meant to lie within -4..4."""
    cols = int(rng.integers(2, 9))
    chain = Chain((2, cols)) if rng.random() < 0.4 else Chain((cols,))
    _normalise(rng, chain)
    first = random_quant(rng) if rng.random() < 0.8 else random_thresholds(rng, 1, 1)
    chain.then(first)
    if len(chain.inputs["x"].shape) == 3:
        if rng.random() < 0.5:
            chain.then(Transpose((0, 2, 1)))
        cols *= 2
        chain.then(Reshape((1, cols)))
    for last in [False] * int(rng.integers(0, 3)) + [True]:
        cols = _layer(rng, chain, cols)
        if not last:
            _activation(rng, chain, cols)
            chain.then(random_quant(rng) if rng.random() < 0.8 else random_thresholds(rng, cols, 1))
            _after_quantiser(rng, chain)
    _ending(rng, chain, cols)
    return chain.graph


def _normalise(rng: np.random.Generator, chain: Chain) -> None:
    if rng.random() < 0.5:
        chain.binary("mul", rng.choice([2.0, -0.5, 3.0, 1 / 255]))
        chain.binary("sub", rng.choice([1.0, 0.25, -0.3]))
        if rng.random() < 0.5:
            chain.binary("div", rng.choice([0.75, -5.0]))


def _layer(rng: np.random.Generator, chain: Chain, cols: int) -> int:
    rows = int(rng.integers(1, 6))
    if rng.random() < 0.2:
        weights = chain.constant(rng.choice([-1.0, 1.0], (cols, rows)))
    else:
        raw = rng.normal(size=(cols, rows)).astype(np.float32)
        scale_shape = (1, rows) if rng.random() < 0.5 else ()
        weights = chain.node(random_quant(rng, scale_shape), chain.constant(raw))
    if rng.random() < 0.2:  # weights on the left of a column
        chain.then(Reshape((1, cols, 1)))
        weights = chain.node(Transpose((1, 0)), weights)
        chain.matmul(weights, left=True).then(Reshape((1, rows)))
    else:
        chain.matmul(weights)
    if rng.random() < 0.5:
        chain.binary("add", rng.normal(size=rows).astype(np.float32))
    if rng.random() < 0.6:
        _batchnorm(rng, chain, rows)
    return rows


def _batchnorm(rng: np.random.Generator, chain: Chain, rows: int) -> None:
    mean, gamma, beta = rng.normal(size=(3, rows)).astype(np.float32)
    variance = chain.constant(rng.uniform(0.3, 2, rows).astype(np.float32))
    spread = chain.node(Unary("sqrt"), variance)
    chain.binary("sub", mean)
    chain.value = chain.node(Binary("div"), chain.value, spread)
    chain.binary("mul", gamma).binary("add", beta)


def _activation(rng: np.random.Generator, chain: Chain, cols: int) -> None:
    match rng.integers(6):
        case 0:
            chain.then(Unary("relu"))
        case 1:
            chain.binary("max", -1.0).binary("min", 1.5)
        case 2:
            chain.then(Unary(str(rng.choice(["sigmoid", "tanh", "abs"]))))
        case 3:
            gate = chain.node(Unary("sigmoid"), chain.value)
            chain.value = chain.node(Binary("mul"), chain.value, gate)
        case 4:
            chain.binary("pow", 2.0)


def _after_quantiser(rng: np.random.Generator, chain: Chain) -> None:
    match rng.integers(6):
        case 0:
            chain.binary("mul", -0.75).binary("add", 0.5)
        case 1:
            chain.then(Unary("relu"))
        case 2:
            chain.then(Unary("sign"))
        case 3:
            chain.binary("max", 0.5)


def _ending(rng: np.random.Generator, chain: Chain, cols: int) -> None:
    match rng.integers(6):
        case 0:
            chain.then(Softmax(1))
        case 1:
            chain.then(ArgMax(-1, bool(rng.integers(2)), bool(rng.integers(2))))
        case 2:
            chain.then(random_quant(rng))
        case 3:
            chain.then(Unary("relu"))
            chain.then(Reshape((1, 1, cols)))
        case 4:
            chain.then(Unary("sigmoid"))
            chain.then(quant(1 / 16, 0, 15))

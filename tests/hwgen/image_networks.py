"""Random quantised convolutional networks with branches, for tests."""

import numpy as np

from hwgen.graph.ir import Graph, Value
from hwgen.tensor.elementwise import Binary, Unary
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from tests.hwgen.chains import Chain, quant, random_scale


def random_network(rng: np.random.Generator) -> Graph:
    """Convolutions of all kinds, pooling, shortcuts, joins and moves; the input lies in -4..4."""
    channels, axes = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    space = tuple(rng.integers(5, 9, axes).tolist())
    if rng.random() < 0.3:
        chain = Chain((*space, channels))
        chain.then(Transpose((0, axes + 1, *range(1, axes + 1))))
    else:
        chain = Chain((channels, *space))
    chain.then(quant(0.5, -8, 7, zero_point=float(rng.integers(-2, 3)), round_first=True))
    net = Network(rng, chain, channels, space)
    for _ in range(int(rng.integers(1, 5))):
        net.layer()
    net.end()
    return chain.graph


class Network:
    """A network under construction: `chain` ends with a quantised (1, channels, *space)."""

    def __init__(
        self, rng: np.random.Generator, chain: Chain, channels: int, space: tuple[int, ...]
    ):
        self.rng, self.chain, self.channels, self.space = rng, chain, channels, space

    def layer(self) -> None:
        kinds = [self.convolution] * 4 + [self.pool, self.shortcut, self.join, self.move]
        kinds[int(self.rng.integers(len(kinds)))]()

    def numbers(self, top: int, *, least: int = 1) -> tuple[int, ...]:
        return tuple(self.rng.integers(least, top, len(self.space)).tolist())

    def shape(self) -> tuple[int, ...]:
        return (1, self.channels, *self.space)

    def convolution(self, *, same: bool = False) -> None:
        """With a bias or BatchNorm, an activation and a quantiser."""
        rng, channels = self.rng, self.channels
        groups = int(rng.choice([1, 1, channels]))
        outputs = channels if same else groups * int(rng.integers(1, 4))
        kernel = self.numbers(4)
        strides = self.numbers(2 if same else 3)
        pads = tuple((k // 2, (k - 1) // 2) for k in kernel)
        weights = rng.integers(-3, 4, (outputs, channels // groups, *kernel)).astype(float)
        self.chain.conv(weights, strides=strides, pads=pads, groups=groups)
        self.channels = outputs
        self.space = tuple((n - 1) // s + 1 for n, s in zip(self.space, strides, strict=True))
        column = (1, outputs, *(1,) * len(self.space))
        if rng.random() < 0.5:
            self.chain.binary("mul", rng.normal(size=column).astype(np.float32))
        if rng.random() < 0.6:
            self.chain.binary("add", rng.integers(-9, 10, column) / 4.0)
        if not same and rng.random() < 0.2 and min(self.space) > 2:
            self.window(MaxPool)
        if rng.random() < 0.5:
            self.chain.then(Unary("relu"))
        self.quantise()

    def quantise(self) -> None:
        rng = self.rng
        scale = random_scale(rng) * 2
        zero_point = float(rng.integers(-3, 4))
        self.chain.then(quant(scale, -8, 7, zero_point=zero_point, round_first=True))

    def window(self, kind) -> None:
        kernel, strides = self.numbers(3), self.numbers(3)
        ones, pads = (1,) * len(kernel), tuple((int(self.rng.integers(0, k)), 0) for k in kernel)
        self.chain.then(kind(kernel, strides, ones, pads))
        axes = zip(self.space, kernel, strides, pads, strict=True)
        self.space = tuple((n + pad - k) // s + 1 for n, k, s, (pad, _) in axes)

    def pool(self) -> None:
        if min(self.space) < 3:
            return
        if self.rng.random() < 0.5:
            self.window(MaxPool)
        else:
            self.window(AveragePool)
            self.quantise()

    def shortcut(self) -> None:
        skip = self.chain.value
        self.convolution(same=True)
        fn = str(self.rng.choice(["add", "sub"]))
        args: tuple[Value, ...] = (self.chain.value, skip)
        args = args if self.rng.random() < 0.5 else args[::-1]
        self.chain.at(self.chain.node(Binary(fn), *args))
        if self.rng.random() < 0.5:
            self.chain.then(Unary("relu"))
        self.quantise()

    def join(self) -> None:
        skip = self.chain.value
        before = self.channels
        self.convolution(same=True)
        self.chain.at(self.chain.node(Concat(1), skip, self.chain.value))
        self.channels += before
        self.quantise()

    def move(self) -> None:
        rng, axes = self.rng, len(self.space)
        match rng.integers(4):
            case 0:
                pads = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (axes, 2)))
                self.chain.then(Pad(((0, 0), (0, 0), *pads), 0.0))
                self.space = tuple(n + sum(pad) for n, pad in zip(self.space, pads, strict=True))
            case 1 if min(self.space) > 2:
                starts, steps = self.numbers(2, least=0), self.numbers(3)
                self.chain.then(Slice((0, 0, *starts), self.shape(), (1, 1, *steps)))
                parts = zip(starts, self.space, steps, strict=True)
                self.space = tuple(len(range(*part)) for part in parts)
            case 2 if max(self.space) < 9:
                factors = self.numbers(3)
                self.chain.then(Repeat((1, 1, *factors)))
                self.space = tuple(n * f for n, f in zip(self.space, factors, strict=True))
            case 3 if max(self.space) < 9:
                factors = self.numbers(3)
                self.chain.then(Dilate((1, 1, *factors)))
                self.space = tuple(
                    (n - 1) * f + 1 for n, f in zip(self.space, factors, strict=True)
                )

    def end(self) -> None:
        match self.rng.integers(4):
            case 0:
                self.chain.then(Mean(tuple(range(2, 2 + len(self.space))), False))
                self.quantise()
                self.product(self.channels)
            case 1:
                self.chain.then(Reshape((1, self.channels * int(np.prod(self.space)))))
                self.product(self.channels * int(np.prod(self.space)))
            case 2:
                ones = (1,) * len(self.space)
                self.chain.then(MaxPool(self.space, ones, ones, ((0, 0),) * len(ones)))
                self.chain.then(Reshape((1, self.channels)))
                self.product(self.channels)
            case _:
                self.convolution()

    def product(self, cols: int) -> None:
        self.chain.matmul_of(self.rng.integers(-3, 4, (cols, 3)))

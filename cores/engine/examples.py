"""Small networks that use what an engine can do, each part of it in some of them."""

from dataclasses import dataclass, replace

import numpy as np

from cores.engine.layer import BYTE, Layer, Rescale
from cores.types import IntType

U8 = IntType.bits(8, signed=False)


@dataclass(frozen=True, eq=False)
class Network:
    """What a `LayerSequence` is made of."""

    shape: tuple[int, ...]
    dtype: IntType
    layers: tuple[Layer, ...]
    out_shape: tuple[int, ...]
    lanes: int = 16


def networks(rng: np.random.Generator) -> tuple[Network, ...]:
    """Chains with every kind of layer, and two with branches."""
    return (*_chains(rng), *_branches(rng), _means(rng))


def _rescale(rng: np.random.Generator, rows: int, scale: int = 1, out: IntType = BYTE) -> Rescale:
    slopes = rng.integers(200, 400, rows) * scale
    offsets = rng.integers(-(1 << 15), 1 << 15, rows)
    return Rescale(tuple(map(int, slopes)), tuple(map(int, offsets)), 14, out)


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(BYTE.lo, BYTE.hi + 1, shape)


def _chains(rng: np.random.Generator) -> tuple[Network, ...]:
    first = Layer(
        "first",
        (4, 3, 1),
        _weights(rng, 6, 6, 1),
        kernel=(3, 2),
        strides=(2, 1),
        pads=((1, 1), (0, 1)),
        fill=-7,
        rescale=_rescale(rng, 6),
    )
    apart = Layer(
        "apart",
        (2, 3, 6),
        _weights(rng, 6, 4),
        kernel=(2, 2),
        dilations=(1, 2),
        pads=((1, 0), (0, 0)),
        fill=3,
        rescale=_rescale(rng, 6, 9),
    )
    narrow = _rescale(rng, 9, out=IntType(-50, 90))
    point = Layer("point", (2, 1, 6), _weights(rng, 9, 1, 6), rescale=narrow)
    ones = np.ones((9, 2), np.int64)
    pool = Layer("pool", (2, 1, 9), ones, kernel=(2, 1), rescale=_rescale(rng, 9, 30))
    last = Layer("last", (1, 1, 9), _weights(rng, 5, 1, 9), bias=(5, -6, 70000, 0, -3))
    unsigned = _rescale(rng, 3, out=U8)
    flat = Layer("flat", (2, 1, 9), _weights(rng, 3, 2, 9), kernel=(2, 1), rescale=unsigned)
    ones = np.ones((6, 4), np.int64)
    top = Layer(
        "top",
        (2, 3, 6),
        ones,
        kernel=(2, 2),
        pads=((1, 0), (0, 0)),
        fill=BYTE.lo,
        rescale=_rescale(rng, 6, 40),
        largest=True,
    )
    line = Layer("line", (1, 6, 4), _weights(rng, 2, 3, 4), kernel=(1, 3), bias=(0, 1))
    head = (first, apart, point)
    return (
        Network((4, 3, 1), BYTE, (*head, pool, last), (5,)),
        Network((4, 3, 1), U8, (*head, pool, last), (5,), 4),
        Network((4, 3, 1), BYTE, (*head, flat), (3,), 8),
        Network((6, 4), IntType(0, 9), (line,), (4, 2), 8),
        Network((4, 3, 1), BYTE, (first,), (2, 3, 6)),
        Network((4, 3, 1), BYTE, (first, top), (2, 2, 6), 8),
    )


def _branches(rng: np.random.Generator) -> tuple[Network, ...]:
    """The frame and a layer joined, a shortcut of every other place; the second of more tiles."""
    found = []
    for channels, lanes in ((3, 8), (6, 4)):
        shape = (3, 2, channels)
        factors = rng.integers(-900, 900, (channels, 2))
        middle = Layer(
            "middle", shape, _weights(rng, channels, 1, channels), rescale=_rescale(rng, channels)
        )
        joined = Layer("joined", shape, factors, rescale=_rescale(rng, channels), takes=(1, 2))
        corners = Layer(
            "corners",
            shape,
            _weights(rng, 6, 1, channels),
            strides=(2, 2),
            pads=((0, 0), (-1, 0)),
            rescale=_rescale(rng, 6),
        )
        window = Layer(
            "window",
            shape,
            _weights(rng, 6, 4, channels),
            kernel=(2, 2),
            strides=(2, 2),
            pads=((0, 1), (0, 0)),
            rescale=_rescale(rng, 6),
        )
        plain = np.ones((6, 2), np.int64)
        summed = Layer("summed", (2, 1, 6), plain, rescale=_rescale(rng, 6, 40), takes=(2, 1))
        ones = np.ones((6, 2), np.int64)
        pool = Layer("pool", (2, 1, 6), ones, kernel=(2, 1), rescale=_rescale(rng, 6, 30))
        layers = (middle, joined, corners, replace(window, takes=(2,)), summed, pool)
        found.append(Network(shape, BYTE, layers, (6,), lanes))
    return tuple(found)


def _means(rng: np.random.Generator) -> Network:
    """Ties to even: means of 6 by a rounded sixth, three quarters, halves, a clamped quarter."""
    rows, ones = 5, np.ones((5, 6), np.int64)
    point = Layer("point", (3, 3, 1), _weights(rng, rows, 1, 1), rescale=_rescale(rng, rows))
    sixth = Rescale((683,) * rows, (2304,) * rows, 12, BYTE, late=512)
    coarse = Layer("coarse", (3, 3, rows), ones, kernel=(3, 2), rescale=sixth)
    near = tuple((2 << 24) + more for more in (0, 1, 1 << 12, 0, 5))  # some miss ties narrowly
    digits = Rescale((3 << 24,) * rows, near, 26, BYTE, late=1)
    most = Layer("most", (1, 2, rows), ones[:, :1], rescale=digits)
    half = Rescale((1,) * rows, (1,) * rows, 1, BYTE, late=1)
    fine = Layer("fine", (1, 2, rows), ones[:, :2], kernel=(1, 2), rescale=half)
    last = Rescale((1,) * rows, (10,) * rows, 2, IntType(-21, 15), late=1)
    whole = Layer("whole", (1, 1, rows), ones[:, :1], rescale=last)
    return Network((3, 3, 1), BYTE, (point, coarse, most, fine, whole), (rows,))

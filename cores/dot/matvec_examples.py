"""Legal instances of `MatVec`: each arithmetic and memory, corners and degenerate sizes."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from cores.choices import AdderGraph, Block, ChainedDsp, Dsp, PackedDsp, Popcount
from cores.types import IntType

_Op = TypeVar("_Op")


def examples(make: Callable[..., _Op], rng: np.random.Generator) -> tuple[_Op, ...]:
    """`make` is the class."""

    def draw(rows: int, cols: int, lo: int, hi: int) -> np.ndarray:
        return rng.integers(lo, hi + 1, (rows, cols))

    u1, u2, u4, s4 = IntType(0, 1), IntType(0, 3), IntType(0, 15), IntType(-7, 7)
    signs = 2 * draw(6, 8, 0, 1) - 1
    mixed = draw(6, 8, -7, 7)
    offset = rng.integers(-50, 50, 6)
    two = partial(make, mixed, u4, pixels=2, positions=(2, 2))
    four = partial(make, mixed, s4, pixels=4, positions=(4,))
    corners = np.array([[0, 0, 0], [8, 0, 0], [-3, -3, -1], [0, 5, -10], [3, 3, 1]])
    return (
        make(mixed, u4),
        make(mixed, u4, pe=2, simd=4, offset=offset, positions=(2, 3)),
        make(mixed, u4, pe=3, simd=2, memory=Block()),
        make(mixed, u4, pe=2, simd=4, arithmetic=Dsp(), memory=Block(), positions=(3,)),
        make(mixed, s4, pe=6, simd=1, arithmetic=Dsp(), offset=offset),
        make(mixed, s4, pe=2, simd=4, arithmetic=ChainedDsp(), memory=Block(), offset=offset),
        make(mixed, s4, pe=1, simd=8),
        make(mixed, u4, pe=6, simd=8, positions=(2,), offset=offset),
        make(mixed, IntType(-9, -2), pe=6, simd=4),
        make(draw(6, 8, -1, 1), u2, pe=3, simd=4, memory=Block()),
        make(draw(6, 8, -1, 1), s4, pe=6, simd=8),
        make(signs, IntType(-5, 10), pe=2, simd=2),
        make(signs, u1, pe=2, simd=8, arithmetic=Popcount(), offset=(signs < 0).sum(axis=1)),
        make(signs, u1, pe=3, simd=2, arithmetic=Popcount(), memory=Block()),
        make(signs, u1, pe=6, simd=8, arithmetic=Popcount(), positions=(2,)),
        make(draw(4, 6, -128, 127), IntType(-128, 255), pe=2, simd=3, memory=Block()),
        make(draw(4, 7, -31, 31), IntType(0, 255), pe=4, simd=7),
        make(draw(2, 7, -8, 7), IntType(0, 10), pe=2, simd=7, positions=(1, 2)),
        make(draw(3, 1, -8, 7), u4, positions=(2,)),
        make(draw(1, 5, 1, 9), u1, simd=5),
        make(np.array([[-3]]), s4),
        make(mixed, u4, pe=6, simd=8, arithmetic=AdderGraph(), positions=(3,)),
        make(mixed, s4, pe=6, simd=8, arithmetic=AdderGraph(), offset=offset),
        make(mixed, u4, pe=6, simd=8, arithmetic=AdderGraph(), memory=Block(), positions=(3,)),
        make(mixed, s4, pe=6, simd=8, arithmetic=AdderGraph(), memory=Block(), offset=offset),
        make(mixed, u4, pe=6, simd=8, arithmetic=AdderGraph(1)),
        make(corners, IntType(-9, 20), pe=5, simd=3, arithmetic=AdderGraph()),
        make(np.zeros((2, 4), np.int64), u4, simd=2, offset=np.array([3, -4])),
        make(draw(2, 20, -1, 1), u1, simd=20),
        make(draw(2, 4, -7, 7), IntType(5, 5), simd=2),
        make(mixed, u4, pe=3, simd=4, arithmetic=PackedDsp(3, 18), memory=Block()),
        make(mixed, s4, pe=6, simd=8, arithmetic=PackedDsp(4, 8), offset=offset),
        make(draw(6, 8, -8, 7), u4, pe=6, simd=8, arithmetic=PackedDsp(2, 18)),
        make(draw(3, 6, -128, 127), s4, pe=3, simd=2, arithmetic=PackedDsp(2, 8)),
        two(pe=2, simd=4, offset=offset),
        two(pe=6, simd=8),
        two(pe=6, simd=4, arithmetic=PackedDsp(4, 18)),
        two(pe=3, simd=2, arithmetic=PackedDsp(4, 8), memory=Block()),
        two(pe=6, simd=8, arithmetic=AdderGraph(), offset=offset),
        four(pe=3, simd=2, arithmetic=Dsp(), memory=Block()),
        four(pe=3, simd=4, arithmetic=PackedDsp(4, 18), offset=offset),
        four(pe=6, simd=8, arithmetic=AdderGraph(), memory=Block()),
        make(signs, u1, pe=3, simd=4, arithmetic=Popcount(), pixels=3, positions=(3,)),
    )

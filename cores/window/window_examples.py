"""Legal instances of `SlidingWindow`: either order, all windows and folds, corners of padding."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from cores.types import IntType

_Op = TypeVar("_Op")


def examples(make: Callable[..., _Op]) -> tuple[_Op, ...]:
    """`make` is the class."""
    u4, s4 = IntType(0, 15), IntType(-7, 7)
    same = ((1, 1), (1, 1))
    fill = np.array([-8, 0, 3, 7])
    return (
        make((4, 5, 2), u4, (3, 3), pads=same),
        make((4, 5, 4), s4, (3, 3), pads=same, fill=fill, pe=2),
        make((4, 5, 4), s4, (3, 3), pads=same, fill=fill, pe=2, order="depthwise"),
        make((5, 6, 2), u4, (3, 3)),
        make((5, 6, 2), u4, (3, 3), order="depthwise"),
        make((6, 6, 2), s4, (3, 3), strides=(2, 2), pads=((0, 1), (0, 1)), pe=2),
        make((5, 4, 2), s4, (1, 1), strides=(2, 2)),
        make((7, 5, 2), u4, (2, 3), dilations=(3, 2), pads=((2, 1), (0, 2)), strides=(1, 2)),
        make((6, 5, 1), s4, (4, 2), strides=(2, 1), pads=((1, 2), (0, 1)), fill=np.array(-9)),
        make((3, 3, 2), u4, (3, 3)),
        make((2, 3, 2), u4, (3, 3), pads=((2, 2), (3, 2)), fill=np.array(1)),
        make((9, 2), s4, (3,), pads=((1, 1),)),
        make((9, 2), s4, (4,), strides=(3,), dilations=(2,), pads=((0, 3),), pe=2),
        make((12, 1), s4, (2,), strides=(4,)),
        make((1, 1, 1), IntType(0, 1), (1, 1)),
        make((4, 5, 2), s4, (3, 3), pads=same, fill=fill[:2], pe=2, simd=9),
        make((4, 5, 4), s4, (3, 3), pads=same, fill=fill, pe=2, simd=9, order="depthwise"),
        make((4, 3, 4), u4, (5, 3), pads=((1, 3), (1, 1)), pe=2, simd=15, order="depthwise"),
        make((6, 6, 2), s4, (3, 3), strides=(2, 2), pads=((0, 1), (0, 1)), pe=2, simd=9),
        make((7, 6, 1), u4, (2, 3), dilations=(3, 2), pads=((1, 1), (1, 3)), simd=6),
        make((4, 6, 3), s4, (2, 2), strides=(2, 2), simd=4, order="depthwise"),
        make((9, 2), s4, (3,), pads=((0, 2),), pe=2, simd=3),
        make((6, 1, 1), s4, (5, 1), pads=((2, 2), (0, 0)), simd=5),
        make((4, 6, 2), s4, (3, 3), pads=same, fill=fill[:2], pe=2, simd=9, pixels=2),
        make((3, 8, 1), s4, (3, 3), pads=same, simd=9, pixels=4),
        make((4, 6, 4), u4, (3, 3), pads=same, pe=2, simd=9, pixels=3, order="depthwise"),
        make((6, 12, 1), s4, (3, 3), strides=(2, 2), pads=((0, 1), (0, 1)), simd=9, pixels=2),
        make((3, 8, 1), u4, (1, 3), dilations=(1, 2), pads=((0, 0), (2, 2)), simd=3, pixels=2),
        make((12, 2), u4, (2,), strides=(3,), pe=2, simd=2, pixels=2),
        make((5, 4, 2), s4, (5, 5), pads=((2, 2), (2, 2)), fill=fill[:2], pe=2, simd=25),
        make((5, 4, 1), s4, (5, 5), pads=((2, 2), (2, 2)), simd=25, pixels=2),
    )

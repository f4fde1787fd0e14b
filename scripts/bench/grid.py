"""Cores whose placement calibrates prices; others that show how far the prices carry are drawn
in `held_out`."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from cores.argmax import ArgMax
from cores.choices import (
    AdderGraph,
    Arithmetic,
    BinarySearch,
    Block,
    Dsp,
    Logic,
    Lut,
    PackedDsp,
    Popcount,
)
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth

_U4 = IntType(0, 15)
_LUT = Lut()


def layer(
    shape: tuple[int, int],
    top: int,
    bits: int,
    fold: tuple[int, int],
    arithmetic: Arithmetic = _LUT,
) -> MatVec:
    """Random weights from -top to top, in block RAM if they are folded."""
    values = np.random.default_rng(sum(shape)).integers(-top, top + 1, shape)
    if isinstance(arithmetic, Popcount):
        values = np.where(values < 0, -1, 1)
    dtype = IntType.bits(bits, signed=False)
    whole = fold == shape
    return MatVec(
        values,
        dtype,
        pe=fold[0],
        simd=fold[1],
        arithmetic=arithmetic,
        memory=Logic() if whole else Block(),
    )


def steps(channels: int, bits: int, width: int, pe: int) -> MultiThreshold:
    """Random thresholds over the whole range."""
    dtype = IntType.bits(width, signed=True)
    rng = np.random.default_rng(channels)
    starts = np.sort(rng.integers(dtype.lo, dtype.hi, (channels, 2**bits - 1)), axis=1)
    return MultiThreshold((channels,), dtype, starts, np.arange(2**bits)[None], pe=pe)


def searched(op: MultiThreshold, block_stages: int) -> MultiThreshold:
    """The same by binary search."""
    return replace(op, comparison=BinarySearch(), block_stages=block_stages)


GRID: Mapping[str, Op] = MappingProxyType(
    {
        "lut 32x32 w4a4": layer((32, 32), 7, 4, (4, 8)),
        "lut 16x32 w2a2": layer((16, 32), 1, 2, (8, 16)),
        "lut 16x16 w8a8": layer((16, 16), 127, 8, (2, 4)),
        "dsp 16x32 w8a8": layer((16, 32), 127, 8, (2, 4), Dsp()),
        "packed 12x16 w4a4": layer((12, 16), 7, 4, (4, 4), PackedDsp(2, 16)),
        "popcount 32x64": layer((32, 64), 1, 1, (4, 32), Popcount()),
        "unrolled 8x16 w2a4": layer((8, 16), 1, 4, (8, 16)),
        "adder graph 8x16 w6a4": layer((8, 16), 31, 4, (8, 16), AdderGraph()),
        "thresholds 32, 2 bit": steps(32, 2, 14, 4),
        "thresholds 16, 4 bit": steps(16, 4, 12, 2),
        "search 32, 4 bit": searched(steps(32, 4, 16, 4), 2),
        "search 16, 6 bit": searched(steps(16, 6, 14, 1), 2),
        "argmax 10": ArgMax((10,), IntType.bits(14, signed=True)),
        "argmax 16, PE 4": ArgMax((16,), IntType.bits(12, signed=True), pe=4),
        "narrower 64": ConvertWidth(StreamType((64,), _U4, 16), 4),
        "buffer 48": Buffer(StreamType((64,), _U4, 8), 48),
        "lut 48x40 w3a5": layer((48, 40), 3, 5, (6, 10)),
        "dsp 24x36 w7a6": layer((24, 36), 63, 6, (1, 6), Dsp()),
        "packed 16x24 w4a4": layer((16, 24), 7, 4, (2, 8), PackedDsp(2, 16)),
        "popcount 24x96": layer((24, 96), 1, 1, (3, 48), Popcount()),
        "adder graph 12x10 w5a6": layer((12, 10), 15, 6, (12, 10), AdderGraph()),
        "search 48, 5 bit": searched(steps(48, 5, 18, 2), 2),
        "thresholds 24, 3 bit": steps(24, 3, 15, 3),
        "popcount 40x60": layer((40, 60), 1, 1, (5, 30), Popcount()),
        "search 24, 4 bit": searched(steps(24, 4, 13, 3), 1),
        "unrolled 6x20 w3a3": layer((6, 20), 3, 3, (6, 20)),
        "lut 24x40 w4a3": layer((24, 40), 7, 3, (4, 8)),
    }
)
"""What the coefficients are fitted to."""

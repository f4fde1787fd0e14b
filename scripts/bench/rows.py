"""The rows: what each core must reach on which device, out of context."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np

from cores.choices import AdderGraph, Arithmetic, BinarySearch, Block, Dsp, Lut, PackedDsp
from cores.mvau import MatVec
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.types import IntType
from cores.vvau import DepthwiseVec
from hwgen.graph.ir import Graph
from hwgen.simulators.driver import NO_STALL, Stall
from scripts.bench.network import Network, folded_by, model_file, network, unfolded
from scripts.bench.row import Goal, Row
from scripts.bench.xnor_count import XnorCount

ECP5, UP5K = "ecp5-85f", "up5k"
_U8 = IntType(0, 255)


def layer(
    weights: str, inputs: str, pe: int, simd: int, arithmetic: Arithmetic, *, pixels: int = 1
) -> MatVec:
    """64 x 64 random weights in block RAM; so many positions at once."""
    kind = IntType.parse(weights)
    values = np.random.default_rng(1).integers(kind.lo, kind.hi + 1, (64, 64))
    dtype = IntType.parse(inputs)
    op = MatVec(values, dtype, pe=pe, simd=simd, arithmetic=arithmetic, memory=Block())
    return op if pixels == 1 else replace(op, positions=(pixels,), pixels=pixels)


def window(pe: int, order: str, simd: int = 1) -> SlidingWindow:
    """3 x 3 with padding over 16 x 16 positions of 16 channels of 8 bits."""
    pads = ((1, 1), (1, 1))
    return SlidingWindow((16, 16, 16), _U8, (3, 3), pads=pads, order=order, pe=pe, simd=simd)


def depthwise() -> DepthwiseVec:
    """64 channels of nine random weights in block RAM, two at once."""
    values = np.random.default_rng(1).integers(-128, 128, (64, 9))
    return DepthwiseVec(values, _U8, 64, positions=(3,), pe=2, memory=Block())


def thresholds(bits: int, pe: int, block_stages: int) -> MultiThreshold:
    """64 channels of 16-bit inputs, random starts over the whole range, by binary search."""
    dtype = IntType.bits(16, signed=True)
    starts = np.random.default_rng(1).integers(dtype.lo, dtype.hi + 1, (64, 2**bits - 1))
    return MultiThreshold(
        (64,),
        dtype,
        np.sort(starts, axis=1),
        np.arange(2**bits)[None],
        pe=pe,
        comparison=BinarySearch(),
        block_stages=block_stages,
    )


def unrolled(weights: np.ndarray, dtype: IntType) -> MatVec:
    rows, cols = weights.shape
    return MatVec(weights, dtype, pe=rows, simd=cols, arithmetic=AdderGraph())


def random_matrix() -> MatVec:
    """16 -> 64, weights of 6 bits, inputs of 8 bits; its results wait in block RAM."""
    weights = np.random.default_rng(7).integers(-31, 32, (16, 64)).T
    return replace(unrolled(weights, IntType.bits(8, signed=True)), memory=Block())


def convolution(more: int = 0) -> MatVec:
    """9 -> 16, the first convolution of a small network trained on handwritten digits
    (digits_cnn_w4a4): weights of 4 bits, inputs of 5 bits."""
    op = unrolled(np.array(_DIGITS_CONVOLUTION), IntType.bits(5, signed=False))
    return replace(op, arithmetic=AdderGraph(more))


_DIGITS_CONVOLUTION = (
    (-1, 5, -5, -7, -5, 3, -1, 6, -1),
    (5, -4, -1, -7, -6, -5, 0, 6, 6),
    (-6, -6, 1, 7, -1, 7, 0, -1, 6),
    (-4, -3, -1, -2, 7, -3, -1, -5, -4),
    (-3, 6, 1, 3, 1, -3, 2, -7, -4),
    (-6, 6, 1, -3, -2, 6, 7, 0, 0),
    (6, -3, 2, -7, -7, -4, 3, 6, -2),
    (3, 3, -2, -2, 2, 7, 6, -7, -1),
    (6, 4, 7, 4, 2, -7, -4, -6, -5),
    (7, 6, -7, 1, -2, 0, -4, 4, -4),
    (0, 5, 7, 0, -7, -5, 4, 2, -5),
    (-1, 7, 5, -4, 0, -6, -1, -3, -5),
    (0, 1, -2, 5, -6, 7, 6, -7, -2),
    (0, 1, 2, 2, 1, -4, 3, -7, -3),
    (0, -6, -7, -3, -3, 5, -4, 0, 7),
    (1, -2, -2, 0, 5, 7, 4, 5, -1),
)

_JET_TAGGING = "qkeras_jettagging"


def jet_tagging(fold: Callable[[Graph], Graph]) -> Network:
    """16-64-32-32-5, weights and activations of 6 bits."""
    return network(_JET_TAGGING, target=ECP5, input_type="s8:2^-5", fold=fold)


_SMALL = {
    "MatMul_0": 'pe = 2\nsimd = 4\nmemory = "block"',
    "Quant_8": 'comparison = "shift"',
    "MatMul_1": 'pe = 4\nsimd = 4\nmemory = "block"',
    "Quant_9": 'comparison = "shift"',
    "MatMul_2": 'pe = 2\nsimd = 4\nmemory = "block"',
    "Quant_10": 'comparison = "shift"',
    "MatMul_3": "simd = 2",
}
"""A frame in 128 cycles, without multipliers."""
_PAUSES = (Stall(source=0.3, sink=0.3, seed=1),)

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "mvau-w4a4-narrow": Row(
            ECP5,
            partial(layer, "-7..7", "u4", 8, 8, PackedDsp(3, 18)),
            Goal(cells=1600, dsp=24, mhz=150),
            175,
        ),
        "mvau-w4a4-pixels": Row(
            ECP5,
            partial(layer, "-7..7", "u4", 4, 8, PackedDsp(4, 18), pixels=2),
            Goal(cells=1600, dsp=16, mhz=150),
            175,
        ),
        "mvau-w4a4-full": Row(
            ECP5,
            partial(layer, "s4", "u4", 8, 8, PackedDsp(2, 18)),
            Goal(cells=1600, dsp=32, mhz=150),
            175,
        ),
        "mvau-w4a4-lut": Row(
            ECP5,
            partial(layer, "-7..7", "u4", 8, 8, Lut()),
            Goal(cells=2400, dsp=0, mhz=150),
            175,
        ),
        "mvau-w8a8": Row(
            ECP5,
            partial(layer, "s8", "u8", 4, 8, Dsp()),
            Goal(cells=1300, dsp=32, mhz=180),
            200,
        ),
        "mvau-w8a8-packed": Row(
            ECP5,
            partial(layer, "s8", "u8", 4, 8, PackedDsp(2, 18)),
            Goal(cells=2300, dsp=16, mhz=150),
            175,
        ),
        "thresholds-2bit": Row(
            ECP5, partial(thresholds, 2, 8, 0), Goal(cells=500, ram_blocks=0, mhz=180), 200
        ),
        "thresholds-4bit": Row(
            ECP5, partial(thresholds, 4, 8, 2), Goal(cells=1000, ram_blocks=8, mhz=150), 200
        ),
        "thresholds-8bit": Row(
            ECP5, partial(thresholds, 8, 1, 8), Goal(cells=350, ram_blocks=17, mhz=150), 200
        ),
        "constant-16x64": Row(ECP5, random_matrix, Goal(cells=12_000, mhz=150), 160),
        "convolution-9x16": Row(ECP5, partial(convolution, 1), Goal(cells=900, mhz=200), 250),
        "convolution-9x16-up5k": Row(UP5K, convolution, Goal(cells=1100, mhz=48, placed=True), 60),
        "jet-tagging-unfolded": Row(
            ECP5,
            partial(jet_tagging, unfolded),
            Goal(cells=34_000),
            100,
            needs=model_file(_JET_TAGGING),
        ),
        # 1.09 million frames a second.
        "jet-tagging-small": Row(
            ECP5,
            partial(jet_tagging, folded_by(_SMALL)),
            Goal(cells=5005, mhz=139.6),
            150,
            frames=64,
            stalls=_PAUSES,
            needs=model_file(_JET_TAGGING),
        ),
        "popcount-256": Row(
            ECP5,
            partial(XnorCount, 256),
            Goal(cells=680, mhz=300),
            350,
            stalls=(NO_STALL, Stall(source=0.3)),
        ),
        "window-serial": Row(
            ECP5,
            partial(window, 4, "dense"),
            Goal(cells=200, ram_blocks=1, mhz=120),
            150,
            frames=24,
        ),
        "window-whole": Row(
            ECP5, partial(window, 2, "depthwise", 9), Goal(mhz=120), 150, frames=24
        ),
        "depthwise-w8a8": Row(ECP5, depthwise, Goal(mhz=120), 175),
        "window-serial-up5k": Row(
            UP5K, partial(window, 2, "depthwise"), Goal(ram_blocks=4, mhz=30), 50, frames=24
        ),
        "depthwise-w8a8-up5k": Row(UP5K, depthwise, Goal(mhz=30), 50),
        "up5k-mvau-w8a8": Row(
            UP5K,
            partial(layer, "s8", "u8", 4, 4, PackedDsp(2, 8)),
            Goal(dsp=8, mhz=48),
            60,
        ),
    }
)

"""How a MatVec multiplies: which arithmetic suits its numbers, and the unit of each."""

from collections.abc import Iterator

import numpy as np

from cores.choices import (
    ARITHMETIC,
    AdderGraph,
    Arithmetic,
    Block,
    ChainedDsp,
    Dsp,
    Logic,
    Lut,
    Memory,
    PackedDsp,
    Popcount,
)
from cores.dot import dsp_packing
from cores.dot.chained_dot import ChainedDot, adds
from cores.dot.constant_dot import ConstantDot
from cores.dot.digit_dot import DigitDot
from cores.dot.dot_product import DotProduct, weight_range
from cores.dot.multiplier import ProductDot, fits
from cores.dot.packed_dot import PackedDot
from cores.dot.popcount import XnorDot
from cores.fields.arguments import choice
from cores.fields.pruning import filled
from cores.graph.adder_graph import AdderGraphDot
from cores.types import IntType
from platforms.device import Device

COMPARED_WEIGHTS = 1024
"""Weights up to which adder graphs are searched to tell what zeros spare."""

_KINDS = {
    "lut": Lut,
    "dsp": Dsp,
    "dsp_chain": ChainedDsp,
    "dsp18x2 ... dsp8x8": PackedDsp,
    "popcount": Popcount,
    "adder_graph": AdderGraph,
}


def check(
    arithmetic: Arithmetic,
    memory: Memory,
    weights: np.ndarray,
    dtype: IntType,
    *,
    pe: int,
    simd: int,
    pixels: int,
) -> None:
    """
    Raises
    ------
    ValueError
        The arithmetic or the memory does not suit the numbers or the folding.
    """
    choice("arithmetic", "MatVec", arithmetic, _KINDS)
    choice("memory", "MatVec", memory, {"logic": Logic, "block": Block})
    rows, cols = weights.shape
    if isinstance(arithmetic, Popcount) and not _binary(weights, dtype):
        raise ValueError(
            "popcount arithmetic of MatVec must have weights -1 and 1 and inputs of 0..1, "
            f"not weights {weight_range(weights)} and inputs {dtype}"
        )
    if isinstance(arithmetic, AdderGraph) and pe * simd < weights.size:
        raise ValueError(
            f"{arithmetic.text} arithmetic of MatVec must have PE {rows} and SIMD {cols}, all "
            f"rows and columns, not PE {pe} and SIMD {simd}"
        )
    if isinstance(arithmetic, PackedDsp):
        dsp_packing.check(arithmetic, dtype, weight_range(weights), pe=pe, pixels=pixels)
    graph = isinstance(arithmetic, AdderGraph)
    if isinstance(memory, Block) and pe * simd == weights.size and not graph:
        raise ValueError(
            "block memory of MatVec must have at least 2 words, "
            f"but PE {pe} and SIMD {simd} leave one"
        )


def check_device(
    arithmetic: Arithmetic, weights: np.ndarray, dtype: IntType, *, simd: int, device: Device
) -> None:
    """
    Raises
    ------
    ValueError
        The device lacks the multipliers.
    """
    weight = weight_range(weights)
    if isinstance(arithmetic, Dsp) and not fits(device, dtype, weight):
        raise ValueError(
            f"DSP arithmetic of MatVec must have a multiplier for {dtype} x {weight}, "
            f"which {device.name} has not"
        )
    if isinstance(arithmetic, ChainedDsp):
        total = ChainedDot(weights, dtype, 1, simd).result
        if not adds(device, dtype, weight, total):
            raise ValueError(
                f"dsp_chain arithmetic of MatVec must have a multiplier for {dtype} x {weight} "
                f"that adds sums of {total.width} bits, which {device.name} has not: use dsp or a "
                "smaller SIMD"
            )
    if isinstance(arithmetic, PackedDsp):
        dsp_packing.check_device(arithmetic, device)


def offered(
    weights: np.ndarray, dtype: IntType, *, pe: int, simd: int, pixels: int, device: Device
) -> Iterator[tuple[Arithmetic, Memory]]:
    """What suits the numbers, the folding and the device.

    Of several pixels, only what makes use of them: multipliers that are shared, words of block RAM
    that serve all of them, or the rate of a product that is not folded. Else more rows do as well.
    """
    kinds = dtype, weight_range(weights)
    whole = pe * simd == weights.size
    for arithmetic in ARITHMETIC.values():
        shared = pixels == 1 or whole
        match arithmetic:
            case Popcount():
                suits = _binary(weights, dtype)
            case Dsp():
                suits = fits(device, *kinds)
            case ChainedDsp():
                suits = simd > 1 and adds(
                    device, *kinds, ChainedDot(weights, dtype, pe, simd).result
                )
            case PackedDsp():
                suits = dsp_packing.pays(arithmetic, *kinds, pe=pe, pixels=pixels, device=device)
                if suits and not shared:
                    layout = dsp_packing.best(
                        arithmetic, *kinds, pe=pe, products=simd, pixels=pixels
                    )
                    shared = layout.pixels > 1
            case AdderGraph(more):
                # More stages are more registers.
                suits = whole and (not more or device.cells.shared is None)
            case _:
                suits = True
        if suits and shared:
            yield arithmetic, Logic()
        if suits and (not whole or isinstance(arithmetic, AdderGraph)):
            yield arithmetic, Block()


def plan(
    arithmetic: Arithmetic, weights: np.ndarray, dtype: IntType, *, pe: int, simd: int, pixels: int
) -> DotProduct:
    """The unit that multiplies and adds, for one position or more of `pixels`."""
    whole = pe * simd == weights.size
    match arithmetic:
        case Popcount():
            return XnorDot(weights, dtype, pe, simd, whole)
        case Dsp():
            return ProductDot(weights, dtype, pe, simd)
        case ChainedDsp():
            return ChainedDot(weights, dtype, pe, simd)
        case PackedDsp():
            kinds = dtype, weight_range(weights)
            layout = dsp_packing.best(arithmetic, *kinds, pe=pe, products=simd, pixels=pixels)
            return PackedDot(weights, dtype, pe, simd, layout)
        case AdderGraph(more, tries):
            return AdderGraphDot(weights, dtype, more, tries)
        case _ if whole:
            return ConstantDot(weights, dtype)
        case _:
            return DigitDot(weights, dtype, pe, simd)


def with_and_without_zeros(
    arithmetic: Arithmetic, weights: np.ndarray, dtype: IntType, *, pe: int, simd: int
) -> list[DotProduct]:
    """Units for the weights with their zeros filled, and for the weights, if zeros make units
    smaller; of adder graphs the first ones found, and of large ones sums that share nothing."""
    pair = filled(weights), weights
    if pe * simd < weights.size or not isinstance(arithmetic, Lut | AdderGraph):
        return []
    if isinstance(arithmetic, AdderGraph) and weights.size <= COMPARED_WEIGHTS:
        return [AdderGraphDot(each, dtype, arithmetic.more, tries=1) for each in pair]
    return [ConstantDot(each, dtype) for each in pair]


def _binary(weights: np.ndarray, dtype: IntType) -> bool:
    return bool((abs(weights) == 1).all()) and IntType(0, 1).holds(dtype)

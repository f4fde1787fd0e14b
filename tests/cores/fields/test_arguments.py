"""What is wrong with the arguments of MatVec, DepthwiseVec and MultiThreshold is told by name."""

import numpy as np
import pytest

from cores.choices import AdderGraph, Block, Dsp, PackedDsp, Scale, Spram
from cores.dot.dsp_packing import plan
from cores.mvau import MatVec
from cores.sum import adder_tree
from cores.sum.adder_tree import Term
from cores.thresholding import MultiThreshold
from cores.types import IntType
from cores.vvau import DepthwiseVec
from platforms.devices import device

U4 = IntType(0, 15)
ONES = np.ones((4, 6), np.int64)


def matvec(weights=ONES, dtype=U4, **arguments) -> MatVec:
    return MatVec(weights, dtype, **arguments)


def depthwise(weights=ONES, dtype=U4, **arguments) -> DepthwiseVec:
    return DepthwiseVec(weights, dtype, 4, **arguments)


def thresholds(starts=(1, 2, 9), dtype=U4, shape=(4,), **arguments) -> MultiThreshold:
    return MultiThreshold(shape, dtype, np.array([starts]), np.arange(4)[None], **arguments)


NOT_A_NUMBER = np.full((2, 2), np.nan)
KINDS = {
    "PE must be an integer, not 2.0": lambda: matvec(pe=2.0),
    "SIMD must be an integer, not '2'": lambda: matvec(simd="2"),
    "pixels must be an integer, not None": lambda: matvec(pixels=None),
    "positions of MatVec must be a tuple of integers, not 3": lambda: matvec(positions=3),
    "dtype of MatVec must be an IntType, not 'u4'": lambda: matvec(dtype="u4"),
    "dtype of DepthwiseVec must be an IntType, not None": lambda: depthwise(dtype=None),
    "dtype of MultiThreshold must be an IntType, not 4": lambda: thresholds(dtype=4),
    r"arithmetic of MatVec must be an object such as Lut\(\), not 'dsp'": lambda: matvec(
        arithmetic="dsp"
    ),
    r"memory of MatVec must be an object such as Logic\(\), not 'block'": lambda: matvec(
        memory="block"
    ),
    r"comparison of MultiThreshold must be an object such as Parallel\(\), not 'search'": (
        lambda: thresholds(comparison="search")
    ),
    "weights of MatVec must be integers, not float64": lambda: matvec(weights=NOT_A_NUMBER),
    "IntType range must be of integers, not nan": lambda: IntType(0, float("nan")),
    "IntType range must be of integers, not 0.5": lambda: IntType(0.5, 1),
}


@pytest.mark.parametrize("message", KINDS)
def test_refuses_another_kind_of_thing(message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        KINDS[message]()


VALUES = {
    r"weights of MatVec must have rows of one length": lambda: matvec(weights=[[1, 2], [3]]),
    r"weights of MatVec must be a matrix with at least one element, not of shape \(0,\)": (
        lambda: matvec(weights=[])
    ),
    r"weights of MatVec must fit 62 bits, not u64": lambda: matvec(
        weights=np.array([[0, (1 << 64) - 1]], np.uint64)
    ),
    r"dtype of MatVec must fit 62 bits, not u1000": lambda: matvec(dtype=IntType.parse("u1000")),
    r"sums of MatVec must fit 62 bits, which those of 6 products of 0..1099511627776 x u40 may not"
    r"": lambda: matvec(weights=(ONES << 40) * [1, 0, 1, 0, 1, 0], dtype=IntType.parse("u40")),
    r"memory of MatVec must be logic or block, not spram": lambda: matvec(memory=Spram()),
    r"memory of DepthwiseVec must be logic or block, not spram": lambda: depthwise(memory=Spram()),
    r"memory of MultiThreshold must be logic or block, not spram": lambda: thresholds(
        memory=Spram()
    ),
    r"shape of MultiThreshold must end with the channels, not \(\)": lambda: thresholds(shape=()),
    r"shape of MultiThreshold must be positive, not \(3, 0\)": lambda: thresholds(shape=(3, 0)),
    r"a packing in both halves of a multiplier must have an even number of lanes, not 3": (
        lambda: PackedDsp(3, 8)
    ),
    r"lanes and width of a packing must be positive, not 0 and 18": lambda: PackedDsp(0, 18),
    r"stages of an adder graph must not be fewer, not -1 more": lambda: AdderGraph(-1),
    r"operands of a multiplier must have at least 2 bits, not 1": lambda: Scale(1),
    r"shift of a term must not be negative, not -1": lambda: Term(U4, -1),
    r"a sum must have at least one term": lambda: adder_tree.plan([]),
    r"products of u4 x u4 must have a device with multipliers": lambda: plan(U4, U4, None),
    r"a packing must have 1 to 2 pixels and sum at least 1 product, not 3 and 1": lambda: plan(
        U4, U4, device("up5k").multiplier, pixels=3
    ),
}


@pytest.mark.parametrize("message", VALUES)
def test_refuses_values_that_nothing_can_compute(message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        VALUES[message]()


DEEP = np.random.default_rng(1).integers(-128, 128, (4096, 25))
HELP = "keep it in logic or take a larger device"
FOLD = "fold it further, use no multipliers or take a larger device"
DEVICES = {
    f"block memory of DepthwiseVec must have 200 SB_RAM40_4K, but hx1k has 16: {HELP}": (
        "hx1k",
        lambda: DepthwiseVec(DEEP, U4, 4096, memory=Block()),
    ),
    f"MatVec must have 24 SB_MAC16, but up5k has 8: {FOLD}": (
        "up5k",
        lambda: matvec(pe=4, simd=6, arithmetic=Dsp()),
    ),
    f"DepthwiseVec must have 24 SB_MAC16, but up5k has 8: {FOLD}": (
        "up5k",
        lambda: depthwise(pe=4, simd=6, arithmetic=Dsp()),
    ),
    f"MultiThreshold must have 1 multipliers, but hx1k has 0: {FOLD}": (
        "hx1k",
        lambda: thresholds(starts=(3, 6, 9), comparison=Scale(16)),
    ),
    "scale18 comparison of MultiThreshold must have a multiplier of 18 bits, which up5k has not": (
        "up5k",
        lambda: thresholds(starts=(3, 6, 9), comparison=Scale(18)),
    ),
}


@pytest.mark.parametrize("message", DEVICES)
def test_refuses_a_device_that_is_too_small(message):
    name, op = DEVICES[message]
    with pytest.raises(ValueError, match=f"^{message}$"):
        op().core(device(name))


def test_takes_lists_and_numbers_of_numpy():
    op = MatVec([[1, 2], [3, 4]], U4, pe=np.int64(2), positions=[3])
    assert (op.pe, op.positions, op.cycles) == (2, (3,), 6)
    assert type(op.pe) is int


OPS = {
    "weights": lambda array: matvec(weights=array),
    "offset": lambda array: matvec(weights=np.ones((4, 6), int), offset=array[:, 0]),
    "depthwise weights": lambda array: depthwise(weights=array),
    "values": lambda array: MultiThreshold((4,), U4, array[:, :-1], array),
}


@pytest.mark.parametrize("name", OPS)
def test_an_op_keeps_its_numbers_whatever_becomes_of_the_array(name):
    given = np.arange(24).reshape(4, 6)
    op = OPS[name](given)
    field = name.split()[-1]
    kept = getattr(op, field).copy()
    given[:] = -1
    assert np.array_equal(getattr(op, field), kept)
    with pytest.raises(ValueError, match="read-only"):
        getattr(op, field)[0] = 0


@pytest.mark.parametrize("name", OPS)
def test_foldings_of_an_op_share_its_numbers(name):
    op = OPS[name](np.arange(24).reshape(4, 6))
    field = name.split()[-1]
    foldings = list(op.foldings(device("ecp5-85f")))
    assert len(foldings) > 3
    assert all(np.shares_memory(getattr(each, field), getattr(op, field)) for each in foldings)

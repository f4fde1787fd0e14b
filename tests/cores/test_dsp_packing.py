"""Proofs that every layout of the planner splits exactly, and that broken ones are refuted.

`Layout.split` is proved lane by lane: what is above a lane is any number whose lowest bits are
known, what is below has carried any carry of the declared range. By induction over the lanes, the
split is exact for all operands; small operands are enumerated as well, packing included.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import z3

from cores.dsp_packing import layouts, slots
from cores.lane_layout import Layout, Slot
from cores.types import IntType
from platforms.devices import device

ECP5 = device("ecp5-85f").multiplier
UP5K = device("up5k").multiplier
assert ECP5 is not None and UP5K is not None
SLOTS = tuple(dict.fromkeys((*slots(ECP5), *slots(UP5K))))
PRODUCTS = 64
PROOF_WIDTH = 48  # above the widest packed sum: 36 bits and 64 products


def every_type(*, narrow: bool) -> list[IntType]:
    full = [IntType.bits(n, signed=signed) for n in range(1, 9) for signed in (False, True)]
    symmetric = [IntType(1 - (1 << n - 1), (1 << n - 1) - 1) for n in range(2, 9)]
    return full + symmetric if narrow else full


@cache
def every_layout(slot: Slot) -> tuple[Layout, ...]:
    return tuple(
        layout
        for activation, weight in product(every_type(narrow=False), every_type(narrow=True))
        for layout in layouts(activation, weight, slot, pixels=2, products=PRODUCTS)
    )


def lane_is_exact(layout: Layout, k: int, lane: IntType | None = None) -> bool:
    """Whether lane k, of any value of its range (or another), splits whatever is around it."""
    lane = lane or layout.lane
    value, carried, above, beyond = z3.BitVecs("value carried above beyond", PROOF_WIDTH)
    below = layout.carries[k - 1] if k else IntType(0, 0)
    solver = z3.Solver()
    solver.add(lane.lo <= value, value <= lane.hi, below.lo <= carried, carried <= below.hi)
    if k == layout.lanes - 2:
        solver.add(beyond == 0)
    shift, mask = layout.spacing, (1 << layout.spacing) - 1
    rest = value + carried + (above + (beyond << shift) << shift)
    out = z3.BitVecVal(0, PROOF_WIDTH)
    out += layout.carry(k, rest, above & (1 << layout.low_bits(k)) - 1)
    wrong_carry = out != value + carried >> shift
    wrong_value = (rest & mask) + (out << shift) - carried != value
    declared = layout.carries[k]
    outside = z3.Or(out < declared.lo, out > declared.hi)
    solver.add(z3.Or(wrong_carry, wrong_value, outside))
    return solver.check() == z3.unsat


def operands_are_exact(layout: Layout, chosen: int | None = None) -> bool:
    """Whether one product of all operand values, or of some, packs and splits."""
    counts = [layout.activation.levels] * layout.pixels + [layout.weight.levels] * layout.rows
    lows = [layout.activation.lo] * layout.pixels + [layout.weight.lo] * layout.rows
    total = int(np.prod(counts))
    index = np.arange(total) if chosen is None else np.random.default_rng(1).choice(total, chosen)
    digits = np.unravel_index(index, counts)
    values = [digit.astype(np.int64) + low for digit, low in zip(digits, lows, strict=True)]
    a, w = values[: layout.pixels], values[layout.pixels :]
    pairs = [layout.pair(k) for k in range(layout.lanes)]
    lanes = [a[p] * w[r] + layout.bias for p, r in pairs]
    bias = sum(layout.bias << layout.spacing * k for k in range(layout.lanes))
    packed = layout.pack_activations(a) * layout.pack_weights(w) + bias
    low = [lanes[k + 1] & (1 << layout.low_bits(k)) - 1 for k in range(layout.lanes - 1)]
    return all(
        np.array_equal(found, lane)
        for found, lane in zip(layout.split(packed, low), lanes, strict=True)
    )


def combinations(layout: Layout) -> int:
    return layout.activation.levels**layout.pixels * layout.weight.levels**layout.rows


@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_every_lane_of_every_layout_splits_exactly(slot):
    lanes = {}
    for layout in every_layout(slot):
        for k in range(layout.lanes - 1):
            below = layout.carries[k - 1] if k else None
            last = k == layout.lanes - 2
            lanes.setdefault((layout.spacing, layout.lane, layout.biased, below, last), (layout, k))
    assert len(lanes) > 50
    for layout, k in lanes.values():
        assert lane_is_exact(layout, k), f"{layout}, lane {k}"


@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_small_operands_pack_and_split_exactly(slot):
    small = [layout for layout in every_layout(slot) if combinations(layout) <= 1 << 10]
    assert len(small) > 100
    for layout in small:
        assert operands_are_exact(layout), layout


@pytest.mark.parametrize("slot", SLOTS, ids=str)
def test_packed_operands_fit_the_multiplier(slot):
    for layout in every_layout(slot):
        for word in (layout.weights, layout.activations):
            bound = IntType.bits(slot.width, signed=word.signed)
            assert bound.holds(word), layout


def test_a_layout_with_a_bit_less_or_a_product_more_is_refuted():
    refuted = 0
    for layout in every_layout(Slot(18))[::7]:
        if layout.lanes == 1 or not layout.complete or layout.product == IntType(0, 0):
            continue
        wider = IntType(layout.lane.lo * 2 - 1, layout.lane.hi * 2 + 1)
        assert not all(lane_is_exact(layout, k, wider) for k in range(layout.lanes - 1)) or (
            layout.most(biased=layout.biased) >= 2 * layout.products
        ), layout
        refuted += 1
    assert refuted > 50


@pytest.mark.parametrize("biased", [False, True])
def test_capacity_is_the_most_products_that_split(biased):
    u4, s4 = IntType(0, 15), IntType(-8, 7)
    layout = Layout(u4, s4, Slot(18), 1, 2, 13, 36 if biased else 34, biased=biased)
    assert layout.capacity == layout.products
    more = layout.products + 1
    lane = IntType(more * -120 + layout.bias, more * 105 + layout.bias)
    assert lane_is_exact(layout, 0)
    assert not lane_is_exact(layout, 0, lane)
    with pytest.raises(ValueError):
        replace(layout, products=more)

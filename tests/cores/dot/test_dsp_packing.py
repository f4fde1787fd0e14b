"""Proofs that every layout of the planner splits exactly, and that broken ones are refuted.

`Layout.split` is proved lane by lane: what is above a lane is any number whose lowest bits are
known, what is below has carried any carry of the declared range. By induction over the lanes, the
split is exact for all operands; small operands are enumerated as well, packing included. One more
proof for each spacing leaves the range of the lane open: it covers ranges that are not those of
whole words.
"""

from dataclasses import replace
from functools import cache
from itertools import chain, product
from typing import Any

import numpy as np
import pytest
import z3

from cores.dot.dsp_packing import layouts, plan, slots
from cores.dot.lane_layout import Layout, Slot, borrowed
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
    if layout.low_bits(k) > layout.spacing:
        assert k == layout.lanes - 2
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


@pytest.mark.grid
def test_every_lane_of_every_layout_splits_exactly():
    lanes = {}
    for layout in chain.from_iterable(map(every_layout, SLOTS)):
        for k, carry in enumerate(layout.carries):
            below = layout.carries[k - 1] if k else IntType(0, 0)
            # The highest pair of lanes needs its own proof only if it reaches further.
            last = layout.low_bits(k) > layout.spacing
            lanes.setdefault((layout.spacing, layout.lane, carry, below, last), (layout, k))
    assert len(lanes) > 500
    for layout, k in lanes.values():
        assert lane_is_exact(layout, k), f"{layout}, lane {k}"


class AnyLane(Layout):
    """A lane with others above and below, of any range that is told apart in the same way."""

    @classmethod
    def of(cls, spacing: int, carry: IntType, *, bits: int) -> "AnyLane":
        lane = object.__new__(cls)
        lane.__dict__ |= {"spacing": spacing, "carries": (carry,), "bits": bits}
        return lane

    def by_sign(self, k: int) -> bool:
        return not self.__dict__["bits"]

    def low_bits(self, k: int) -> int:
        return self.__dict__["bits"]


def any_range_is_exact(layout: AnyLane) -> bool:
    """Whether the lane splits, whatever its range and what is above: of the lane with the carry
    from below it is only known that its own carry lies in the declared range or, where no bits
    are known apart, that its sign tells the carry."""
    total, above = z3.BitVecs("total above", PROOF_WIDTH)
    solver, spacing = z3.Solver(), layout.spacing
    carry, bits = layout.carries[0], layout.low_bits(0)
    solver.add(total >> spacing >= carry.lo, total >> spacing <= carry.hi)
    if not bits and carry != IntType(0, 0):
        solver.add(total >= -(1 << spacing - 1), total < 1 << spacing - 1)
    rest = total + (above << spacing)
    out = z3.BitVecVal(0, PROOF_WIDTH) + layout.carry(0, rest, above & (1 << bits) - 1)
    whole = (rest & (1 << spacing) - 1) + (out << spacing)
    solver.add(z3.Or(out != total >> spacing, whole != total))
    return solver.check() == z3.unsat


@pytest.mark.parametrize("spacing", range(1, 19))
def test_lanes_of_any_types_split_exactly(spacing):
    cases = [(IntType(0, 0), 0), (IntType(-1, 0), 0)]
    cases += [(IntType.bits(n, signed=s), n) for n in range(1, 19) for s in (False, True)]
    for carry, bits in cases:
        assert any_range_is_exact(AnyLane.of(spacing, carry, bits=bits)), (carry, bits)


def test_a_lane_that_carries_more_than_its_bits_tell_is_refuted():
    for carry, bits in ((IntType(0, 8), 3), (IntType(-5, 3), 3), (IntType(-1, 0), 1)):
        told = AnyLane.of(7, carry, bits=bits)
        assert any_range_is_exact(told) == (carry == IntType(-1, 0))


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


class OneBitLess(Layout):
    """A layout with its lanes moved together by a bit, that splits as before."""

    original: Layout

    @classmethod
    def of(cls, layout: Layout) -> "OneBitLess":
        broken = object.__new__(cls)
        broken.__dict__ |= layout.__dict__ | {"carries": layout.carries, "original": layout}
        broken.__dict__["spacing"] -= 1
        return broken

    def by_sign(self, k: int) -> bool:
        return self.original.by_sign(k)

    def low_bits(self, k: int) -> int:
        return self.original.low_bits(k)


def test_a_layout_with_a_bit_less_is_refuted():
    refuted = 0
    for layout in every_layout(Slot(18))[::47]:
        if layout.lanes == 1 or layout.product == IntType(0, 0):
            continue
        broken = OneBitLess.of(layout)
        if layout.complete and broken.most(biased=layout.biased) >= layout.products:
            continue  # its spacing is that of its fields, not of its sums
        assert not lane_is_exact(broken, layout.lanes - 2), layout
        refuted += 1
    assert refuted > 25


def test_a_product_more_than_the_capacity_is_refuted():
    refuted = 0
    for layout in every_layout(Slot(18))[::47]:
        if layout.lanes == 1 or not layout.complete or layout.product == IntType(0, 0):
            continue
        most = replace(layout, products=layout.capacity)
        assert lane_is_exact(most, 0), layout
        count = layout.capacity + 1
        low = 0 if layout.biased else count * layout.product.lo
        more = IntType(low, low + count * (layout.product.hi - layout.product.lo))
        # A lane with others below it has to hold their borrow too.
        assert not lane_is_exact(most, layout.lanes - 2, more), layout
        with pytest.raises(ValueError):
            replace(layout, products=count)
        refuted += 1
    assert refuted > 25


TABLE = {
    # activation, weight, multiplier, pixels, products: lanes, spacing, packed, low bits
    ("u8", "-127..127", "ecp5", 1, 8): (2, 10, 1, 6),
    ("u8", "s8", "ecp5", 2, 8): (2, 10, 1, 6),
    ("u4", "-7..7", "ecp5", 1, 8): (3, 7, 1, 1),
    ("u4", "-7..7", "ecp5", 2, 8): (4, 7, 1, 1),
    ("u4", "s4", "ecp5", 2, 8): (4, 7, 1, 1),
    ("u2", "-1..1", "ecp5", 1, 1): (6, 3, 1, 0),
    ("u4", "s4", "up5k", 2, 8): (4, 6, 1, 2),
}


@pytest.mark.parametrize("given", TABLE, ids=str)
def test_plans_what_is_known_to_be_best(given):
    activation, weight, family, pixels, products = given
    layout = plan(
        IntType.parse(activation),
        IntType.parse(weight),
        ECP5 if family == "ecp5" else UP5K,
        pixels=pixels,
        products=products,
    )
    found = (layout.lanes, layout.spacing, layout.products, layout.low_bits(0))
    assert found == TABLE[given]


def test_two_products_of_8_bits_go_into_the_halves_of_sb_mac16():
    layout = plan(IntType(0, 255), IntType(-128, 127), UP5K, products=8)
    assert (layout.slot, layout.lanes, layout.macs, layout.luts) == (Slot(8, 2), 1, 2, 0)


def test_four_products_of_4_bits_go_into_sb_mac16_with_one_vector():
    found = layouts(IntType(0, 15), IntType(-7, 7), Slot(8, 2))
    assert max(layout.macs for layout in found) == 4


def test_known_bounds_of_packed_sums():
    u4, s4, u8 = IntType(0, 15), IntType(-8, 7), IntType(0, 255)
    assert Layout(u4, s4, Slot(18), 1, 2, 13, biased=True).capacity == 36
    assert Layout(u4, s4, Slot(18), 1, 2, 13).capacity == 34
    assert Layout(u4, IntType(-7, 7), Slot(18), 1, 2, 14).capacity == 78
    assert Layout(u8, s4, Slot(18), 1, 2, 13).capacity == 2


def test_a_lane_between_others_must_hold_their_borrow():
    # Two products of -8 just fit 5 bits as a sign; not one less.
    u1, s4 = IntType(0, 1), IntType(-8, 7)
    assert Layout(u1, s4, Slot(18), 1, 2, 5, 2).capacity == 2
    message = "^1 x 3 lanes of u1 x s4 every 5 bits must sum at most 1 products packed, not 2$"
    with pytest.raises(ValueError, match=message):
        Layout(u1, s4, Slot(18), 1, 3, 5, 2)


def test_packs_and_splits_by_hand():
    # 5 x (3, -2, 7) every 7 bits: 15 - 10 * 128 + 35 * 16384
    layout = Layout(IntType(0, 15), IntType(-7, 7), Slot(18), 1, 3, 7)
    packed = layout.pack_weights((3, -2, 7))
    assert packed == 3 - 2 * 128 + 7 * 16384
    assert 5 * packed == 15 - 10 * 128 + 35 * 16384
    assert layout.split(5 * packed, [-10 & 1, 35 & 1]) == [15, -10, 35]


def test_stored_weights_side_by_side_are_the_packed_ones():
    grid = np.stack(np.meshgrid(*[np.arange(-7, 8)] * 3), axis=-1).reshape(-1, 3)
    layout = Layout(IntType(0, 15), IntType(-7, 7), Slot(18), 1, 3, 7)
    codes = borrowed(grid)
    assert (codes.min(), codes.max()) == (-8, 7)
    fields = [codes[:, 0] & 127, (codes[:, 1] & 127) << 7, codes[:, 2] << 14]
    assert np.array_equal(sum(fields), layout.pack_weights(list(grid.T)))
    assert borrowed(np.array([-1, 0, 0])).tolist() == [-1, -1, -1]


def rejected(message: str, **changes: Any) -> None:
    u4, s4 = IntType(0, 15), IntType(-8, 7)
    layout = {"pixels": 1, "rows": 2, "spacing": 13, **changes}
    with pytest.raises(ValueError, match=f"^{message}$"):
        Layout(u4, s4, Slot(18), **layout)


def test_rejects_operands_beyond_the_multiplier():
    rejected(
        "weights of 1 x 3 lanes of u4 x s4 every 7 bits must fit 18 bits, not 19",
        rows=3,
        spacing=7,
    )


def test_rejects_sums_beyond_the_capacity():
    rejected(
        "1 x 2 lanes of u4 x s4 every 13 bits must sum at most 34 products packed, not 35",
        products=35,
    )


def test_rejects_a_bias_that_leaves_a_carry():
    rejected(
        "spacing of 1 x 2 lanes of u4 x s4 every 7 bits must hold a lane of 0..225: its bias "
        "leaves a carry",
        spacing=7,
        biased=True,
    )


def test_rejects_fields_closer_than_their_values():
    rejected(
        "fields of 1 x 2 lanes of u4 x s4 every 4 bits must be at least as wide as their values",
        spacing=4,
    )


def test_rejects_no_lanes():
    rejected("pixels, rows, spacing and products of a packing must be positive", rows=0)


def test_rejects_types_wider_than_the_multiplier():
    message = "^operands of a SB_MAC16 must fit 16 bits, not u17 x s4$"
    with pytest.raises(ValueError, match=message):
        plan(IntType.bits(17, signed=False), IntType(-8, 7), UP5K)

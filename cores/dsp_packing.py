"""The planner of packed products: which layouts there are for two types, and the best one."""

from collections.abc import Iterator
from dataclasses import replace

from cores.lane_layout import Layout, Slot
from cores.types import IntType
from platforms.device import Multiplier

_LUTS_PER_BIT = 5 / 3
"""LUTs of a product in logic, per pair of operand bits."""

MOST_FIELDS = 8
"""Fields of one operand that the planner tries."""


def slots(multiplier: Multiplier) -> tuple[Slot, ...]:
    """The modes of a multiplier."""
    whole = Slot(min(multiplier.a_width, multiplier.b_width))
    return (whole, Slot(8, multiplier.lanes8)) if multiplier.lanes8 > 1 else (whole,)


def layouts(
    activation: IntType,
    weight: IntType,
    slot: Slot,
    *,
    pixels: int = 1,
    products: int = 1,
) -> Iterator[Layout]:
    """Every layout worth a choice: for each number of fields, the tightest that splits sums of
    1, 2, 4, ... products without knowing more than the sum, and the widest that has to know more.

    Parameters
    ----------
    activation, weight : IntType
    slot : Slot
    pixels : int
        Activations that share the weights, at most.
    products : int
        Products of a whole sum; no more are summed packed.
    """
    for fields in range(1, pixels + 1):
        for rows in range(1, MOST_FIELDS + 1):
            for inside in (False, True) if min(fields, rows) > 1 else (False,):
                shape = activation, weight, slot, fields, rows, inside
                tried = [_try(*shape, spacing) for spacing in range(1, _widest(*shape) + 1)]
                yield from _chosen([layout for layout in tried if layout], products)


def _widest(
    activation: IntType, weight: IntType, slot: Slot, pixels: int, rows: int, inside: bool
) -> int:
    """No wider spacing leaves room for the highest field of each operand."""
    steps = (pixels - 1) * (rows if inside else 1), (rows - 1) * (1 if inside else pixels)
    room = slot.width - activation.width, slot.width - weight.width
    return min([r // step for r, step in zip(room, steps, strict=True) if step], default=1)


def _try(
    activation: IntType,
    weight: IntType,
    slot: Slot,
    pixels: int,
    rows: int,
    inside: bool,
    spacing: int,
) -> Layout | None:
    try:
        return Layout(activation, weight, slot, pixels, rows, spacing, weights_inside=inside)
    except ValueError:
        return None


def _chosen(spaced: list[Layout], products: int) -> Iterator[Layout]:
    """Of layouts that differ in their spacing alone, those that `layouts` yields."""
    if not spaced:
        return
    if spaced[0].lanes == 1:
        yield spaced[0]
        return
    overlapping = [layout for layout in spaced if not layout.complete]
    if overlapping:
        yield overlapping[-1]
    for count in (1 << k for k in range(products.bit_length())):
        for biased in (False, True) if spaced[0].product.lo < 0 else (False,):
            enough = (s for s in spaced if s.most(biased=biased) >= count)
            if layout := next(enough, None):
                yield replace(layout, products=count, biased=biased)


def plan(
    activation: IntType,
    weight: IntType,
    multiplier: Multiplier,
    *,
    pixels: int = 1,
    products: int = 1,
) -> Layout:
    """The layout of least cost: the LUTs of its split, less those that its products would take.

    Parameters
    ----------
    activation, weight : IntType
    multiplier : Multiplier
    pixels : int
        Activations that share the weights, at most.
    products : int
        Products of a whole sum.

    Raises
    ------
    ValueError
        The multiplier cannot hold the operands.
    """
    found = [
        layout
        for slot in slots(multiplier)
        for layout in layouts(activation, weight, slot, pixels=pixels, products=products)
    ]
    if not found:
        width = max(slot.width for slot in slots(multiplier))
        raise ValueError(
            f"operands of a {multiplier.primitive} must fit {width} bits, "
            f"not {activation} x {weight}"
        )
    return min(found, key=_cost)


def _cost(layout: Layout) -> float:
    product = layout.activation.width * layout.weight.width * _LUTS_PER_BIT
    split = layout.luts * layout.slot.halves / layout.products
    return split - product * layout.macs

"""The planner of packed products: which layouts there are for two types, and the best one."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from cores.choices import PackedDsp
from cores.dot.lane_layout import Layout, Slot
from cores.types import IntType
from platforms.device import Device, Multiplier

_LUTS_PER_BIT = 5 / 3
"""LUTs of a product in logic, per pair of operand bits."""

MOST_PIXELS = 2
"""Fields of several pixels in one operand."""

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
    rows: int | None = None,
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
    rows : int or None
        Weights that share the activations; up to `MOST_FIELDS` if None.
    products : int
        Products of a whole sum; no more are summed packed.
    """
    for fields in range(1, pixels + 1):
        for count in range(1, MOST_FIELDS + 1) if rows is None else (rows,):
            for inside in (False, True) if min(fields, count) > 1 else (False,):
                shape = activation, weight, slot, fields, count, inside
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
    multiplier: Multiplier | None,
    *,
    pixels: int = 1,
    products: int = 1,
) -> Layout:
    """The layout of least cost: the LUTs of its split, less those that its products would take.

    Parameters
    ----------
    activation, weight : IntType
    multiplier : Multiplier or None
    pixels : int
        Activations that share the weights, at most.
    products : int
        Products of a whole sum.

    Raises
    ------
    ValueError
        There is no multiplier, or it cannot hold the operands.
    """
    if multiplier is None:
        raise ValueError(f"products of {activation} x {weight} must have a device with multipliers")
    if not 1 <= pixels <= MOST_PIXELS or products < 1:
        raise ValueError(
            f"a packing must have 1 to {MOST_PIXELS} pixels and sum at least 1 product, "
            f"not {pixels} and {products}"
        )
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


def check(
    arithmetic: PackedDsp, activation: IntType, weight: IntType, *, pe: int, pixels: int
) -> None:
    """Whether a packing holds these types.

    Raises
    ------
    ValueError
        It does not, or there are not as many rows as fields.
    """
    legal = _shapes(arithmetic, pixels)
    least = min(rows for _, rows in legal)
    if least > pe:
        raise ValueError(f"{arithmetic.text} arithmetic must have PE of at least {least}, not {pe}")
    if not _fitting(arithmetic, activation, weight, products=1, pe=pe, pixels=pixels):
        raise ValueError(
            f"{arithmetic.text} arithmetic must have {arithmetic.rows} weights of {weight} in "
            f"{arithmetic.width} bits, with products by inputs of {activation} that split"
            + (f"; or fewer, and inputs of {pixels} positions" if len(legal) > 1 else "")
        )


def best(
    arithmetic: PackedDsp,
    activation: IntType,
    weight: IntType,
    *,
    pe: int,
    products: int,
    pixels: int,
) -> Layout:
    """The layout of a packing that takes the fewest multipliers, then the fewest LUTs, for sums of
    so many products, of so many rows and pixels."""
    found = _fitting(arithmetic, activation, weight, products=products, pe=pe, pixels=pixels)
    return min(found, key=lambda layout: (_operands(layout, pe, pixels), _cost(layout)))


def _shapes(arithmetic: PackedDsp, pixels: int) -> list[tuple[int, int]]:
    """Fields of both operands, of pixels and of rows, that make the products of a packing."""
    most = [n for n in range(1, MOST_PIXELS + 1) if pixels % n == arithmetic.rows % n == 0]
    return [(n, arithmetic.rows // n) for n in most]


def _operands(layout: Layout, pe: int, pixels: int) -> int:
    """Packed products of one column."""
    return -(-pe // layout.rows) * (pixels // layout.pixels)


@cache
def _fitting(
    arithmetic: PackedDsp,
    activation: IntType,
    weight: IntType,
    *,
    products: int,
    pe: int,
    pixels: int,
) -> tuple[Layout, ...]:
    slot = Slot(arithmetic.width, arithmetic.halves)
    return tuple(
        layout
        for fields, rows in _shapes(arithmetic, pixels)
        if rows <= pe
        for layout in _of_shape(activation, weight, slot, fields, rows, products)
    )


@cache
def _of_shape(
    activation: IntType, weight: IntType, slot: Slot, fields: int, rows: int, products: int
) -> tuple[Layout, ...]:
    found = layouts(activation, weight, slot, pixels=fields, rows=rows, products=products)
    return tuple(layout for layout in found if layout.pixels == fields)


def check_device(arithmetic: PackedDsp, device: Device) -> None:
    """Whether the device has the multiplier of a packing.

    Raises
    ------
    ValueError
    """
    if not has(device, arithmetic):
        raise ValueError(
            f"{arithmetic.text} arithmetic must have a multiplier of {arithmetic.width} bits"
            + (" in both halves" if arithmetic.halves > 1 else "")
            + f", which {device.name} has not"
        )


def has(device: Device, arithmetic: PackedDsp) -> bool:
    """Whether the device has a multiplier for a packing."""
    found = slots(device.multiplier) if device.multiplier is not None else ()
    return any(
        slot.width >= arithmetic.width and slot.halves == arithmetic.halves for slot in found
    )


def pays(
    arithmetic: PackedDsp,
    activation: IntType,
    weight: IntType,
    *,
    pe: int,
    pixels: int,
    device: Device,
) -> bool:
    """Whether a packing is legal on a device, in a mode of full width, and takes fewer multipliers
    than one with fewer lanes."""
    slot = Slot(arithmetic.width, arithmetic.halves)
    if device.multiplier is None or slot not in slots(device.multiplier):
        return False
    return _saves(arithmetic, activation, weight, pe=pe, pixels=pixels)


@cache
def _saves(
    arithmetic: PackedDsp, activation: IntType, weight: IntType, *, pe: int, pixels: int
) -> bool:
    """Whether it takes fewer multipliers than a packing with fewer lanes, of any SIMD."""

    def operands(lanes: int) -> int | None:
        packing = PackedDsp(lanes * arithmetic.halves, arithmetic.width)
        found = _fitting(packing, activation, weight, products=1, pe=pe, pixels=pixels)
        return min((_operands(layout, pe, pixels) for layout in found), default=None)

    least = operands(arithmetic.rows)
    fewer = [found for lanes in range(1, arithmetic.rows) if (found := operands(lanes))]
    return least is not None and least < min(fewer, default=least + 1)

"""The planner of packed products: which layouts there are for two types, and the best one."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from cores.lane_layout import Layout, Slot
from cores.op import PackedDsp
from cores.types import IntType
from platforms.device import Device, Multiplier

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


def check(arithmetic: PackedDsp, activation: IntType, weight: IntType, *, pe: int) -> None:
    """Whether a packing holds these types.

    Raises
    ------
    ValueError
        It does not, or there are not as many rows as fields.
    """
    if arithmetic.rows > pe:
        raise ValueError(
            f"{arithmetic.text} arithmetic needs PE of at least {arithmetic.rows}, not {pe}"
        )
    if not _fitting(arithmetic, activation, weight, products=1):
        raise ValueError(
            f"{arithmetic.text} arithmetic needs {arithmetic.rows} weights of {weight} in "
            f"{arithmetic.width} bits, with products by inputs of {activation} that split"
        )


def best(arithmetic: PackedDsp, activation: IntType, weight: IntType, *, products: int) -> Layout:
    """The layout of a packing that takes the fewest LUTs for sums of so many products."""
    return min(_fitting(arithmetic, activation, weight, products=products), key=_cost)


@cache
def _fitting(
    arithmetic: PackedDsp, activation: IntType, weight: IntType, *, products: int
) -> tuple[Layout, ...]:
    slot = Slot(arithmetic.width, arithmetic.halves)
    return tuple(layouts(activation, weight, slot, rows=arithmetic.rows, products=products))


def check_device(arithmetic: PackedDsp, device: Device) -> None:
    """Whether the device has the multiplier of a packing.

    Raises
    ------
    ValueError
    """
    if not has(device, arithmetic):
        raise ValueError(
            f"{arithmetic.text} arithmetic needs a multiplier of {arithmetic.width} bits"
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
    arithmetic: PackedDsp, activation: IntType, weight: IntType, *, pe: int, device: Device
) -> bool:
    """Whether a packing is legal on a device, in a mode of full width, and takes fewer multipliers
    than one with fewer lanes."""
    slot, rows = Slot(arithmetic.width, arithmetic.halves), arithmetic.rows
    if device.multiplier is None or slot not in slots(device.multiplier) or rows > pe:
        return False
    if rows > 1 and -(-pe // rows) == -(-pe // (rows - 1)):
        return False
    return bool(_fitting(arithmetic, activation, weight, products=1))

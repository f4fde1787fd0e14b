import numpy as np
import pytest

from cores.dot.dsp_packing import layouts
from cores.dot.lane_layout import Layout, Slot
from cores.dot.packed_dot import PackedDot
from cores.types import IntType
from platforms.devices import device
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

U2, U4, S4, U8, S8 = (IntType.parse(text) for text in ("u2", "u4", "s4", "u8", "s8"))
NARROW4, NARROW8 = IntType(-7, 7), IntType(-127, 127)
WHOLE, SMALL, HALVES = Slot(18), Slot(16), Slot(8, 2)


def results(plan, rng, *, target=None, steps: int = 12) -> None:
    """Drives steps of random rows and inputs, ends of the ranges more often, and compares."""
    unit = Modelled(plan.unit(target))
    groups, cols = len(plan.weights) // plan.pe, plan.weights.shape[1]
    given = []
    for _ in range(steps):
        row, col = int(rng.integers(groups)) * plan.pe, int(rng.integers(cols // plan.simd))
        shape = plan.layout.pixels, plan.simd
        ends = rng.choice([plan.dtype.lo, plan.dtype.hi], shape)
        x = rng.integers(plan.dtype.lo, plan.dtype.hi + 1, shape)
        given.append((row, col * plan.simd, np.where(rng.random(shape) < 0.5, ends, x)))

    def drive(ctx, step):
        row, col, x = step
        codes = plan.codes[row : row + plan.pe, col : col + plan.simd].ravel().tolist()
        ctx.set(unit.w, codes)
        ctx.set(unit.x, x.ravel().tolist())

    found = outputs(
        unit,
        given,
        drive=drive,
        read=lambda ctx: ctx.get(unit.o.as_value()),
        depth=plan.depth,
    )
    width, signed = plan.result.width, plan.result.signed
    offset = -plan.corrections * plan.simd // cols
    for value, (row, col, x) in zip(found, given, strict=True):
        count = plan.layout.pixels * plan.pe
        lanes = [value >> width * p & (1 << width) - 1 for p in range(count)]
        lanes = [v - (v >> width - 1 << width) if signed else v for v in lanes]
        weights = plan.weights[row : row + plan.pe, col : col + plan.simd]
        sums = x @ weights.T + offset[row : row + plan.pe]  # [pixel][row]
        assert lanes == sums.ravel().tolist()


def chosen(activation, weight, slot, rows, *, products=1, biased=False) -> Layout:
    for layout in layouts(activation, weight, slot, products=products):
        if (layout.rows, layout.products, layout.biased) == (rows, products, biased):
            return layout
    raise AssertionError("no such layout")


def double_sided(activation, weight, slot, rows, *, inside: bool, products=1) -> Layout:
    """Of two pixels."""
    for layout in layouts(activation, weight, slot, pixels=2, rows=rows, products=products):
        if (layout.pixels, layout.weights_inside, layout.products) == (2, inside, products):
            return layout
    raise AssertionError("no such layout")


def corner_weights(weight: IntType, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ends = rng.choice([weight.lo, weight.hi], shape)
    found = np.where(rng.random(shape) < 0.5, ends, rng.integers(weight.lo, weight.hi + 1, shape))
    found[0, 0], found[-1, -1] = weight.lo, weight.hi
    return found


CASES = {
    "3 narrow lanes, one low bit": (U4, NARROW4, WHOLE, 3, 1, False, 8, 4),
    "3 lanes, two low bits": (U4, S4, WHOLE, 3, 1, False, 5, 3),
    "2 lanes, summed packed": (U4, S4, WHOLE, 2, 8, False, 4, 8),
    "2 lanes, two packed sums": (U4, S4, WHOLE, 2, 4, False, 3, 7),
    "2 lanes, bias": (U4, S4, WHOLE, 2, 4, True, 4, 6),
    "2 wide lanes, six low bits": (U8, NARROW8, WHOLE, 2, 1, False, 4, 2),
    "2 wide lanes, seven low bits": (U8, S8, WHOLE, 2, 1, False, 2, 3),
    "2 signed wide lanes": (S8, NARROW8, WHOLE, 2, 1, False, 2, 2),
    "unsigned weights": (U8, U8, WHOLE, 2, 1, False, 3, 2),
    "6 lanes of 2 bits": (U2, IntType(-1, 1), WHOLE, 6, 1, False, 8, 3),
    "3 lanes in 16 bits": (U4, NARROW4, SMALL, 3, 1, False, 3, 2),
    "dual 8 x 8": (U8, S8, HALVES, 1, 1, False, 4, 3),
    "dual 8 x 8, a half unused": (S8, S8, HALVES, 1, 1, False, 3, 1),
    "dual, 2 lanes each": (U4, NARROW4, HALVES, 2, 1, False, 4, 3),
    "dual, 3 ternary lanes each": (U2, IntType(-1, 1), HALVES, 3, 1, False, 6, 2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("hard", [False, True], ids=["portable", "hard"])
def test_adds_the_products_of_every_row(name, hard):
    activation, weight, slot, rows, products, biased, pe, simd = CASES[name]
    layout = chosen(activation, weight, slot, rows, products=products, biased=biased)
    weights = corner_weights(weight, (2 * pe, 2 * simd), seed=3)
    plan = PackedDot(weights, activation, pe, simd, layout)
    target = device("ecp5-25f" if slot == WHOLE else "up5k") if hard else None
    results(plan, np.random.default_rng(4), target=target)


OF_TWO_PIXELS = {
    "4 products of 4 bits": (U4, NARROW4, WHOLE, 2, False, 1, 4, 3),
    "a group of one row": (U4, NARROW4, WHOLE, 2, False, 1, 3, 2),
    "weights inside": (U4, NARROW4, WHOLE, 2, True, 1, 4, 2),
    "weights inside, a group of one row": (IntType(-7, 7), S4, WHOLE, 2, True, 1, 3, 2),
    "weights inside, a row further apart": (S4, IntType(-2, 3), WHOLE, 3, True, 1, 4, 2),
    "signed inputs": (S4, NARROW4, WHOLE, 2, False, 1, 4, 2),
    "wide inputs share a weight": (U8, S8, WHOLE, 1, False, 1, 2, 2),
    "signed wide inputs": (S8, NARROW8, WHOLE, 1, False, 1, 1, 2),
    "6 products of 2 bits": (U2, IntType(-1, 1), WHOLE, 3, False, 1, 3, 4),
    "summed packed": (U2, IntType(-1, 1), WHOLE, 2, False, 2, 2, 5),
    "in 16 bits": (U4, S4, SMALL, 2, False, 1, 2, 2),
    "in both halves": (U4, NARROW4, HALVES, 1, False, 1, 3, 2),
}


@pytest.mark.parametrize("name", OF_TWO_PIXELS)
@pytest.mark.parametrize("hard", [False, True], ids=["portable", "hard"])
def test_adds_the_products_of_every_row_and_pixel(name, hard):
    activation, weight, slot, rows, inside, products, pe, simd = OF_TWO_PIXELS[name]
    layout = double_sided(activation, weight, slot, rows, inside=inside, products=products)
    weights = corner_weights(weight, (2 * pe, 2 * simd), seed=3)
    plan = PackedDot(weights, activation, pe, simd, layout)
    target = device("ecp5-25f" if slot == WHOLE else "up5k") if hard else None
    results(plan, np.random.default_rng(4), target=target)


def test_a_group_of_two_lanes_follows_one_of_three():
    weights = corner_weights(NARROW4, (5, 2), seed=3)
    plan = PackedDot(weights, U4, 5, 2, chosen(U4, NARROW4, WHOLE, 3))
    assert [group.rows for group in plan.groups] == [3, 2]
    assert plan.cost(device("ecp5-25f")).dsp == 2 * 2


def test_weights_next_to_negative_ones_are_stored_less_one():
    weights = np.array([[-3, 2], [5, -1], [-7, 0]])
    plan = PackedDot(weights, U4, 3, 2, chosen(U4, NARROW4, WHOLE, 3))
    assert plan.codes_as_numbers.tolist() == [[-3, 2], [4, -1], [-7, -1]]
    assert plan.code_width == 4


def test_a_bias_is_taken_off_by_the_constants():
    weights = corner_weights(S4, (2, 8), seed=3)
    plan = PackedDot(weights, U4, 2, 4, chosen(U4, S4, WHOLE, 2, products=4, biased=True))
    assert plan.layout.bias == 4 * 8 * 15
    assert plan.corrections.tolist() == [-2 * 480] * 2


def test_rejects_what_lies_outside_the_types_of_its_layout():
    layout = Layout(IntType(0, 15), IntType(-7, 7), Slot(18), 1, 3, 7)
    lanes = "1 x 3 lanes of u4 x -7..7 every 7 bits"
    with pytest.raises(ValueError, match=f"^weights of {lanes} must be -7..7, not s4$"):
        PackedDot(np.array([[-8, 7]] * 3), IntType(0, 15), 3, 2, layout)
    with pytest.raises(ValueError, match=f"^inputs of {lanes} must be u4, not u5$"):
        PackedDot(np.array([[-7, 7]] * 3), IntType(0, 31), 3, 2, layout)

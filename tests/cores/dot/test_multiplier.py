import pytest

from cores.dot import multiplier
from cores.dot.multiplier import HardMultiplier
from cores.types import IntType
from platforms.devices import device
from tests.cores import yosys
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

UP5K, ECP5 = device("up5k"), device("ecp5-25f")
U4, S4, U16, S16 = IntType(0, 15), IntType(-8, 7), IntType(0, 65535), IntType(-32768, 32767)
TYPES = [(U4, S4), (S4, S4), (U16, S16), (S16, U4), (IntType(-9, -2), IntType(0, 1))]
TYPES += [(IntType(0, (1 << 18) - 1), S4), (S4, IntType(0, (1 << 18) - 1))]  # no room for a sign


@pytest.mark.parametrize(("a", "b"), TYPES)
@pytest.mark.parametrize("target", [None, UP5K, ECP5], ids=["none", "up5k", "ecp5"])
def test_multiplies_the_ends_of_both_ranges(a, b, target):
    block = Modelled(HardMultiplier(a, b, target))
    pairs = [(x, y) for x in (a.lo, a.hi, 0) for y in (b.lo, b.hi) if a.lo <= x <= a.hi]

    def drive(ctx, pair):
        ctx.set(block.a, pair[0])
        ctx.set(block.b, pair[1])

    found = outputs(block, pairs, drive=drive, read=lambda ctx: ctx.get(block.o), depth=3)
    assert found == [x * y for x, y in pairs]


def test_three_times_minus_two():
    assert multiplier.product(IntType(3, 3), IntType(-2, -2)) == IntType(-6, -6)


@pytest.mark.parametrize(
    ("name", "a", "fits"),
    [
        ("up5k", U16, True),
        ("up5k", IntType(0, 65536), False),
        ("ecp5-25f", IntType(0, 65536), True),
        ("hx1k", U4, False),
    ],
)
def test_fits_operands_no_wider_than_those_of_the_block(name, a, fits):
    assert multiplier.fits(device(name), a, S4) is fits


@pytest.mark.synth
@pytest.mark.parametrize(("a", "b"), [(U4, S4), (S4, S4), (U4, U4)])
def test_sb_mac16_is_a_product_behind_three_registers(a, b, tmp_path):
    hard, portable = HardMultiplier(a, b, UP5K), HardMultiplier(a, b)
    assert yosys.same(hard, portable, depth=3, cell="SB_MAC16", folder=tmp_path)


@pytest.mark.synth
def test_the_proof_for_sb_mac16_sees_a_register_less(tmp_path):
    hard, portable = HardMultiplier(U4, S4, UP5K), HardMultiplier(U4, S4)
    assert not yosys.same(hard, portable, depth=2, cell="SB_MAC16", folder=tmp_path)

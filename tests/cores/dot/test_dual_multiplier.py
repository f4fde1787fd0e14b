import pytest

from cores.dot.dual_multiplier import DualMultiplier
from cores.types import IntType
from platforms.devices import device
from tests.cores import yosys
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

UP5K = device("up5k")
U4, S4, U8, S8 = (IntType.parse(text) for text in ("u4", "s4", "u8", "s8"))


@pytest.mark.parametrize(("a", "b"), [(U8, S8), (S8, U8), (S8, S8), (U8, U8)])
@pytest.mark.parametrize("target", [None, UP5K], ids=["none", "up5k"])
def test_multiplies_the_ends_of_all_ranges_in_both_halves(a, b, target):
    block = Modelled(DualMultiplier(a, b, target))
    ends = [(x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    given = [(*low, *high) for low in ends for high in ends]

    def drive(ctx, values):
        for name, value in zip(("a0", "b0", "a1", "b1"), values, strict=True):
            ctx.set(getattr(block, name), value)

    def read(ctx):
        return ctx.get(block.o0), ctx.get(block.o1)

    found = outputs(block, given, drive=drive, read=read, depth=3)
    assert found == [(a0 * b0, a1 * b1) for a0, b0, a1, b1 in given]


@pytest.mark.synth
@pytest.mark.parametrize(("a", "b"), [(U4, S4), (S4, S4), (U4, U4)])
def test_sb_mac16_is_two_products_behind_three_registers(a, b, tmp_path):
    hard, portable = DualMultiplier(a, b, UP5K), DualMultiplier(a, b)
    assert yosys.same(hard, portable, depth=3, cell="SB_MAC16", folder=tmp_path)


@pytest.mark.synth
def test_the_proof_for_halves_sees_a_register_less(tmp_path):
    hard, portable = DualMultiplier(U4, S4, UP5K), DualMultiplier(U4, S4)
    assert not yosys.same(hard, portable, depth=2, cell="SB_MAC16", folder=tmp_path)

import numpy as np
import pytest

from cores import conformance
from cores.choices import ChainedDsp, Dsp
from cores.dot.chained_dot import ChainedDot, MultiplyAdd
from cores.mvau import MatVec
from cores.types import IntType
from platforms.devices import device
from tests.cores import yosys
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

UP5K, ECP5 = device("up5k"), device("ecp5-25f")
U3, S3, U4, S4, U8, S8, S12, U16, S16, S20 = (
    IntType.parse(text) for text in ("u3", "s3", "u4", "s4", "u8", "s8", "s12", "u16", "s16", "s20")
)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(U8, S8, S20), (S8, U8, U16), (S16, S12, S20), (S12, U4, S4), (U8, U8, U4)]
)
@pytest.mark.parametrize("target", [None, UP5K, ECP5], ids=["none", "up5k", "ecp5"])
def test_adds_what_comes_two_cycles_later(a, b, c, target):
    block = Modelled(MultiplyAdd(a, b, c, target))
    given = [(x, y, z) for x in (a.lo, a.hi) for y in (b.lo, b.hi) for z in (c.lo, c.hi)]

    def drive(ctx, step):
        ctx.set(block.a, given[min(step, len(given) - 1)][0])
        ctx.set(block.b, given[min(step, len(given) - 1)][1])
        ctx.set(block.c, given[max(0, min(step - 2, len(given) - 1))][2])

    steps = range(len(given) + 2)
    found = outputs(block, steps, drive=drive, read=lambda ctx: ctx.get(block.o), depth=3)
    assert found[: len(given)] == [x * y + z for x, y, z in given]


@pytest.mark.synth
@pytest.mark.parametrize(("a", "b", "c"), [(U3, S3, S8), (S3, S3, U4), (U3, U3, U4)])
def test_sb_mac16_is_a_product_and_a_sum_behind_three_registers(a, b, c, tmp_path):
    hard, portable = MultiplyAdd(a, b, c, UP5K), MultiplyAdd(a, b, c)
    assert yosys.same(hard, portable, depth=3, cell="SB_MAC16", folder=tmp_path)


@pytest.mark.synth
def test_the_proof_for_sums_sees_a_register_less(tmp_path):
    hard, portable = MultiplyAdd(U3, S3, S4, UP5K), MultiplyAdd(U3, S3, S4)
    assert not yosys.same(hard, portable, depth=2, cell="SB_MAC16", folder=tmp_path)


def matvec(**changes) -> MatVec:
    weights = np.random.default_rng(1).integers(-128, 128, (4, 8))
    weights[0, 0], weights[0, 1] = -128, 127
    return MatVec(weights, U8, **{"pe": 2, "simd": 4, "arithmetic": ChainedDsp()} | changes)


@pytest.mark.parametrize("target", [None, UP5K], ids=["none", "up5k"])
def test_computes_a_matrix(target):
    op = matvec()
    conformance.check_values(op, lambda: Modelled(op.core(target)), stall=0.3)
    conformance.check_schedule(op, lambda: Modelled(op.core(target)))


def test_operands_wait_in_registers_and_nothing_is_added_in_logic():
    count = ChainedDot(np.array([[-128, 127, 3, 5]]), U8, 1, 4).cost(UP5K)
    assert (count.dsp, count.lut, count.add) == (4, 0, 0)
    assert count.ff == (1 + 2 + 3) * (8 + 8)
    assert matvec().dot.depth == matvec(arithmetic=Dsp()).dot.depth + 1  # 3 sums, not 2 levels


def test_the_device_offers_it_where_its_multipliers_add():
    chained = [op for op in matvec().foldings(UP5K) if isinstance(op.arithmetic, ChainedDsp)]
    assert chained and min(op.simd for op in chained) == 2
    assert not [op for op in matvec().foldings(ECP5) if isinstance(op.arithmetic, ChainedDsp)]


@pytest.mark.parametrize(
    ("target", "dtype", "bits"), [(ECP5, U8, 18), (UP5K, U16, 33), (UP5K, IntType.parse("u17"), 27)]
)
def test_refuses_sums_that_the_multipliers_do_not_make(target, dtype, bits):
    scale = 128 if bits == 33 else 1
    weights = matvec().weights * scale
    message = (
        f"^dsp_chain arithmetic of MatVec must have a multiplier for {dtype} x "
        f"-?[0-9s.]+ that adds sums of {bits} bits, which {target.name} has not: "
        "use dsp or a smaller SIMD$"
    )
    op = matvec().__class__(weights, dtype, pe=2, simd=4, arithmetic=ChainedDsp())
    with pytest.raises(ValueError, match=message):
        op.core(target)

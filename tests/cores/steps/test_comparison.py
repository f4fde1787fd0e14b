import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.steps.comparison import at_least, compare, constant_luts
from cores.types import IntType


def outcomes(dtype: IntType, threshold_dtype: IntType) -> None:
    """Checks `compare` for all pairs and `at_least` for all constants."""
    m = Module()
    x, t = Signal(dtype.shape), Signal(threshold_dtype.shape)
    found = Signal(2)
    m.d.comb += found.eq(compare(x, t, strict=False) | compare(x, t, strict=True) << 1)
    fixed = {k: Signal(name=f"at_least{k}") for k in range(dtype.lo - 1, dtype.hi + 3)}
    m.d.comb += [signal.eq(at_least(x, k, dtype)) for k, signal in fixed.items()]
    wrong = []

    async def bench(ctx):
        for a in range(dtype.lo, dtype.hi + 1):
            ctx.set(x, a)
            for b in range(threshold_dtype.lo, threshold_dtype.hi + 1):
                ctx.set(t, b)
                if ctx.get(found) != (a >= b) + 2 * (a > b):
                    wrong.append((a, b))
            wrong.extend((a, k) for k, s in fixed.items() if ctx.get(s) != (a >= k))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert not wrong


@pytest.mark.parametrize(
    ("x", "threshold"),
    [
        ((0, 15), (0, 15)),
        ((0, 15), (3, 16)),
        ((0, 15), (1, 2)),
        ((-8, 7), (-8, 7)),
        ((-8, 7), (-2, 1)),
        ((-8, 7), (0, 3)),
        ((-8, 7), (0, 8)),
        ((-8, 7), (-8, 8)),
        ((-8, -3), (-6, -2)),
    ],
)
def test_all_pairs(x, threshold):
    outcomes(IntType(*x), IntType(*threshold))


def test_a_constant_costs_what_its_lowest_bit_leaves():
    # 0b0001_0000 of eight bits: three gates remain above its lowest one, three fit a LUT.
    u8 = IntType(0, 255)
    assert [constant_luts(t, u8) for t in (0, 256, 128, 16, 1)] == [0, 0, 0, 1, 3]

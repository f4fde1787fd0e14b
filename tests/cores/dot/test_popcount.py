import numpy as np
import pytest

from cores.dot.popcount import XnorDot
from cores.types import IntType
from platforms.devices import device
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

BIT = IntType(0, 1)


@pytest.mark.parametrize("target", [None, device("up5k"), device("ecp5-85f")])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("simd", [1, 2, 7, 16, 45])
def test_counts_where_weights_and_inputs_agree(simd, fixed, target):
    rng = np.random.default_rng(simd)
    weights = 2 * rng.integers(0, 2, (3, simd)) - 1
    plan = XnorDot(weights, BIT, 3, simd, fixed)
    unit = plan.unit(target)
    inputs = [*rng.integers(0, 2, (20, simd)), np.zeros(simd, int), np.ones(simd, int)]

    def drive(ctx, x):
        for s in range(simd):
            ctx.set(unit.x[s], int(x[s]))
            for p in range(3):
                ctx.set(unit.w[p * simd + s], int(plan.codes[p, s]))

    def read(ctx):
        return sum(ctx.get(unit.o[row]) << 16 * row for row in range(3))

    found = outputs(Modelled(unit), inputs, drive=drive, read=read, depth=plan.depth)
    counts = [[word >> 16 * row & 0xFFFF for row in range(3)] for word in found]
    assert (np.array(counts) + plan.corrections == np.array(inputs) @ weights.T).all()


def test_a_stage_halves_the_rows_of_single_bits():
    weights = np.ones((1, 256), np.int64)
    assert XnorDot(weights, BIT, 1, 256, False).depth == 8
    assert XnorDot(weights, BIT, 1, 3, False).depth == 1

import numpy as np
import pytest

from cores.choices import Logic
from cores.dot.operand_fetch import Folding
from cores.dot.product_pipeline import control_cost, stages
from cores.memory.weight_words import WeightWords
from cores.mvau import MatVec
from cores.sim import run
from cores.types import IntType
from cores.vvau import DepthwiseVec

WEIGHTS = np.array([[3, -2, 0, 5], [-1, 4, 7, -6]])


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_one_channel_with_all_its_rows_is_a_matrix_at_the_same_times(stall: float):
    u4 = IntType(0, 15)
    matrix = MatVec(WEIGHTS, u4, positions=(3,), pe=2, simd=2)
    channel = DepthwiseVec(WEIGHTS, u4, 1, positions=(3,), simd=2)
    x = np.random.default_rng(3).integers(0, 16, (2, 3, 4))
    found = [run(op, [x], stall=stall, seed=5) for op in (matrix, channel)]
    assert (found[0].outputs["o"] == x @ WEIGHTS.T).all()
    assert (found[0].outputs["o"] == found[1].outputs["o"]).all()
    assert (found[0].shown["o"] == found[1].shown["o"]).all()


def test_operands_that_come_from_memory_take_a_stage_more():
    def folding(steps: int) -> Folding:
        return Folding(1, steps, 4, WeightWords(np.ones((steps, 1), np.int64), 1), Logic())

    assert [stages(folding(n), 3).depth for n in (1, 2)] == [1 + 3 + 1, 2 + 3 + 1]


def test_the_end_of_a_sum_goes_along_in_a_flip_flop_per_stage_but_the_last():
    deep, flat = (
        control_cost(
            stages(Folding(1, 1, 4, WeightWords(np.ones((1, 1), np.int64), 1), Logic()), n)
        )
        for n in (4, 1)
    )
    assert deep.ff - flat.ff == 2 * 3 and deep.lut == flat.lut

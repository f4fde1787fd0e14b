import numpy as np
import pytest

from cores.choices import AdderGraph, Block
from cores.cost import Count
from cores.graph.graph_sample import sample
from cores.mvau import MatVec
from cores.types import IntType
from platforms.devices import device

U4 = IntType(0, 15)
ECP5 = device("ecp5-25f")


def draw(rows: int, cols: int, top: int, dense: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(rows + cols + top)
    return rng.integers(-top, top + 1, (rows, cols)) * (rng.random((rows, cols)) < dense)


def whole(weights: np.ndarray, **fields: object) -> MatVec:
    rows, cols = weights.shape
    return MatVec(weights, U4, pe=rows, simd=cols, arithmetic=AdderGraph(), **fields)


def test_of_a_small_matrix_all_is_taken():
    rows, cols, times = sample(draw(8, 5, 7))
    assert (rows.tolist(), cols.tolist(), times) == ([*range(8)], [*range(5)], 1)


@pytest.mark.parametrize("shape", [(2, 3000), (3000, 2), (1, 5000), (300, 300)])
def test_of_a_large_matrix_a_part_is_taken_whatever_its_shape(shape: tuple[int, int]):
    weights = draw(*shape, 127)
    rows, cols, times = sample(weights)
    digits = 8 / 3  # of a weight of 8 bits: a third of its bits in canonical form
    assert (np.diff(rows) > 0).all() and (np.diff(cols) > 0).all()
    assert len(rows) * (digits * len(cols)) ** 2 < 120_000
    assert times * len(rows) * len(cols) < weights.size  # more digits share more


@pytest.mark.parametrize(
    "weights",
    [draw(32, 32, 31), draw(128, 24, 7), draw(16, 48, 127), draw(80, 80, 31, 0.2), draw(48, 96, 1)],
)
@pytest.mark.long
def test_a_part_tells_within_a_tenth_what_the_whole_takes(weights: np.ndarray):
    op = whole(weights)
    rough, exact = op.rough_cost(ECP5), op.cost(ECP5)
    assert rough is not None
    assert sample(weights)[2] > 1
    assert abs(rough.add - exact.add) < 0.1 * exact.add
    assert abs(rough.ff - exact.ff) < 0.13 * exact.ff


def test_room_for_results_in_block_ram_is_not_scaled():
    weights = draw(64, 24, 7)
    rough, exact = (
        cost(ECP5) for op in [whole(weights, memory=Block())] for cost in (op.rough_cost, op.cost)
    )
    assert isinstance(rough, Count)
    assert rough.ram_blocks == exact.ram_blocks > 0


def test_of_zeros_nothing_is_left():
    assert sample(np.zeros((400, 400), np.int64))[2] == 0
    rough = whole(np.zeros((3, 4), np.int64)).rough_cost(ECP5)
    assert rough is not None
    assert rough.add == 0


def test_only_graphs_have_a_rough_cost_and_leave_zeros_out():
    op = MatVec(np.array([[0, 3, 0, 0]]), U4)
    assert op.rough_cost(ECP5) is None
    assert op.density == 1
    assert whole(op.weights).density == 0.25

import numpy as np
import pytest
from amaranth.sim import Simulator

from cores.dot.constant_dot import signed_digits
from cores.graph import graph_search
from cores.graph.adder_graph import AdderGraphDot
from cores.graph.sums import Output, SharedSum, SumGraph
from cores.types import IntType
from platforms.device import Device
from platforms.devices import device
from tests.cores.silicon.primitives import Modelled

U4, S8 = IntType(0, 15), IntType(-128, 127)
UP5K, ECP5 = device("up5k"), device("ecp5-25f")


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setattr(graph_search, "_TRIES", 8)


def draw(seed: int, rows: int, cols: int, lo: int, hi: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(lo, hi + 1, (rows, cols))


def matrices() -> list[np.ndarray]:
    mixed = draw(1, 8, 6, -31, 31)
    return [
        mixed,
        draw(2, 12, 10, -1, 1),
        2 * draw(3, 12, 10, 0, 1) - 1,
        draw(4, 1, 20, -127, 127),
        draw(5, 20, 1, -127, 127),
        np.zeros((3, 4), np.int64),
        np.where(draw(6, 10, 10, 0, 3) == 0, draw(7, 10, 10, -100, 100), 0),
        np.concatenate([mixed, mixed, -mixed, 2 * mixed, -8 * mixed]),
        -draw(8, 6, 6, 0, 31),
        np.array([[0, 0], [1, 0], [8, -8], [0, -4]]),
        draw(9, 24, 24, -7, 7),
    ]


@pytest.mark.parametrize("number", range(len(matrices())))
def test_the_graph_is_the_matrix(number: int):
    weights = matrices()[number]
    graph = graph_search.build(weights, S8)
    assert graph.matrix().tolist() == weights.tolist()


@pytest.mark.parametrize("number", range(len(matrices())))
def test_the_sums_are_what_their_coefficients_say(number: int):
    weights = matrices()[number]
    graph = graph_search.build(weights, S8)
    x = draw(number, weights.shape[1], 50, -128, 127)
    values = list(x)
    for new in graph.sums:
        low, high = values[new.low], values[new.high] << new.shift
        total = low - high if new.negative else low + high
        values.append(-total if new.opposite else total)
    for row, output in zip(weights, graph.outputs, strict=True):
        if output.node is None:
            assert not row.any()
        else:
            found = values[output.node] << output.shift
            assert ((-found if output.negative else found) == row @ x).all()


def adders(rows: list[list[int]]) -> int:
    return len(graph_search.build(np.array(rows), U4).sums)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([[0, 0], [0, 0]], 0),
        ([[4, 0], [0, -8]], 0),
        ([[1, 1]], 1),
        ([[7]], 1),  # 8 - 1
        ([[7], [14], [-28]], 1),
        ([[45]], 2),  # 45 = 5 * 9
        ([[1, 1, 1], [1, 1, -1]], 3),
        ([[3, -5], [3, -5], [-3, 5], [6, -10]], 3),
        ([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], 8),  # a fast transform
    ],
)
def test_takes_as_few_adders_as_by_hand(rows: list[list[int]], count: int):
    assert adders(rows) == count


def test_sharing_halves_the_adders_of_a_random_matrix():
    weights = draw(7, 32, 16, -31, 31)
    digits = sum(len(signed_digits(w)) for w in weights.ravel().tolist())
    graph = graph_search.build(weights, S8)
    assert len(graph.sums) < 0.55 * (digits - 32)


def test_is_no_deeper_than_trees_of_the_rows():
    for weights in matrices():
        digits = [sum(len(signed_digits(w)) for w in row) for row in weights.tolist()]
        plan = AdderGraphDot(weights, S8)
        assert plan.depth == max(max(digits) - 1, 0).bit_length()


def test_one_stage_more_takes_fewer_adder_bits():
    fewer = 0
    for weights in matrices():
        digits = [sum(len(signed_digits(w)) for w in row) for row in weights.tolist()]
        least, more = AdderGraphDot(weights, S8), AdderGraphDot(weights, S8, more=1)
        assert more.graph.matrix().tolist() == weights.tolist()
        assert more.depth <= max(max(digits) - 1, 0).bit_length() + 1
        fewer += more.cost(ECP5).add < least.cost(ECP5).add
    assert fewer >= 5


def test_the_same_search_finds_the_same_graph():
    weights = draw(1, 8, 6, -31, 31)
    first = graph_search.build(weights, S8)
    graph_search._build.cache_clear()
    assert graph_search.build(weights, S8).sums == first.sums


def test_only_rows_without_positive_digits_come_negated():
    rows = np.array([[-1, -2], [-1, 4], [1, -8], [-3, 0], [-5, 0]])
    assert AdderGraphDot(rows, U4).negated == (True, False, False, False, True)


def test_ranges_are_those_that_the_sums_take():
    graph = SumGraph(2, IntType(-3, 5))
    node = graph.add(SharedSum(0, 1, 2, negative=True))  # x0 - 4 x1
    assert graph.ranges[node] == IntType(-3 - 20, 5 + 12)
    # Of x0 + (x0 - 4 x1), one x0 decides both.
    assert graph.ranges[graph.add(SharedSum(0, node, 0, negative=False))] == IntType(
        -6 - 20, 10 + 12
    )
    graph.outputs.append(Output(node, 1, negative=True))
    assert graph.matrix().tolist() == [[-2, 8]]


def test_bits_below_the_shift_take_no_adder():
    graph = SumGraph(2, U4)
    assert graph.bits(SharedSum(0, 1, 0, negative=False)) == 5
    assert (
        graph.bits(SharedSum(0, 1, 3, negative=False)) == 5
    )  # up to 15 + 120: 8 bits, 3 of them pass
    assert graph.bits(SharedSum(0, 1, 4, negative=False)) == 0  # side by side
    assert graph.bits(SharedSum(0, 1, 4, negative=True)) == 5  # -240..15: 9 bits, 4 pass
    assert graph.bits(SharedSum(0, 1, 4, negative=True, opposite=True)) == 9


def test_words_side_by_side_are_joined_before_others_are_added():
    # x0 and 16 x1 have no bit in common: x2 is added to both at once with 9 bits, in place of
    # x0 + x2 with 5 and of x1 above them with 5.
    graph = graph_search.build(np.array([[1, 16, 1]]), U4)
    assert [graph.bits(new) for new in graph.sums] == [0, 9]


def test_cost_counts_adders_and_registers():
    # 3 x0 = 4 x0 - x0 takes 6 bits; x1 waits one stage; x0 + x1 is there at once and waits.
    plan = AdderGraphDot(np.array([[1, 1]]), U4)
    assert (plan.cost(ECP5).add, plan.cost(ECP5).ff, plan.depth) == (6, 5, 1)
    assert (plan.cost(UP5K).add, plan.cost(UP5K).lut) == (5, 0)


def test_zeros_cost_nothing():
    weights = draw(1, 8, 6, -31, 31)
    padded = np.zeros((9, 8), np.int64)
    padded[1:, :6] = weights
    assert AdderGraphDot(padded, U4).cost(ECP5) == AdderGraphDot(weights, U4).cost(ECP5)


def test_a_64_by_64_matrix_takes_seconds():
    graph = graph_search.build(draw(3, 64, 64, -1, 1), U4)
    assert len(graph.sums) < 1400


@pytest.mark.parametrize("target", [ECP5, UP5K], ids=["wide carry", "raw carry"])
@pytest.mark.parametrize(
    ("weights", "dtype"),
    [
        (draw(1, 8, 6, -31, 31), S8),
        (draw(2, 6, 10, -1, 1), IntType(-9, -2)),
        (np.concatenate([draw(3, 5, 4, -9, 9), -draw(3, 5, 4, -9, 9)]), IntType(3, 7)),
        (np.array([[1, 32], [-1, -32], [1, -32], [-5, 0], [0, 0]]), IntType(0, 31)),
        (-draw(8, 5, 6, 0, 31), IntType(-3, 4)),
    ],
)
def test_the_unit_gives_the_product(target: Device, weights: np.ndarray, dtype: IntType):
    plan = AdderGraphDot(weights, dtype)
    unit = plan.unit(target)
    rng = np.random.default_rng(1)
    x = rng.integers(dtype.lo, dtype.hi + 1, (9, plan.simd))
    x[::3] = rng.choice([dtype.lo, dtype.hi], (3, plan.simd))
    found: list[list[int]] = []

    async def feed(ctx):
        for row in (*x.tolist(), *[[dtype.lo] * plan.simd] * plan.depth):
            for lane, value in enumerate(row):
                ctx.set(unit.x[lane], value)
            ctx.set(unit.en, 0)
            await ctx.tick()  # nothing moves
            ctx.set(unit.en, (1 << len(unit.en)) - 1)
            signs = [-1 if negated else 1 for negated in plan.negated]
            found.append([sign * ctx.get(unit.o[k]) for k, sign in enumerate(signs)])
            await ctx.tick()

    simulator = Simulator(Modelled(unit))
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.run()
    assert found[plan.depth :] == (x @ weights.T).tolist()

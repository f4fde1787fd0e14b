import os
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from cores import conformance, sim
from cores.beats import to_beats
from cores.choices import AdderGraph, Block, ChainedDsp, Dsp, Logic, Lut, PackedDsp, Popcount
from cores.cost import price
from cores.dot import dsp_packing
from cores.mvau import MVAU, MatVec
from cores.types import IntType
from platforms.devices import device
from platforms.out_of_context import RegisteredPins, plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools
from tests.cores.silicon.primitives import Modelled

U1, U2, U4, U8, S4 = (IntType.parse(text) for text in ("u1", "u2", "u4", "u8", "-7..7"))
UP5K, ECP5, HX1K = device("up5k"), device("ecp5-25f"), device("hx1k")
EXAMPLES = MatVec.examples(np.random.default_rng(7))


def weights(rows: int, cols: int, top: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-top, top + 1, (rows, cols))


def signs(rows: int, cols: int) -> np.ndarray:
    return 2 * np.random.default_rng(6).integers(0, 2, (rows, cols)) - 1


@pytest.mark.parametrize(("pe", "simd"), [(1, 1), (2, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("arithmetic", [Lut(), Dsp()])
def test_two_rows_of_three_by_hand(pe, simd, arithmetic):
    # 1*2 - 2*0 + 3*5 + 10 = 27 and -1*2 + 0*0 - 4*5 = -22; then 1 - 4 + 9 + 10 = 16 and -13.
    op = MatVec(
        np.array([[1, -2, 3], [-1, 0, -4]]),
        U4,
        offset=np.array([10, 0]),
        pe=pe,
        simd=simd,
        arithmetic=arithmetic,
    )
    result = sim.run(op, [np.array([[2, 0, 5], [1, 2, 3]])])
    assert result.outputs["o"].tolist() == [[27, -22], [16, -13]]


def test_two_positions_of_two_rows_by_hand():
    # Beat by beat both positions: 1*2 - 2*0 = 2 and 3*1 - 2*5 = -7; -2 - 0 and -1 - 20 below.
    op = MatVec(np.array([[1, -2], [-1, -4]]), U4, positions=(2,), pixels=2, pe=1, simd=1)
    x = np.array([[[2, 0], [3, 5]]])
    assert to_beats(x, op.inputs["i"]).tolist() == [[[2, 3], [0, 5]]]
    found = sim.run(op, [x]).outputs["o"]
    assert to_beats(found, op.outputs["o"]).tolist() == [[[2, -7], [-2, -23]]]


def test_pixels_share_the_weights_and_divide_the_cycles():
    one = MatVec(weights(8, 12, 7), U4, pe=2, simd=3, positions=(2, 4), memory=Block())
    four = replace(one, pixels=4)
    assert (one.cycles, four.cycles) == (8 * 16, 2 * 16)
    assert (four.folding.weights.codes == one.folding.weights.codes).all()
    assert four.cost(ECP5).ram_blocks == one.cost(ECP5).ram_blocks == 1


def test_four_products_of_4_bits_share_a_multiplier_with_two_pixels():
    op = MatVec(weights(8, 8, 7), U4, pe=8, simd=4, positions=(2,), pixels=2)
    op = replace(op, arithmetic=PackedDsp(4, 18))
    assert op.macs == 8 * 4 * 2 * op.cycles
    assert op.cost(ECP5).dsp == 4 * 4
    text = rtlil.convert(op.core(ECP5))
    assert text.count("cell \\MULT18X18D ") == 4 * 4


def test_popcount_with_the_negative_weights_as_offset_counts_equal_bits():
    # Inputs 1 0 1 against + - - : bits 1 0 1 and 1 0 0 agree in two places.
    op = MatVec(np.array([[1, -1, -1]]), U1, offset=np.array([2]), simd=3, arithmetic=Popcount())
    assert sim.run(op, [np.array([[1, 0, 1]])]).outputs["o"].tolist() == [[2]]


def test_declared_range_is_exact_per_row():
    op = MatVec(np.array([[3, -2], [1, 1]]), IntType(-1, 4), offset=np.array([0, 20]))
    assert op.outputs["o"].dtype == IntType(-11, 28)


def test_core_is_usable_alone():
    core = MVAU(MatVec(np.array([[1, 2]]), U4, simd=2))
    found = []

    async def bench(ctx):
        ctx.set(core.i.payload, [3, 4])
        ctx.set(core.i.valid, 1)
        ctx.set(core.o.ready, 1)
        await ctx.tick().repeat(core.op.latency)
        found.append((ctx.get(core.o.valid), ctx.get(core.o.payload[0])))

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [(1, 11)]


@pytest.mark.parametrize("target", [UP5K, ECP5], ids=["up5k", "ecp5"])
@pytest.mark.parametrize("op", EXAMPLES, ids=map(str, range(len(EXAMPLES))))
@pytest.mark.long
def test_form_for_a_device_keeps_values_and_schedule(op, target):
    assert target.multiplier is not None
    target = replace(target, multiplier=replace(target.multiplier, count=100))
    if isinstance(op.arithmetic, PackedDsp) and not dsp_packing.has(target, op.arithmetic):
        with pytest.raises(ValueError, match=r"^dsp\d+x\d arithmetic must have a multiplier of "):
            op.core(target)
        return
    if isinstance(op.arithmetic, ChainedDsp) and not target.multiplier.adder:
        return  # tests/cores/dot/test_chained_dot.py has the refusal
    conformance.check_values(op, lambda: Modelled(op.core(target)), stall=0.4)
    conformance.check_schedule(op, lambda: Modelled(op.core(target)))


@pytest.mark.parametrize("memory", [Logic(), Block()])
def test_one_step_per_fold_and_none_between_vectors_and_frames(memory):
    op = MatVec(weights(8, 12, 7), U4, pe=2, simd=3, positions=(3,), memory=memory)
    assert op.cycles == 3 * 4 * 4
    x = np.random.default_rng(0).integers(0, 16, (4, 3, 12))
    shown = sim.run(op, [x]).shown["o"].ravel()
    assert (np.diff(shown) == 4).all()


def test_accumulators_are_no_wider_than_the_output_and_may_wrap():
    # Partial sums reach 15 * 7 * 8 = 840, and the total never leaves -15..15.
    row = np.array([[7] * 8 + [-7] * 8 + [1]])
    op = MatVec(row, IntType(15, 15))
    assert op.outputs["o"].dtype == IntType(15, 15)
    core = op.core()
    assert len(core.o.payload.as_value()) == 4
    conformance.check_values(op, lambda: core, stall=0)


@pytest.mark.long
def test_all_foldings_are_legal_and_give_the_same_results():
    x = np.random.default_rng(1).integers(0, 2, (2, 6))
    op = MatVec(signs(4, 6), U1, offset=np.arange(4))
    expected = op.compute(x).tolist()
    foldings = list(op.foldings(UP5K))
    packed = [f for f in foldings if isinstance(f.arithmetic, PackedDsp)]
    # 3 x 4 divisors, 3 kinds of arithmetic, 2 of memory, but block memory needs 2 words; and the
    # adder graph, which does not fold, with and without room for its results. A chain of
    # multipliers has two columns or more: 3 x 3 divisors.
    assert len(foldings) - len(packed) == 3 * 4 * 3 * 2 - 3 + 2 + 3 * 3 * 2 - 1
    assert len({(f.pe, f.simd, f.arithmetic, f.memory) for f in foldings}) == len(foldings)
    for folding in foldings[::5] + packed[::5]:
        assert sim.run(folding, [x]).outputs["o"].tolist() == expected


@pytest.mark.parametrize(
    ("op", "target", "kinds"),
    [
        (MatVec(weights(2, 2, 7), U4), UP5K, {Lut(), Dsp(), ChainedDsp()}),
        (MatVec(weights(2, 2, 7), U4), HX1K, {Lut()}),
        (MatVec(weights(2, 2, 7), IntType(0, 1 << 17)), UP5K, {Lut()}),
        (MatVec(weights(2, 2, 7), IntType(0, 1 << 17)), ECP5, {Lut(), Dsp()}),
        (MatVec(signs(2, 2), U1), ECP5, {Lut(), Dsp(), Popcount()}),
        (MatVec(signs(2, 2), U2), ECP5, {Lut(), Dsp()}),
    ],
)
def test_offers_the_arithmetic_that_suits_numbers_and_device(op, target, kinds):
    offered = {folding.arithmetic for folding in op.foldings(target)}
    graphs = {AdderGraph(), AdderGraph(1)} if target.cells.shared is None else {AdderGraph()}
    assert {a for a in offered if not isinstance(a, PackedDsp)} == kinds | graphs


@pytest.mark.parametrize(
    ("top", "dtype", "pe", "target", "shared"),
    [
        (7, U4, 4, ECP5, {"dsp18x4"}),
        (7, U4, 1, ECP5, {"dsp18x2"}),
        (127, U8, 4, ECP5, set()),
        (127, U8, 1, ECP5, {"dsp18x2"}),
        (7, U4, 4, UP5K, {"dsp16x4"}),
        (127, U8, 1, UP5K, {"dsp16x2"}),
    ],
)
def test_several_pixels_are_offered_where_they_share_something(top, dtype, pe, target, shared):
    op = MatVec(weights(4, 2, top), dtype, positions=(2,))
    two = [f for f in op.foldings(target) if (f.pe, f.simd, f.pixels) == (pe, 1, 2)]
    kept = {f.arithmetic.text for f in two if isinstance(f.memory, Logic)}
    blocks = {f.arithmetic.text for f in two if isinstance(f.memory, Block)}
    assert kept == shared
    assert blocks >= {"lut", "dsp"} | shared


@pytest.mark.parametrize(
    ("op", "target", "kinds"),
    [
        (MatVec(weights(4, 2, 7), U4), ECP5, {"dsp18x2", "dsp18x4"}),
        (MatVec(weights(6, 2, 7), U4), ECP5, {"dsp18x2", "dsp18x3"}),
        (MatVec(weights(4, 2, 127), U8), ECP5, {"dsp18x2"}),
        (MatVec(weights(4, 2, 127), U8), UP5K, {"dsp8x2", "dsp16x2"}),
        (MatVec(weights(4, 2, 7), U4), HX1K, set()),
    ],
)
def test_offers_packings_that_take_fewer_multipliers(op, target, kinds):
    whole = [f for f in op.foldings(target) if f.pe == op.rows and f.simd == 1]
    offered = {f.arithmetic.text for f in whole if isinstance(f.arithmetic, PackedDsp)}
    assert offered == kinds


def test_a_packing_takes_the_multipliers_that_it_says():
    op = MatVec(weights(8, 8, 7), U4, pe=8, simd=4, arithmetic=PackedDsp(3, 18))
    assert op.cost(ECP5).dsp == 3 * 4
    op = MatVec(weights(6, 8, 7), U4, pe=6, simd=4, arithmetic=PackedDsp(2, 8))
    assert op.cost(UP5K).dsp == 3 * 4


@pytest.mark.parametrize(
    ("arithmetic", "pe", "message"),
    [
        (PackedDsp(3, 18), 2, "dsp18x3 arithmetic must have PE of at least 3, not 2"),
        (
            PackedDsp(6, 18),
            8,
            (
                "dsp18x6 arithmetic must have 6 weights of -7..7 in 18 bits, with products by "
                "inputs of u4 that split"
            ),
        ),
    ],
)
def test_rejects_a_packing_that_does_not_hold_the_types(arithmetic, pe, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        MatVec(weights(8, 8, 7), U4, pe=pe, arithmetic=arithmetic)


def test_rejects_a_packing_that_holds_the_types_with_no_number_of_pixels():
    message = (
        "^dsp18x8 arithmetic must have 8 weights of -7..7 in 18 bits, with products by inputs of "
        "u4 that split; or fewer, and inputs of 2 positions$"
    )
    with pytest.raises(ValueError, match=message):
        MatVec(weights(8, 8, 7), U4, pe=8, positions=(2,), pixels=2, arithmetic=PackedDsp(8, 18))


def test_rejects_a_folded_adder_graph():
    message = (
        "^adder_graph arithmetic of MatVec must have PE 4 and SIMD 6, all rows and columns, "
        "not PE 4 and SIMD 3$"
    )
    with pytest.raises(ValueError, match=message):
        MatVec(weights(4, 6, 7), U4, pe=4, simd=3, arithmetic=AdderGraph())


def test_rejects_a_device_whose_multiplier_is_too_narrow():
    op = MatVec(weights(2, 2, 7), IntType(0, 1 << 17), arithmetic=Dsp())
    message = (
        "^DSP arithmetic of MatVec must have a multiplier for 0..131072 x -?[0-9]+..[0-9]+, which "
    )
    with pytest.raises(ValueError, match=message + "up5k has not$"):
        op.core(UP5K)


def test_rejects_weights_that_a_device_has_no_blocks_for():
    op = MatVec(weights(64, 1024, 127), U8, pe=1, simd=1, memory=Block())
    message = (
        "^block memory of MatVec must have 130 SB_RAM40_4K, but up5k has 30: "
        "keep it in logic or take a larger device$"
    )
    with pytest.raises(ValueError, match=message):
        op.core(UP5K)


ONES = np.ones((10, 6), np.int64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pe": 4}, r"^PE must divide the 10 rows of MatVec weights, not 4$"),
        ({"pe": 0}, r"^PE must divide the 10 rows of MatVec weights, not 0$"),
        ({"simd": 4}, r"^SIMD must divide the 6 columns of MatVec weights, not 4$"),
        ({"pixels": 2}, r"^pixels must divide the 1 positions of MatVec, not 2$"),
        (
            {"positions": (2, 3), "pixels": 4},
            r"^pixels must divide the 6 positions of MatVec, not 4$",
        ),
        ({"positions": (2, 0)}, r"^positions of MatVec must be positive, not \(2, 0\)$"),
        (
            {"offset": np.zeros(3, np.int64)},
            r"^offset of MatVec must have 10 rows, not shape \(3,\)$",
        ),
        (
            {"arithmetic": Popcount()},
            (
                "^popcount arithmetic of MatVec must have weights -1 and 1 and inputs of 0..1, "
                "not weights 1..1 and inputs u4$"
            ),
        ),
        (
            {"pe": 10, "simd": 6, "memory": Block()},
            r"^block memory of MatVec must have at least 2 words, but PE 10 and SIMD 6 leave one$",
        ),
    ],
)
def test_rejects_what_does_not_suit_the_weights(arguments, message):
    with pytest.raises(ValueError, match=message):
        MatVec(ONES, U4, **arguments)


def test_rejects_weights_that_are_no_matrix():
    message = r"^weights of MatVec must be a matrix with at least one element, not of shape \(3,\)$"
    with pytest.raises(ValueError, match=message):
        MatVec(np.arange(3), U4)


@pytest.mark.parametrize("name", ["weights", "offset"])
def test_rejects_floats(name):
    arguments = {"weights": ONES, "offset": np.zeros(10, np.int64)} | {name: np.ones((10, 6)) / 2}
    with pytest.raises(TypeError, match=f"^{name} of MatVec must be integers, not float64$"):
        MatVec(dtype=U4, **arguments)


COSTED = {
    "w4a4": MatVec(weights(16, 16, 7), U4, pe=4, simd=8, memory=Block()),
    "w2a8": MatVec(weights(16, 32, 1), U8, pe=4, simd=8),
    "w8a8": MatVec(weights(8, 8, 127), U8, pe=2, simd=4, memory=Block()),
    "w3s4": MatVec(weights(16, 16, 3), S4, pe=4, simd=4),
    "popcount": MatVec(signs(64, 64), U1, pe=8, simd=16, arithmetic=Popcount(), memory=Block()),
    "dsp": MatVec(weights(32, 32, 7), U4, pe=2, simd=2, arithmetic=Dsp(), memory=Block()),
    "unrolled": MatVec(weights(8, 16, 1), U4, pe=8, simd=16),
    "two pixels": MatVec(
        weights(16, 16, 7), U4, pe=4, simd=4, positions=(2,), pixels=2, memory=Block()
    ),
}


@pytest.mark.synth
@pytest.mark.parametrize("name", COSTED)
@pytest.mark.parametrize("target", [UP5K, ECP5], ids=["up5k", "ecp5"])
def test_cost_is_within_a_sixth_of_yosys(name, target, tmp_path):
    op = COSTED[name]
    pins = RegisteredPins(op.core(target))
    plan = plan_core(pins, target, clock_mhz=50)
    cells = synthesise(plan, Tools(dict(os.environ)), tmp_path).cells
    found = cells.get("SB_LUT4", 0) + cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0)
    found += 6 * cells.get("TRELLIS_DPR16X4", 0) - pins.gates
    count = op.cost(target)
    assert abs(count.lut + count.add + count.mux - found) <= found / 6
    assert count.ram_blocks == cells.get("SB_RAM40_4K", 0) + cells.get("DP16KD", 0)
    assert count.dsp == cells.get("SB_MAC16", 0) + cells.get("MULT18X18D", 0)
    flip_flops = sum(n for cell, n in cells.items() if cell.startswith(("SB_DFF", "TRELLIS_FF")))
    assert abs(count.ff - (flip_flops - pins.flip_flops)) <= flip_flops / 6


def test_price_grows_with_the_folding():
    op = MatVec(weights(16, 16, 7), U4)
    prices = [price(replace(op, pe=n, simd=n).cost(ECP5), ECP5).lut4 for n in (1, 2, 4, 8)]
    assert prices == sorted(prices)

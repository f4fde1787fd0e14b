import numpy as np
from amaranth.sim import Simulator

from cores.dot import dot_copies
from cores.dot.digit_dot import DigitDot
from cores.dot.dot_copies import DotCopies
from cores.graph.adder_graph import AdderGraphDot
from cores.types import IntType

U4 = IntType(0, 15)
WEIGHTS = np.array([[1, -2], [3, 5]])


def results(unit: DotCopies, x: int, w: int, *, cycles: int, en: int) -> int:
    found = []

    async def bench(ctx):
        ctx.set(unit.x, x)
        ctx.set(unit.w, w)
        ctx.set(unit.en, en)
        await ctx.tick().repeat(cycles)
        found.append(ctx.get(unit.o))

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found[0]


def test_every_copy_multiplies_its_part_by_the_same_weights():
    plan = DigitDot(WEIGHTS[:, :1], U4, 1, 1)
    word = int(plan.codes[1, 0])
    width = plan.result.width
    found = results(DotCopies(plan, 3, None), 0x974, word, cycles=plan.depth, en=1)
    lanes = [found >> width * k & (1 << width) - 1 for k in range(3)]
    missing = int(plan.corrections[1])
    assert lanes == [3 * x - missing & (1 << width) - 1 for x in (4, 7, 9)]


def test_every_copy_of_an_adder_graph_moves_by_nets_of_its_own():
    plan = AdderGraphDot(WEIGHTS, U4)
    unit = DotCopies(plan, 2, None)
    assert dot_copies.nets(plan, 2) == [2 * count for count in plan.enables]
    bits = "".join("0" * count + "1" * count for count in plan.enables)[::-1]
    found = results(unit, 0x2121, 0, cycles=plan.depth + 1, en=int(bits, 2))
    half = len(unit.o) // 2
    assert found & (1 << half) - 1 == 0
    assert found >> half != 0

"""The stall net by itself, in cores that use it, and as the only one that is written."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from cores import conformance, crop, eltwise
from cores.cost import Count
from cores.crop import Crop
from cores.eltwise import Add
from cores.op import Op
from cores.pipeline import Pipeline, Stages
from cores.sim import StreamError
from cores.stalling import Emitting, Rigid
from cores.timing import Timing
from cores.types import IntType
from platforms.devices import DEVICES
from platforms.out_of_context import plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools

CORES = Path(__file__).parents[2] / "cores"
ELSEWHERE = {
    "pipeline.py": "this is the net",
    "link/uart.py": "a byte that finds no room is lost: nothing waits",
    "memory/result_buffer.py": "nothing stops the pipeline in front of it",
}


class Alone(Component):
    """The net without anything to move."""

    i_valid: Signal
    emits: Signal
    i_ready: Signal
    step: Signal
    valid: Signal
    o: stream.Interface

    def __init__(self, stages: Stages):
        self.stages = stages
        ports = {"i_valid": In(1), "emits": In(1), "i_ready": Out(1), "step": Out(1)}
        more = {"valid": Out(stages.depth + 1), "o": Out(stream.Signature(0))}
        super().__init__(ports | more)

    def elaborate(self, platform):
        m = Module()
        pipeline = Pipeline(m, self.stages, self.o)
        m.d.comb += [
            pipeline.i_valid.eq(self.i_valid),
            pipeline.emits.eq(self.emits),
            self.i_ready.eq(pipeline.i_ready),
            self.step.eq(pipeline.step),
            self.valid.eq(pipeline.valid),
        ]
        return m


def table(stages: Stages, rows: list[tuple[int, int, int]]) -> list[tuple[int, int, str]]:
    """Of each cycle with that i_valid, emits and o.ready: i_ready, step, valid from bit 0 on."""
    core, found = Alone(stages), []

    async def bench(ctx):
        for valid, emits, ready in rows:
            ctx.set(Cat(core.i_valid, core.emits, core.o.ready), valid | emits << 1 | ready << 2)
            bits = "".join(str(ctx.get(bit)) for bit in core.valid)
            found.append((ctx.get(core.i_ready), ctx.get(core.step), bits))
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def test_steps_move_together_and_a_bubble_stays_between_them():
    found = table(
        Stages(2),
        [
            (1, 1, 0),  # a step enters, whatever the output does: it is empty
            (0, 1, 0),  # behind it a bubble
            (1, 1, 0),  # the first is at the output and not taken: all waits, the step too
            (1, 1, 1),  # taken: the next enters, the bubble goes to the output
            (0, 1, 0),  # the output is empty: all moves, although nothing is taken
            (0, 0, 1),
        ],
    )
    assert found == [
        (1, 1, "100"),
        (1, 0, "010"),
        (0, 0, "101"),
        (1, 1, "101"),
        (1, 0, "010"),
        (1, 0, "001"),
    ]


def test_a_step_that_emits_nothing_leaves_the_output_empty():
    assert table(Stages(1), [(1, 0, 1), (1, 1, 1), (0, 1, 1)]) == [
        (1, 1, "10"),
        (1, 1, "10"),
        (1, 0, "01"),
    ]


@pytest.mark.parametrize("skips", [False, True])
def test_only_what_skips_goes_on_without_emitting_while_a_beat_waits(skips: bool):
    *_, silent, loud = table(Stages(1, skips=skips), [(1, 1, 0), (1, 0, 0), (1, 1, 0)])
    assert silent == (skips, skips, "11") and loud == (0, 0, "11")


def test_depth_and_stalling_of_an_op_follow_from_its_stages():
    for stages, stalling in ((Stages(3), Rigid()), (Stages(1, skips=True), Emitting())):
        for given in (stages, lambda stages=stages: stages):
            timing = Timing(cycles=5, depth=given)
            assert (timing.depth, timing.stalling) == (stages.depth, stalling)


@pytest.mark.parametrize(
    ("depth", "skips", "message"),
    [
        (0, False, "depth of Stages must be at least 1, not 0"),
        (2, True, "depth of Stages that skip must be 1, not 2"),
    ],
)
def test_rejects(depth: int, skips: bool, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Stages(depth, skips=skips)


@pytest.mark.synth
@pytest.mark.parametrize("depth", [1, 4])
def test_costs_what_yosys_makes_of_it(depth: int, tmp_path: Path):
    found = {}
    for name in ("up5k", "ecp5-25f"):
        plan = plan_core(Alone(Stages(depth)), DEVICES[name], clock_mhz=50.0)
        cells = synthesise(plan, Tools(os.environ), tmp_path / name).cells
        luts = sum(n for cell, n in cells.items() if "LUT4" in cell)
        found[name] = luts, sum(n for cell, n in cells.items() if "FF" in cell)
    # `step` and the mask of the last stage are a LUT each; what is left is the net's.
    assert found == {"up5k": (4, depth), "ecp5-25f": (3, depth)}
    assert Stages(depth).cost == Count(lut=2, ff=depth)


class NeverWaits(Pipeline):
    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        super().__init__(m, stages, o)
        m.d.comb += self.advance.eq(1)


class WaitsForReady(Pipeline):
    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        super().__init__(m, stages, o)
        m.d.comb += self.advance.eq(o.ready)


class MovesOnlyWithSteps(Pipeline):
    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        super().__init__(m, stages, o)
        m.d.comb += self.advance.eq((~o.valid | o.ready) & self.i_valid)


class IgnoresEmits(Pipeline):
    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        super().__init__(m, stages, o)
        self.emits = Signal()


class OneStageLess(Pipeline):
    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        super().__init__(m, stages, o)
        with m.If(self.advance):
            m.d.sync += o.valid.eq(self.i_valid)


S4 = IntType(-7, 7)
SUM = Add((6,), (S4, S4), (1, 3))
PART = Crop((4, 5, 2), S4, (1, 0, 0), (3, 4, 2), (1, 1, 1))


def check_stalled(op: Op, make: conformance.Make) -> None:
    conformance.check_values(op, make, stall=0.5)


@pytest.mark.parametrize(
    ("fault", "op", "check", "message"),
    [
        (NeverWaits, SUM, check_stalled, r"Add: (valid fell|payload changed) .*"),
        (WaitsForReady, SUM, check_stalled, r"Add: .*"),
        (MovesOnlyWithSteps, SUM, conformance.check_one_frame, r"Add: o gave more than .*"),
        (OneStageLess, SUM, conformance.check_schedule, r"beat 0 of o is valid in cycle 1 .*"),
        (IgnoresEmits, PART, check_stalled, r"Crop: o gave more than .*"),
    ],
)
def test_a_fault_in_the_net_is_caught(
    fault: type[Pipeline], op: Op, check: Callable, message: str, monkeypatch: pytest.MonkeyPatch
):
    check(op, op.core)
    for module in (crop, eltwise):
        monkeypatch.setattr(module, "Pipeline", fault)
    with pytest.raises((StreamError, AssertionError), match=f"^{message}$"):
        check(op, op.core)


def nets(text: str) -> list[str]:
    """Where something is enabled if an output is not valid, or is ready."""

    def name(node: ast.expr) -> str:
        return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")

    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                inverted = isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Invert)
                if inverted and name(one.operand).endswith("valid") and "ready" in name(other):
                    found.append(ast.unparse(node))
    return found


def test_no_other_file_of_cores_has_a_net_of_its_own():
    assert nets("m.d.comb += moves.eq(self.o.ready | ~self.o.valid)")
    files = {str(path.relative_to(CORES)): path.read_text() for path in CORES.rglob("*.py")}
    assert {name for name, text in files.items() if nets(text)} == set(ELSEWHERE)

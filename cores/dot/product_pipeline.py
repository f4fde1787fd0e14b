"""What folded products share: operands in front of the units that multiply, sums behind them."""

from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.dot.operand_fetch import Folding, OperandFetch
from cores.pipeline import Pipeline, Stages
from cores.sum.accumulator import Accumulators, Sums
from platforms.device import Device


@dataclass(frozen=True)
class ProductPipeline:
    """The parts around the units: these multiply `fetch.x` and `fetch.w`, move with
    `pipeline.advance`, and drive `sums.i`."""

    pipeline: Pipeline
    fetch: OperandFetch
    sums: Accumulators


def stages(folding: Folding, depth: int) -> Stages:
    """Of operands, of units of that depth, and of the sums."""
    return Stages(folding.depth + depth + 1)


def control_cost(stages: Stages) -> Count:
    """Of the pipeline, and of what tells the last step of each sum, which goes along to the sums;
    four LUTs as synthesised: what adds, begins a sum, has a last beat or a next one."""
    return stages.cost + Count(lut=4, ff=stages.depth - 1)


def product_pipeline(
    m: Module,
    i: stream.Interface,
    o: stream.Interface,
    *,
    stages: Stages,
    folding: Folding,
    sums: Sums,
    device: Device | None,
) -> ProductPipeline:
    """Adds the parts to the core with these streams, whose output registers are the sums."""
    pipeline = Pipeline(m, stages, o)
    advance = pipeline.advance
    # A step needs a beat only where it is the first to use it; others read what is kept.
    m.submodules.fetch = fetch = OperandFetch(folding, device)
    m.d.comb += [fetch.en.eq(advance), fetch.valid.eq(i.valid), fetch.i.eq(i.payload)]
    m.d.comb += [i.ready.eq(fetch.ready), pipeline.i_valid.eq(fetch.step)]

    # Whether a step completes its sums is known with it, and needed where they are added.
    last: Value = Const(1)
    if sums.beats > 1:
        last = fetch.last
        if sums.beats < folding.beats:
            last = _end_of_sum(m, sums.beats, fetch.step)
        last = pipeline.delay(last, stages.depth - 1, name="last")
    m.d.comb += pipeline.emits.eq(last)
    # The accumulators are the last stage. They must not add for a bubble, nor twice.
    m.submodules.sums = unit = Accumulators(sums, device)
    m.d.comb += [unit.add.eq(advance & pipeline.valid[-2]), unit.last.eq(last)]
    m.d.comb += o.payload.eq(unit.o)
    return ProductPipeline(pipeline, fetch, unit)


def _end_of_sum(m: Module, beats: int, step: Value) -> Signal:
    """Whether a step is the last of its sum, where all sums of a position read beats of their own:
    the operands count those of a position."""
    beat, last = Signal(range(beats)), Signal()
    with m.If(step):
        m.d.sync += [beat.eq(Mux(last, 0, beat + 1)), last.eq(beat == beats - 2)]
    return last

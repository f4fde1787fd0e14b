"""Part of the program of the link's sequencer: RUN and its report."""

from cores.link.assembler import Assembler, Condition, Variable
from cores.link.batches import need_weights
from cores.link.machine import (
    ONE_TIME,
    SATURATED,
    THREE_TIMES,
    TIMES,
    InputPort,
    LinkLayout,
    State,
    Strobe,
    V,
)
from cores.link.packets import RESPONSE, Type
from cores.link.receiving import NEXT
from cores.link.replying import tell

REPORT_BYTES = 1 + 8 + 4 + 4


def run(a: Assembler, layout: LinkLayout) -> None:
    """Begins a job of patterns."""
    a.label("RUN")
    a.call("in order")
    need_weights(a, layout)
    # Patterns have the accelerator for themselves, and their last report must have gone: its
    # numbers stand in the variables that this run writes.
    for variable in (V.jobs, V.running, V.run_due):
        a.load(variable)
        a.jump_unless(Condition.ZERO, "refuse BUSY")
    for k in range(4):
        a.copy(NEXT, V.frames[k])
    for k in range(4):
        a.load(V.frames[k])
        # A run of no frames would have no last one.
        a.jump_unless(Condition.ZERO, "some")
    a.jump("refuse INCOMPLETE")
    a.label("some")
    for k in range(4):
        a.load(V.frames[k])
        a.add(InputPort.FRAMES_IN[k], carry=k > 0)
        a.out(Strobe.JOB)
    # The probe stops at a count since the reset, so the target is that count and the frames wanted.
    a.out(Strobe.RUN)
    a.copy(V.sequence, V.run_number)
    a.copy(State.RUNNING, V.patterns, V.running)
    a.jump("taken")

    # Its report is asked for again.
    a.label("again RUN")
    a.load(V.patterns)
    a.jump_if(Condition.ZERO, "refuse STALE")
    a.load(V.run_number)
    a.sub(V.sequence)
    a.jump_unless(Condition.ZERO, "refuse STALE")
    a.load(V.patterns)
    a.sub(State.RUNNING)
    a.jump_if(Condition.ZERO, "release")
    a.copy(1, V.run_due)
    a.jump("release")


def take_times(a: Assembler) -> None:
    """Takes the times of the job that has ended; see `PROBE`."""
    a.load(InputPort.FLAGS)
    a.mask(TIMES)
    a.store(V.code)
    _time(a, V.first)
    a.out(Strobe.SHIFT)
    a.load(V.code)
    a.sub(THREE_TIMES)
    a.jump_if(Condition.ZERO, "three")
    _time(a, V.first)
    a.label("three")
    _time(a, V.interval)
    a.out(Strobe.SHIFT)
    _time(a, V.last)
    a.load(InputPort.FLAGS)
    a.mask(SATURATED)
    a.jump_if(Condition.ZERO, "counted")
    a.load(1)
    a.label("counted")
    # The fifth byte of the time: 2^32 where it stands still.
    a.store(V.saturated, V.last[4])
    a.load(V.code)
    a.sub(ONE_TIME)
    a.jump_unless(Condition.ZERO, "several")
    _time(a, V.first)
    _time(a, V.interval)
    a.label("several")
    for k in range(4):
        a.load(V.last[k])
        a.sub(V.interval[k], carry=k > 0)
        a.store(V.interval[k])


def _time(a: Assembler, variable: Variable) -> None:
    for k in range(4):
        a.copy(InputPort.TIME[k], variable[k])


def report(a: Assembler) -> None:
    a.label("measured")
    a.out(Strobe.STOP)
    for k in range(4):
        a.copy(InputPort.CHECKSUM[k], V.checksum[k])
    a.copy(State.HELD, V.patterns, V.run_due)
    a.jump("deliver")

    a.label("report")
    a.copy(0, V.run_due)
    a.copy(1, V.event)
    a.call("open")
    a.load(Type.RUN | RESPONSE)
    a.call("put")
    a.load(V.run_number)
    a.call("put")
    tell(a, V.saturated, REPORT_BYTES)

"""The program of the link's sequencer: the parts in order, the idle loop, jobs and their ends.

What it does on the line is specified in `hwgen/host/protocol.py`. A frame is scanned while it
arrives (lengths of COBS blocks become the zeros they stand for, in place), then its CRC is formed,
then it acts. Replies are stuffed while they are sent.
"""

from collections.abc import Sequence

from cores.link.assembler import Assembler, Condition, Variable
from cores.link.batches import data, infer, result
from cores.link.loading import weights
from cores.link.machine import InputPort, LinkLayout, State, Strobe, V
from cores.link.packets import Type
from cores.link.receiving import check, dispatch, scan
from cores.link.registers import read_register, write_register
from cores.link.replying import reply, simple
from cores.link.running import report, run, take_times

IDLE_CYCLES = {(1, False): 48, (2, False): 62, (1, True): 56, (2, True): 70}
"""Cycles of the loop that waits for the rest of a frame, by the number of banks and whether there
is a probe."""


def firmware(layout: LinkLayout, *, timeout_cycles: int) -> Sequence[int]:
    """The program.

    Parameters
    ----------
    timeout_cycles : int
        Silence after which a frame begun is forgotten.
    """
    served = [Type.INFO, Type.PING, Type.RESET, Type.DATA, Type.INFER]
    if layout.probe:
        served += [Type.RUN, Type.CSR_READ, Type.CSR_WRITE]
    if layout.weight_bytes:
        served.append(Type.WEIGHTS)
    a = Assembler()
    _clear(a, layout)
    _wait(a, timeout_cycles // IDLE_CYCLES[layout.banks, layout.probe])
    _events(a, layout)
    scan(a)
    check(a)
    dispatch(a, served)
    if layout.probe:
        run(a, layout)
        report(a)
        read_register(a, layout)
        write_register(a, layout)
    if layout.weight_bytes:
        weights(a, layout)
    simple(a, layout)
    data(a, layout)
    infer(a, layout)
    result(a, layout)
    reply(a)
    return a.assemble()


def _clear(a: Assembler, layout: LinkLayout) -> None:
    a.load(0)
    a.store(V.begun, V.left, V.length, V.long, V.byte, V.expected, V.event, V.loaded)
    a.copy(InputPort.TAIL, V.place)
    a.call("reset")
    a.jump("wait")
    a.label("reset")
    a.load(1)
    a.out(Strobe.RESET, Strobe.SLOT)
    a.load(0)
    a.store(V.state, V.due)
    a.out(Strobe.SLOT)
    a.store(V.state, V.due, V.open, V.jobs, V.running, V.turn, V.sending)
    a.store(*(V.fill[k] for k in range(layout.offset_bytes)))
    a.out(Strobe.FILL)
    if layout.probe:
        a.store(V.patterns, V.run_due, V.stream)
        a.store(*(each[k] for each in (V.first, V.interval) for k in range(4)))
        a.store(*(V.last[k] for k in range(5, 8)))
        a.out(Strobe.STREAM, Strobe.STOP)
    if layout.weight_bytes:
        # An image half loaded is dropped; a whole one stays.
        a.load(V.loaded)
        a.jump_unless(Condition.ZERO, "kept")
        a.store(*(V.weights[k] for k in range(4)))
        a.label("kept")
    a.back()


def _wait(a: Assembler, patience: int) -> None:
    """Waits for bytes; forgets a frame when they stay away for so many rounds."""
    count = (1 << 24) - max(1, patience)
    a.label("wait")
    a.jump_if(Condition.RECEIVED, "scan")
    a.load(V.begun)
    a.jump_if(Condition.ZERO, "events")
    a.load(V.byte)
    a.jump_if(Condition.ZERO, "silent")
    a.load(0)
    a.store(V.byte)
    for k in range(3):
        a.copy(count >> 8 * k & 0xFF, V.silence[k])
    a.label("silent")
    for k in range(3):
        a.load(V.silence[k])
        a.add(1)
        a.store(V.silence[k])
        a.jump_unless(Condition.CARRY, "events")
    a.out(Strobe.MARK)
    a.jump("release")


def _events(a: Assembler, layout: LinkLayout) -> None:
    """Ends and begins jobs, and sends their results."""
    a.label("events")
    a.load(V.turn)
    a.out(Strobe.SLOT)
    a.load(V.running)
    a.jump_if(Condition.ZERO, "start")
    a.jump_unless(Condition.DONE, "deliver")
    a.copy(0, V.running)
    latency = InputPort.TIME
    if layout.probe:
        latency = V.first
        take_times(a)
        a.load(V.patterns)
        a.sub(State.RUNNING)
        a.jump_if(Condition.ZERO, "measured")
    for k in range(4):
        a.copy(latency[k], V.latency[k])
    a.load(V.jobs)
    a.sub(1)
    a.store(V.jobs)
    a.load(1)
    a.store(V.state, V.due)
    if layout.banks == 2:
        a.sub(V.turn)
        a.store(V.turn)
    a.jump("deliver")

    a.label("start")
    if layout.probe:
        # Not before the report of the last patterns has gone.
        a.load(V.run_due)
        a.jump_unless(Condition.ZERO, "deliver")
    a.load(V.state)
    a.sub(State.QUEUED)
    a.jump_unless(Condition.ZERO, "deliver")
    _give(a, V.end, layout.source_bytes)
    _give(a, V.size, layout.sink_bytes)
    a.load(V.turn)
    a.out(Strobe.PLAY)
    if layout.probe:
        a.copy(State.EMPTY, V.patterns)
    a.copy(State.RUNNING, V.state, V.running)

    a.label("deliver")
    a.load(V.sending)
    a.jump_unless(Condition.ZERO, "result")
    if layout.probe:
        a.load(V.run_due)
        a.jump_unless(Condition.ZERO, "report")
    # The older result first.
    for k in range(layout.banks):
        a.load(V.turn)
        if k:
            a.load(1)
            a.sub(V.turn)
        a.store(V.bank)
        a.out(Strobe.SLOT)
        a.load(V.due)
        a.jump_unless(Condition.ZERO, "send")
    a.jump("wait")
    a.label("send")
    a.copy(0, V.due, *(V.sent[k] for k in range(layout.offset_bytes)))
    a.copy(1, V.sending)
    for k in range(layout.offset_bytes):
        a.copy(V.size[k], V.rest[k])
    a.load(V.bank)
    a.out(Strobe.READ)
    a.jump("wait")


def _give(a: Assembler, variable: Variable, count: int) -> None:
    """Appends bytes to the job register."""
    for k in range(count):
        a.load(variable[k])
        a.out(Strobe.JOB)

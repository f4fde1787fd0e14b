"""Part of the program of the link's sequencer: DATA and INFER, and the results."""

from collections.abc import Sequence

from cores.link.assembler import Assembler, Condition, Variable
from cores.link.machine import InputPort, LinkLayout, State, Strobe, V
from cores.link.packets import MAX_PAYLOAD, RESPONSE, RESULT_HEADER, Type
from cores.link.receiving import NEXT


def _bytes(variable: Variable, count: int) -> Sequence[Variable]:
    return [variable[k] for k in range(count)]


def need_weights(a: Assembler, layout: LinkLayout) -> None:
    if layout.weight_bytes:
        a.load(V.loaded)
        a.jump_if(Condition.ZERO, "refuse NOT_LOADED")


def at_offset(a: Assembler, name: str, reached: Variable, count: int) -> None:
    """Goes to `<name> continued` if the offset is `reached`, and on if it is 0, as `reached` then
    becomes, and so the accumulator; refuses any other."""
    for k in range(count):
        a.load(NEXT)
        a.sub(reached[k])
        a.jump_unless(Condition.ZERO, f"{name} anew")
    for _ in range(count, 4):
        a.load(NEXT)
        a.jump_unless(Condition.ZERO, f"{name} anew")
    a.jump(f"{name} continued")
    a.label(f"{name} anew")
    a.call("header")
    for _ in range(4):
        a.load(NEXT)
        a.jump_unless(Condition.ZERO, "refuse OFFSET")
    a.store(*_bytes(reached, count))


def data(a: Assembler, layout: LinkLayout) -> None:
    count = layout.offset_bytes
    a.label("DATA")
    a.call("in order")
    a.load(V.open)
    a.out(Strobe.SLOT)
    a.load(V.state)
    # QUEUED or RUNNING: the bank is not free. States are numbered for this comparison.
    a.sub(State.QUEUED)
    a.jump_if(Condition.CARRY, "refuse BUSY")
    at_offset(a, "data", V.fill, count)
    a.load(V.open)
    a.out(Strobe.FILL)
    a.label("data continued")
    for k in range(count):
        a.load(V.fill[k])
        a.add(0 if k else V.n, carry=k > 0)
        a.store(V.new[k])
    a.jump_if(Condition.CARRY, "refuse OFFSET")
    # Only the carry of the difference counts: without it there is more than there is room for.
    room = layout.batch * layout.in_bytes
    for k in range(count):
        a.load(room >> 8 * k)
        a.sub(V.new[k], carry=k > 0)
    a.jump_unless(Condition.CARRY, "refuse OFFSET")
    a.label("stage")
    a.load(V.n)
    a.jump_if(Condition.ZERO, "staged")
    a.sub(1)
    a.store(V.n)
    a.load(NEXT)
    a.out(Strobe.STAGE)
    a.jump("stage")
    a.label("staged")
    for k in range(count):
        a.copy(V.new[k], V.fill[k])
    a.jump("accept")


def infer(a: Assembler, layout: LinkLayout) -> None:
    """Queues the batch: divides its bytes by those of a frame to know the bytes that come out."""
    count = layout.offset_bytes
    a.label("INFER")
    a.call("in order")
    need_weights(a, layout)
    a.load(0)
    a.store(*_bytes(V.out, count))
    for k in range(count):
        a.copy(V.fill[k], V.new[k])
    # No divider: a subtraction for each frame, of which there are at most 255.
    a.label("frame")
    for k in range(count):
        a.load(V.new[k])
        a.sub(layout.in_bytes >> 8 * k, carry=k > 0)
        a.store(V.new[k])
    # Below 0: it was no whole number of frames, or none at all.
    a.jump_unless(Condition.CARRY, "refuse INCOMPLETE")
    for k in range(count):
        a.load(V.out[k])
        a.add(layout.out_bytes >> 8 * k, carry=k > 0)
        a.store(V.out[k])
    for k in range(count):
        a.load(V.new[k])
        a.jump_unless(Condition.ZERO, "frame")
    a.load(V.open)
    a.out(Strobe.SLOT)
    for k in range(count):
        a.copy(V.out[k], V.size[k])
        a.copy(V.fill[k], V.end[k])
    a.copy(V.sequence, V.number)
    a.copy(State.QUEUED, V.state)
    # What the bank held and was perhaps being sent again is given up: the host has it.
    a.load(V.bank)
    a.sub(V.open)
    a.jump_unless(Condition.ZERO, "another bank")
    a.store(V.sending)
    a.label("another bank")
    a.load(0)
    a.store(V.due, *_bytes(V.fill, count))
    if layout.banks == 2:
        a.load(1)
        a.sub(V.open)
        a.store(V.open)
    a.out(Strobe.FILL)
    a.load(V.jobs)
    a.add(1)
    a.store(V.jobs)
    a.label("taken")
    a.load(V.expected)
    a.add(1)
    a.store(V.expected)
    a.jump("release")

    # The result that is asked for again, if it is still there or will be.
    a.label("again INFER")
    for k in range(layout.banks):
        a.copy(k, V.code)
        a.out(Strobe.SLOT)
        a.load(V.state)
        a.jump_if(Condition.ZERO, f"not {k}")
        a.load(V.number)
        a.sub(V.sequence)
        a.jump_if(Condition.ZERO, "found")
        a.label(f"not {k}")
    a.jump("refuse STALE")
    a.label("found")
    a.load(V.state)
    a.sub(State.QUEUED)
    a.jump_if(Condition.CARRY, "release")
    a.copy(1, V.due)
    # From its beginning, if it is being sent.
    a.load(V.bank)
    a.sub(V.code)
    a.jump_unless(Condition.ZERO, "release")
    a.store(V.sending)
    a.jump("release")


def result(a: Assembler, layout: LinkLayout) -> None:
    """Sends the next packet of a result."""
    count = layout.offset_bytes
    piece = MAX_PAYLOAD - RESULT_HEADER
    a.label("result")
    a.copy(1, V.event)
    a.load(V.bank)
    a.out(Strobe.SLOT)
    a.call("open")
    a.load(Type.INFER | RESPONSE)
    a.call("put")
    a.load(V.number)
    a.call("put")
    a.load(0)
    a.call("put")
    for variable in (*_bytes(V.latency, 4), *_bytes(V.sent, count)):
        a.load(variable)
        a.call("put")
    for _ in range(count, 4):
        a.load(0)
        a.call("put")
    a.copy(piece, V.n)
    a.load(V.rest[0])
    a.sub(piece)
    for k in range(1, count):
        a.load(V.rest[k])
        a.sub(0, carry=True)
    a.jump_if(Condition.CARRY, "piece")
    a.copy(V.rest[0], V.n)
    a.label("piece")
    for k in range(count):
        a.load(V.rest[k])
        a.sub(0 if k else V.n, carry=k > 0)
        a.store(V.rest[k])
    for k in range(count):
        a.load(V.sent[k])
        a.add(0 if k else V.n, carry=k > 0)
        a.store(V.sent[k])
    a.label("pour")
    a.load(InputPort.RESULT)
    a.call("put")
    a.load(V.n)
    a.sub(1)
    a.store(V.n)
    a.jump_unless(Condition.ZERO, "pour")
    for k in range(count):
        a.load(V.rest[k])
        a.jump_unless(Condition.ZERO, "finish")
    a.store(V.sending)
    a.jump("finish")

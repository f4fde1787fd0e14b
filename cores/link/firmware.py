"""The program of the link's sequencer: receives requests, checks their order, acts and replies.

What it does on the line is specified in `hwgen/host/protocol.py`. A frame is scanned while it
arrives (lengths of COBS blocks become the zeros they stand for, in place), then its CRC is formed,
then it acts. Replies are stuffed while they are sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from cores.link.assembler import Assembler, Condition, PortNumber, Variable
from cores.link.packets import (
    MAX_PAYLOAD,
    NAK,
    OVERHEAD,
    RESPONSE,
    RESULT_HEADER,
    WINDOW,
    NakCode,
    Request,
)

NEXT = None
"""Operand: the next received byte."""

INFO_AT = 96
"""Address of the INFO payload among the variables; it ends with the memory."""

MAX_INFO = 256 - INFO_AT
IDLE_CYCLES = {1: 48, 2: 62}
"""Cycles of the loop that waits for the rest of a frame, by the number of banks."""


class Port(PortNumber):
    """Ports that can be read."""

    CRC_LOW = 0
    CRC_HIGH = 1
    TAIL = 2
    RESULT = 3
    LATENCY = 4
    LATENCY_1 = 5
    LATENCY_2 = 6
    LATENCY_3 = 7


class Strobe(PortNumber):
    """Ports that can be written; see `ReceiveRing`, `TransmitRing` and the staging."""

    CRC_BEGIN = 0
    CRC = 1
    APPEND = 2
    PATCH = 3
    PUBLISH = 4
    MARK = 5
    FREE = 6
    BACK = 7
    ERASE = 8
    SLOT = 9
    FILL = 10  # an empty batch in the bank given
    STAGE = 11
    JOB = 12  # the next byte of the job register
    PLAY = 13  # the job, in the bank given
    READ = 14  # the result in the bank given, from its first byte
    RESET = 15


class State(IntEnum):
    """Of a bank."""

    EMPTY = 0
    HELD = 1  # the result is there
    QUEUED = 2
    RUNNING = 3


@dataclass(frozen=True)
class Frames:
    """Sizes that the program knows.

    Parameters
    ----------
    in_bytes, out_bytes : int
        Of a frame.
    batch : int
        Most frames of a batch.
    banks : int
        1 or 2 batches at once.
    source_bytes, sink_bytes : int
        Bytes of the job register for the ends of a batch.
    """

    in_bytes: int
    out_bytes: int
    batch: int
    banks: int
    source_bytes: int
    sink_bytes: int


class _Variables:
    """Where the variables are."""

    # Of each bank.
    state = Variable(0, True)
    number = Variable(1, True)  # sequence number of its INFER
    due = Variable(2, True)  # its result is to be sent
    end = Variable(3, True)  # bytes in, 3
    size = Variable(6, True)  # bytes out, 3
    latency = Variable(9, True)  # 4
    # Of the frame being received.
    byte = Variable(32)
    begun = Variable(33)
    left = Variable(34)
    length = Variable(35)
    long = Variable(36)
    silence = Variable(37)  # 3
    # Of the request.
    kind = Variable(40)
    sequence = Variable(41)
    n = Variable(42)
    expected = Variable(43)
    # Of the reply.
    code = Variable(44)
    place = Variable(45)
    low = Variable(46)
    high = Variable(47)
    event = Variable(48)  # it answers no request now
    # Of the batch being filled.
    open = Variable(49)
    fill = Variable(50)  # 3
    new = Variable(53)  # 3
    out = Variable(56)  # 3
    # Of the jobs.
    running = Variable(59)
    turn = Variable(60)  # bank of the next batch to run, or of the one that runs
    # Of the result being sent.
    sending = Variable(61)
    bank = Variable(62)
    sent = Variable(63)  # 3
    rest = Variable(66)  # 3


V = _Variables
SERVED = (Request.INFO, Request.PING, Request.RESET, Request.DATA, Request.INFER)


def firmware(frames: Frames, *, info: int, timeout_cycles: int) -> Sequence[int]:
    """The program.

    Parameters
    ----------
    info : int
        Bytes of the INFO payload.
    timeout_cycles : int
        Silence after which a frame begun is forgotten.
    """
    a = Assembler()
    _clear(a)
    _main(a, timeout_cycles // IDLE_CYCLES[frames.banks])
    _events(a, frames)
    _scan(a)
    _check(a)
    _dispatch(a, SERVED)
    _simple(a, info)
    _data(a, frames)
    _infer(a, frames)
    _result(a)
    _reply(a)
    return a.assemble()


def _clear(a: Assembler) -> None:
    a.load(0)
    a.store(V.begun, V.left, V.length, V.long, V.byte, V.expected, V.event, V.place)
    a.call("reset")
    a.jump("main")
    a.label("reset")
    a.load(1)
    a.out(Strobe.RESET, Strobe.SLOT)
    a.load(0)
    a.store(V.state, V.due)
    a.out(Strobe.SLOT)
    a.store(V.state, V.due, V.open, *_bytes(V.fill, 3), V.running, V.turn, V.sending)
    a.out(Strobe.FILL)
    a.back()


def _bytes(variable: Variable, count: int) -> list[Variable]:
    return [variable[k] for k in range(count)]


def _main(a: Assembler, patience: int) -> None:
    """Waits for bytes; forgets a frame when they stay away for so many rounds."""
    count = (1 << 24) - max(1, patience)
    a.label("main")
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


def _events(a: Assembler, frames: Frames) -> None:
    """Ends and begins jobs, and sends their results."""
    a.label("events")
    a.load(V.turn)
    a.out(Strobe.SLOT)
    a.load(V.running)
    a.jump_if(Condition.ZERO, "start")
    a.jump_unless(Condition.DONE, "deliver")
    a.load(0)
    a.store(V.running)
    for k in range(4):
        a.copy(Port(Port.LATENCY + k), V.latency[k])
    a.load(1)
    a.store(V.state, V.due)
    if frames.banks == 2:
        a.sub(V.turn)
        a.store(V.turn)
    a.jump("deliver")

    a.label("start")
    a.load(V.state)
    a.sub(State.QUEUED)
    a.jump_unless(Condition.ZERO, "deliver")
    # Not before the bank's last result has gone.
    a.load(V.sending)
    a.jump_if(Condition.ZERO, "play")
    a.load(V.bank)
    a.sub(V.turn)
    a.jump_if(Condition.ZERO, "deliver")
    a.label("play")
    for variable, count in ((V.end, frames.source_bytes), (V.size, frames.sink_bytes)):
        for k in range(count):
            a.load(variable[k])
            a.out(Strobe.JOB)
    a.load(V.turn)
    a.out(Strobe.PLAY)
    a.copy(State.RUNNING, V.state, V.running)

    a.label("deliver")
    a.load(V.sending)
    a.jump_unless(Condition.ZERO, "result")
    # The older result first.
    for k in range(frames.banks):
        a.load(V.turn)
        if k:
            a.load(1)
            a.sub(V.turn)
        a.store(V.bank)
        a.out(Strobe.SLOT)
        a.load(V.due)
        a.jump_unless(Condition.ZERO, "send")
    a.jump("main")
    a.label("send")
    a.copy(0, V.due, *_bytes(V.sent, 3))
    a.copy(1, V.sending)
    for k in range(3):
        a.copy(V.size[k], V.rest[k])
    a.load(V.bank)
    a.out(Strobe.READ)
    a.jump("main")


def _scan(a: Assembler) -> None:
    """Takes one byte of a frame."""
    a.label("scan")
    a.load(NEXT)
    a.store(V.byte)
    a.jump_if(Condition.ZERO, "delimiter")
    a.load(V.left)
    a.jump_if(Condition.ZERO, "block")
    a.sub(1)
    a.store(V.left)
    a.label("grow")
    a.load(V.length)
    a.add(1)
    a.store(V.length)
    a.sub(MAX_PAYLOAD + OVERHEAD + 1)
    a.jump_unless(Condition.ZERO, "main")
    # Too long: keep the sequence number only.
    a.copy(MAX_PAYLOAD + OVERHEAD, V.length)
    a.load(V.long)
    a.out(Strobe.MARK)
    a.jump_unless(Condition.ZERO, "skip")
    a.call("header")
    a.copy(1, V.long)
    a.label("skip")
    a.out(Strobe.FREE, Strobe.BACK)
    a.jump("main")
    a.label("block")
    a.load(V.byte)
    a.sub(1)
    a.store(V.left)
    a.load(V.begun)
    a.out(Strobe.ERASE)
    a.jump_unless(Condition.ZERO, "grow")
    a.copy(1, V.begun)
    a.jump("main")
    a.label("header")
    a.out(Strobe.BACK)
    a.load(NEXT)
    a.copy(NEXT, V.kind)
    a.copy(NEXT, V.sequence)
    a.back()


def _check(a: Assembler) -> None:
    """Checks the frame that ends here."""
    a.label("delimiter")
    a.out(Strobe.MARK)
    a.load(V.begun)
    a.jump_if(Condition.ZERO, "release")
    a.load(V.long)
    a.jump_unless(Condition.ZERO, "refuse TOO_LONG")
    a.call("header")
    a.load(V.left)
    a.jump_unless(Condition.ZERO, "refuse DAMAGED")
    a.load(V.length)
    a.sub(OVERHEAD)
    a.jump_unless(Condition.CARRY, "refuse DAMAGED")
    a.add(OVERHEAD - 2)
    a.store(V.n)
    a.out(Strobe.BACK, Strobe.CRC_BEGIN)
    a.load(NEXT)
    a.label("sum")
    a.load(NEXT)
    a.out(Strobe.CRC)
    a.load(V.n)
    a.sub(1)
    a.store(V.n)
    a.jump_unless(Condition.ZERO, "sum")
    for port in (Port.CRC_LOW, Port.CRC_HIGH):
        a.load(NEXT)
        a.sub(port)
        a.jump_unless(Condition.ZERO, "refuse DAMAGED")
    a.call("header")
    a.load(V.length)
    a.sub(OVERHEAD)
    a.store(V.n)


def _dispatch(a: Assembler, served: Sequence[Request]) -> None:
    """Goes to what serves the request."""
    a.load(V.kind)
    before = 0
    for request in sorted(served):
        a.sub(request - before)
        a.jump_if(Condition.ZERO, request.name)
        before = request
    a.jump("refuse UNKNOWN")

    # Returns if the request is the one expected.
    a.label("in order")
    a.load(V.expected)
    a.sub(V.sequence)
    a.jump_if(Condition.ZERO, "ordered")
    a.sub(WINDOW + 1)
    a.jump_if(Condition.CARRY, "refuse ORDER")
    a.load(V.kind)
    a.sub(Request.INFER)
    a.jump_if(Condition.ZERO, "again")
    a.jump("acknowledge")
    a.label("ordered")
    a.back()


def _simple(a: Assembler, info: int) -> None:
    """INFO, PING, RESET and what is common to replies without payload."""
    a.label("INFO")
    _begin_reply(a)
    a.copy(INFO_AT, V.n)
    a.label("tell")
    a.load(V.n)
    a.table()
    a.call("put")
    a.load(V.n)
    a.add(1)
    a.store(V.n)
    a.sub((INFO_AT + info) & 0xFF)
    a.jump_unless(Condition.ZERO, "tell")
    a.jump("finish")

    a.label("PING")
    _begin_reply(a)
    a.label("echo")
    a.load(V.n)
    a.jump_if(Condition.ZERO, "finish")
    a.sub(1)
    a.store(V.n)
    a.load(NEXT)
    a.call("put")
    a.jump("echo")

    a.label("RESET")
    a.call("reset")
    a.copy(V.sequence, V.expected)
    a.label("accept")
    a.load(V.expected)
    a.add(1)
    a.store(V.expected)
    a.label("acknowledge")
    _begin_reply(a)
    a.jump("finish")


def _begin_reply(a: Assembler) -> None:
    """Opens a frame, and puts the head of the reply to the request."""
    a.call("open")
    a.load(V.kind)
    a.add(RESPONSE)
    a.call("put")
    a.load(V.sequence)
    a.call("put")


def _data(a: Assembler, frames: Frames) -> None:
    a.label("DATA")
    a.call("in order")
    a.load(V.n)
    a.sub(4)
    a.jump_unless(Condition.CARRY, "refuse SHORT")
    a.store(V.n)
    a.load(V.open)
    a.out(Strobe.SLOT)
    a.load(V.state)
    a.sub(State.QUEUED)
    a.jump_if(Condition.CARRY, "refuse BUSY")
    for k in range(3):
        a.load(NEXT)
        a.sub(V.fill[k])
        a.jump_unless(Condition.ZERO, "anew")
    a.load(NEXT)
    a.jump_if(Condition.ZERO, "continued")
    a.label("anew")
    a.call("header")
    for _ in range(4):
        a.load(NEXT)
        a.jump_unless(Condition.ZERO, "refuse OFFSET")
    a.store(*_bytes(V.fill, 3))
    a.load(V.open)
    a.out(Strobe.FILL)
    a.label("continued")
    for k in range(3):
        a.load(V.fill[k])
        a.add(0 if k else V.n, carry=k > 0)
        a.store(V.new[k])
    room = frames.batch * frames.in_bytes
    for k in range(3):
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
    for k in range(3):
        a.copy(V.new[k], V.fill[k])
    a.jump("accept")


def _infer(a: Assembler, frames: Frames) -> None:
    """Queues the batch: divides its bytes by those of a frame to know the bytes that come out."""
    a.label("INFER")
    a.call("in order")
    a.load(0)
    a.store(*_bytes(V.out, 3))
    for k in range(3):
        a.copy(V.fill[k], V.new[k])
    a.label("frame")
    for k in range(3):
        a.load(V.new[k])
        a.sub(frames.in_bytes >> 8 * k, carry=k > 0)
        a.store(V.new[k])
    a.jump_unless(Condition.CARRY, "refuse INCOMPLETE")
    for k in range(3):
        a.load(V.out[k])
        a.add(frames.out_bytes >> 8 * k, carry=k > 0)
        a.store(V.out[k])
    for k in range(3):
        a.load(V.new[k])
        a.jump_unless(Condition.ZERO, "frame")
    a.load(V.open)
    a.out(Strobe.SLOT)
    for k in range(3):
        a.copy(V.out[k], V.size[k])
        a.copy(V.fill[k], V.end[k])
    a.copy(V.sequence, V.number)
    a.copy(State.QUEUED, V.state)
    a.load(0)
    a.store(V.due, *_bytes(V.fill, 3))
    if frames.banks == 2:
        a.load(1)
        a.sub(V.open)
        a.store(V.open)
    a.out(Strobe.FILL)
    a.load(V.expected)
    a.add(1)
    a.store(V.expected)
    a.jump("release")

    # The result that is asked for again, if it is still there or will be.
    a.label("again")
    for k in range(frames.banks):
        a.load(k)
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
    a.copy(0, V.sending)
    a.jump("release")


def _result(a: Assembler) -> None:
    """Sends the next packet of a result."""
    piece = MAX_PAYLOAD - RESULT_HEADER
    a.label("result")
    a.copy(1, V.event)
    a.load(V.bank)
    a.out(Strobe.SLOT)
    a.call("open")
    a.load(Request.INFER | RESPONSE)
    a.call("put")
    a.load(V.number)
    a.call("put")
    a.load(0)
    a.call("put")
    for variable in (*_bytes(V.latency, 4), *_bytes(V.sent, 3)):
        a.load(variable)
        a.call("put")
    a.load(0)
    a.call("put")
    a.copy(piece, V.n)
    a.load(V.rest[0])
    a.sub(piece)
    for k in (1, 2):
        a.load(V.rest[k])
        a.sub(0, carry=True)
    a.jump_if(Condition.CARRY, "piece")
    a.copy(V.rest[0], V.n)
    a.label("piece")
    for k in range(3):
        a.load(V.rest[k])
        a.sub(0 if k else V.n, carry=k > 0)
        a.store(V.rest[k])
    for k in range(3):
        a.load(V.sent[k])
        a.add(0 if k else V.n, carry=k > 0)
        a.store(V.sent[k])
    a.label("pour")
    a.load(Port.RESULT)
    a.call("put")
    a.load(V.n)
    a.sub(1)
    a.store(V.n)
    a.jump_unless(Condition.ZERO, "pour")
    for k in range(3):
        a.load(V.rest[k])
        a.jump_unless(Condition.ZERO, "finish")
    a.store(V.sending)
    a.jump("finish")


def _reply(a: Assembler) -> None:
    """Refusals, and what every reply needs."""
    for code in NakCode:
        a.label(f"refuse {code.name}")
        a.copy(code, V.code)
        a.jump("refuse")
    a.label("refuse")
    a.call("open")
    a.load(NAK)
    a.call("put")
    for variable in (V.sequence, V.code, V.expected):
        a.load(variable)
        a.call("put")

    a.label("finish")
    a.copy(Port.CRC_LOW, V.low)
    a.copy(Port.CRC_HIGH, V.high)
    for variable in (V.low, V.high):
        a.load(variable)
        a.call("put")
    a.label("delimit")
    a.jump_if(Condition.FULL, "delimit")
    a.load(Port.TAIL)
    a.sub(V.place)
    a.out(Strobe.PATCH)
    a.load(0)
    a.out(Strobe.APPEND, Strobe.PUBLISH)
    a.copy(Port.TAIL, V.place)
    a.load(V.event)
    a.jump_if(Condition.ZERO, "release")
    a.copy(0, V.event)
    a.jump("main")

    a.label("release")
    a.out(Strobe.FREE, Strobe.BACK)
    a.load(0)
    a.store(V.begun, V.left, V.length, V.long)
    a.jump("events")

    # Opens a frame: leaves place for the length of its first block.
    a.label("open")
    a.jump_if(Condition.FULL, "open")
    a.out(Strobe.CRC_BEGIN, Strobe.APPEND)
    a.back()

    # Stuffs the byte in the accumulator.
    a.label("put")
    a.jump_if(Condition.FULL, "put")
    a.out(Strobe.CRC)
    a.jump_if(Condition.ZERO, "zero")
    a.out(Strobe.APPEND)
    a.back()
    a.label("zero")
    a.load(Port.TAIL)
    a.sub(V.place)
    a.out(Strobe.PATCH, Strobe.PUBLISH)
    a.copy(Port.TAIL, V.place)
    a.out(Strobe.APPEND)
    a.back()

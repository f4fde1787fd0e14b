"""Part of the program of the link's sequencer: from bytes to requests in their order."""

from collections.abc import Iterable

from cores.link.assembler import Assembler, Condition
from cores.link.machine import InputPort, Strobe, V
from cores.link.packets import MAX_PAYLOAD, OVERHEAD, WINDOW, Type

NEXT = None
"""Operand: the next received byte."""


def scan(a: Assembler) -> None:
    """Takes one byte of a frame."""
    a.label("scan")
    a.load(NEXT)
    a.store(V.byte)
    a.jump_if(Condition.ZERO, "delimiter")
    # `left`: bytes until the next code byte of COBS, which stands where a zero was. 0: this is one.
    a.load(V.left)
    a.jump_if(Condition.ZERO, "block")
    a.sub(1)
    a.store(V.left)
    a.label("grow")
    a.load(V.length)
    a.add(1)
    a.store(V.length)
    a.sub(MAX_PAYLOAD + OVERHEAD + 1)
    a.jump_unless(Condition.ZERO, "wait")
    # Too long: keep the sequence number only.
    a.copy(MAX_PAYLOAD + OVERHEAD, V.length)
    a.load(V.long)
    a.out(Strobe.MARK)
    a.jump_unless(Condition.ZERO, "skip")
    a.call("header")
    a.copy(1, V.long)
    a.label("skip")
    a.out(Strobe.FREE, Strobe.BACK)
    a.jump("wait")
    a.label("block")
    a.load(V.byte)
    a.sub(1)
    a.store(V.left)
    a.load(V.begun)
    a.out(Strobe.ERASE)
    # The first code byte stands for no zero and does not count. The others are the zeros that they
    # stand for from here on, so that the packet can be read as it was.
    a.jump_unless(Condition.ZERO, "grow")
    a.copy(1, V.begun)
    a.jump("wait")
    a.label("header")
    a.out(Strobe.BACK)
    a.load(NEXT)
    a.copy(NEXT, V.kind)
    a.copy(NEXT, V.sequence)
    a.back()


def check(a: Assembler) -> None:
    """Checks the frame that ends here; goes on to `dispatch`."""
    a.label("delimiter")
    a.out(Strobe.MARK)
    a.load(V.begun)
    a.jump_if(Condition.ZERO, "release")
    a.load(V.long)
    a.jump_unless(Condition.ZERO, "refuse TOO_LONG")
    a.call("header")
    # A block that is not over: bytes were lost.
    a.load(V.left)
    a.jump_unless(Condition.ZERO, "refuse DAMAGED")
    a.load(V.length)
    # Shorter than type, number and CRC.
    a.sub(OVERHEAD)
    a.jump_unless(Condition.CARRY, "refuse DAMAGED")
    # `n` counts the bytes that the CRC is of: all but its own two.
    a.add(OVERHEAD - 2)
    a.store(V.n)
    # Once more from where the frame begins: past its first code byte, then the packet.
    a.out(Strobe.BACK, Strobe.CRC_BEGIN)
    a.load(NEXT)
    a.label("sum")
    a.load(NEXT)
    a.out(Strobe.CRC)
    a.load(V.n)
    a.sub(1)
    a.store(V.n)
    a.jump_unless(Condition.ZERO, "sum")
    for k in range(2):
        a.load(NEXT)
        a.sub(InputPort.CRC[k])
        a.jump_unless(Condition.ZERO, "refuse DAMAGED")
    a.call("header")
    a.load(V.length)
    a.sub(OVERHEAD)
    a.store(V.n)


def dispatch(a: Assembler, served: Iterable[Type]) -> None:
    """Goes to what serves the request."""
    a.load(V.kind)
    before = 0
    # In ascending order, so that what has been taken off of the type byte is not taken off again.
    for request in sorted(served):
        a.sub(request - before)
        a.jump_if(Condition.ZERO, request.name)
        before = request
    a.jump("refuse UNKNOWN")

    # Returns if the request is the one expected, and has the 4 bytes that all but INFER need; n
    # becomes the number of those behind them.
    a.label("in order")
    a.load(V.expected)
    a.sub(V.sequence)
    a.jump_if(Condition.ZERO, "ordered")
    # The accumulator is expected - sequence, 1 to 255: up to `WINDOW` of it is a repeat, and more
    # is a request ahead of its turn. The carry after a difference means that it was not negative.
    a.sub(WINDOW + 1)
    a.jump_if(Condition.CARRY, "refuse ORDER")
    a.load(V.kind)
    a.sub(Type.INFER)
    a.jump_if(Condition.ZERO, "again INFER")
    if Type.RUN in served:
        a.sub(Type.RUN - Type.INFER)
        a.jump_if(Condition.ZERO, "again RUN")
    a.jump("acknowledge")
    a.label("ordered")
    a.load(V.kind)
    a.sub(Type.INFER)
    a.jump_if(Condition.ZERO, "long enough")
    a.load(V.n)
    a.sub(4)
    a.jump_unless(Condition.CARRY, "refuse SHORT")
    a.store(V.n)
    a.label("long enough")
    a.back()

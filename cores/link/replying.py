"""Part of the program of the link's sequencer: replies, and requests that are answered at once."""

from cores.link.assembler import Assembler, Condition, Variable
from cores.link.machine import INFO_AT, InputPort, LinkLayout, Strobe, V
from cores.link.packets import RESPONSE, NakCode, Type
from cores.link.receiving import NEXT


def simple(a: Assembler, layout: LinkLayout) -> None:
    """INFO, PING, RESET and what is common to replies without payload."""
    a.label("INFO")
    head(a)
    tell(a, Variable(INFO_AT), layout.info)

    # Ends the reply by the variables from address n on, up to but without that in `code`.
    a.label("tell")
    a.load(V.n)
    a.table()
    a.call("put")
    a.load(V.n)
    a.add(1)
    a.store(V.n)
    a.sub(V.code)
    a.jump_unless(Condition.ZERO, "tell")
    a.jump("finish")

    a.label("PING")
    head(a)
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
    head(a)
    a.jump("finish")


def tell(a: Assembler, first: Variable, count: int) -> None:
    """Ends the reply by so many variables."""
    a.copy(first.address, V.n)
    a.copy(first.address + count, V.code)
    a.jump("tell")


def head(a: Assembler) -> None:
    """Opens a frame, and puts the head of the reply to the request."""
    a.call("open")
    a.load(V.kind)
    a.add(RESPONSE)
    a.call("put")
    a.load(V.sequence)
    a.call("put")


def reply(a: Assembler) -> None:
    """Refusals, and what every reply needs."""
    for code in NakCode:
        a.label(f"refuse {code.name}")
        a.load(code)
        a.jump("refuse")
    a.label("refuse")
    a.store(V.code)
    a.call("open")
    a.load(Type.NAK)
    a.call("put")
    for variable in (V.sequence, V.code, V.expected):
        a.load(variable)
        a.call("put")

    a.label("finish")
    a.copy(InputPort.CRC[0], V.low)
    a.copy(InputPort.CRC[1], V.high)
    for variable in (V.low, V.high):
        a.load(variable)
        a.call("put")
    a.label("delimit")
    a.jump_if(Condition.FULL, "delimit")
    a.load(InputPort.TAIL)
    a.sub(V.place)
    a.out(Strobe.PATCH)
    a.load(0)
    a.out(Strobe.APPEND, Strobe.PUBLISH)
    a.copy(InputPort.TAIL, V.place)
    a.load(V.event)
    a.jump_if(Condition.ZERO, "release")
    a.copy(0, V.event)
    a.jump("wait")

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
    a.load(InputPort.TAIL)
    a.sub(V.place)
    a.out(Strobe.PATCH, Strobe.PUBLISH)
    a.copy(InputPort.TAIL, V.place)
    a.out(Strobe.APPEND)
    a.back()

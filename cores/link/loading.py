"""Part of the program of the link's sequencer: the image of the weights."""

from cores.link.assembler import Assembler, Condition
from cores.link.batches import at_offset
from cores.link.machine import LinkLayout, Strobe, V
from cores.link.receiving import NEXT


def weights(a: Assembler, layout: LinkLayout) -> None:
    count = -(-layout.weight_bytes.bit_length() // 8)
    a.label("WEIGHTS")
    a.call("in order")
    a.load(V.jobs)
    a.jump_unless(Condition.ZERO, "refuse BUSY")
    a.load(V.running)
    a.jump_unless(Condition.ZERO, "refuse BUSY")
    at_offset(a, "weights", V.weights, count)
    # A new image begins: from now on no INFER is taken, and the accelerator begins at its first
    # word.
    a.store(V.loaded)
    a.out(Strobe.LOADED, Strobe.RESTART)
    a.label("weights continued")
    for k in range(count):
        a.load(V.weights[k])
        a.add(0 if k else V.n, carry=k > 0)
        a.store(V.value[k])
    a.jump_if(Condition.CARRY, "refuse OFFSET")
    for k in range(count):
        a.load(layout.weight_bytes >> 8 * k)
        a.sub(V.value[k], carry=k > 0)
    a.jump_unless(Condition.CARRY, "refuse OFFSET")
    a.label("load")
    a.load(V.n)
    a.jump_if(Condition.ZERO, "passed")
    a.sub(1)
    a.store(V.n)
    a.load(NEXT)
    a.label("busy")
    # The accelerator has not taken the word before.
    a.jump_if(Condition.WAIT, "busy")
    a.out(Strobe.WEIGHT)
    a.jump("load")
    a.label("passed")
    for k in range(count):
        a.copy(V.value[k], V.weights[k])
    for k in range(count):
        a.load(V.weights[k])
        # Byte by byte without a carry: all that matters is whether they are equal.
        a.sub(layout.weight_bytes >> 8 * k)
        a.jump_unless(Condition.ZERO, "accept")
    a.load(1)
    a.store(V.loaded)
    a.out(Strobe.LOADED)
    a.jump("accept")

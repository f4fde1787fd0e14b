"""Part of the program of the link's sequencer: registers that can be read and written."""

from cores.link.assembler import Assembler, Condition, Input
from cores.link.machine import OVERRUN, InputPort, LinkLayout, Strobe, V
from cores.link.packets import Register
from cores.link.receiving import NEXT
from cores.link.replying import head, tell


def read_register(a: Assembler, layout: LinkLayout) -> None:
    a.label("CSR_READ")
    a.load(V.n)
    a.jump_if(Condition.ZERO, "refuse SHORT")
    a.load(NEXT)
    for register in Register:
        a.jump_if(Condition.ZERO, register.name)
        a.sub(1)
    a.jump("refuse ADDRESS")

    _counter(a, Register.CYCLES, InputPort.CYCLES)
    a.jump("tell value")
    _counter(a, Register.STALLS, InputPort.STALLS)
    a.jump("tell value")

    # Those that went in after these came out are taken off below: the order of reading is safe.
    a.label(Register.FRAMES_OUT.name)
    for k in (1, 0):
        a.copy(InputPort.FRAMES_OUT[k], V.new[k])
    a.load(InputPort.FRAMES_OUT[1])
    a.sub(V.new[1])
    a.jump_unless(Condition.ZERO, Register.FRAMES_OUT.name)
    a.call("frames in")
    for k in range(2):
        a.load(V.value[k])
        a.sub(V.new[k], carry=k > 0)
        a.store(V.new[k])
    for k in range(4):
        a.load(V.value[k])
        a.sub(V.new[k] if k < 2 else 0, carry=k > 0)
        a.store(V.value[k])
    a.jump("tell value")
    a.label(Register.FRAMES_IN.name)
    a.call("frames in")
    a.jump("tell value")
    _counter(a, "frames in", InputPort.FRAMES_IN)
    a.back()

    for register, variable in ((Register.LATENCY, V.first), (Register.INTERVAL, V.interval)):
        a.label(register.name)
        for k in range(4):
            a.copy(variable[k], V.value[k])
        a.jump("tell value")

    a.label(Register.STREAM.name)
    a.load(V.stream)
    a.jump("tell byte")

    a.label(Register.STATUS.name)
    a.load(InputPort.FLAGS)
    a.mask(OVERRUN)
    a.store(V.code)
    a.add(V.code)
    a.add(V.loaded if layout.weight_bytes else 1)
    a.store(V.code)
    a.add(V.code)
    a.store(V.code)
    a.load(V.running)
    a.jump_if(Condition.ZERO, "idle")
    a.load(1)
    a.label("idle")
    a.add(V.code)

    a.label("tell byte")
    a.store(V.value)
    a.copy(0, *(V.value[k] for k in range(1, 4)))
    a.label("tell value")
    head(a)
    tell(a, V.value, 4)


def _counter(a: Assembler, label: str | Register, port: Input) -> None:
    """Reads a running counter: again, if its upper bytes have changed meanwhile."""
    name = label.name if isinstance(label, Register) else label
    a.label(name)
    for k in (3, 2, 1, 0):
        a.copy(port[k], V.value[k])
    for k in (1, 2, 3):
        a.load(port[k])
        a.sub(V.value[k])
        a.jump_unless(Condition.ZERO, name)


def write_register(a: Assembler, layout: LinkLayout) -> None:
    a.label("CSR_WRITE")
    a.call("in order")
    a.load(V.n)
    a.jump_if(Condition.ZERO, "refuse SHORT")
    a.load(NEXT)
    a.sub(Register.STREAM)
    a.jump_unless(Condition.ZERO, "refuse ADDRESS")
    a.copy(NEXT, V.code)
    a.sub(layout.streams)
    a.jump_if(Condition.CARRY, "refuse ADDRESS")
    for _ in range(3):
        a.load(NEXT)
        a.jump_unless(Condition.ZERO, "refuse ADDRESS")
    a.copy(V.code, V.stream)
    a.out(Strobe.STREAM)
    a.jump("accept")

"""A small processor for bytes, which runs the protocol of the link."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from cores.link.assembler import STROBE_GROUP, Condition, Opcode, OperandSource
from cores.link.byte_memory import ByteMemory

VARIABLE_BYTES = 256


class Sequencer(wiring.Component):
    """Performs one instruction in two cycles: one to read, one to act.

    It has an accumulator of 8 bits, a carry, a return address, variables in block RAM, and ports.

    Parameters
    ----------
    program : sequence of int
        Words of an `Assembler`, begun at the first.
    variables : bytes
        First contents of the variables.
    ports : int
        Ports that can be read.
    strobes : int
        Ports that can be written.

    Members
    -------
    inputs : In(8 * ports)
        Port k at bits 8k and above, as of the cycle before an instruction acts.
    taken : Out(ports)
        Port k is being read.
    data : Out(8)
    strobe : Out(strobes)
        `data` is for port k.
    received : In(8)
        Operand `Source.NEXT`, as of the previous cycle.
    next : Out(1)
        It is being read.
    conditions : In(len(Condition))
        Those that come from outside; the lowest three are the sequencer's own.
    slot : In(1)
        Which of the two variables is meant by a relative address.
    """

    inputs: Signal
    taken: Signal
    data: Signal
    strobe: Signal
    received: Signal
    next: Signal
    conditions: Signal
    slot: Signal

    def __init__(self, program: Sequence[int], *, variables: bytes, ports: int, strobes: int):
        self._program = program
        self._variables = variables
        self._ports = ports
        super().__init__(
            {
                "inputs": In(8 * ports),
                "taken": Out(ports),
                "data": Out(8),
                "strobe": Out(strobes),
                "received": In(8),
                "next": Out(1),
                "conditions": In(len(Condition)),
                "slot": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = len(self._program)
        m.submodules.program = program = Memory(
            shape=unsigned(16), depth=size, init=self._program, attrs={"ram_style": "block"}
        )
        m.submodules.variables = variables = ByteMemory(VARIABLE_BYTES, init=self._variables)
        fetch = program.read_port()
        word = fetch.data
        # One cycle reads a variable or a port, the next acts on it: block RAM answers a cycle late,
        # and nothing has to be forwarded from one instruction to the next.
        acting = Signal()
        m.d.sync += acting.eq(~acting)

        bits = ceil_log2(size)
        # The first word acted on is empty, which loads 0; instruction 0 must do the same.
        here = Signal(bits)
        follows = Signal(bits)
        back = Signal(bits, reset_less=True)
        after = Signal(bits)
        accumulator = self.data
        carry = Signal()
        operand = Signal(8)
        source = word[10:12]
        data_op = acting & ~word[15]
        op = word[12:15]
        storing = data_op & (op == Opcode.STORE)

        # Operand.
        # A register behind the multiplexer of all ports, as block RAM has one: every operand is
        # there when its instruction acts.
        port = Signal(8, reset_less=True)
        m.d.sync += port.eq(self.inputs.word_select(word[: ceil_log2(self._ports)], 8))
        # Bit 4 tells the two copies of a variable apart, as they are `SLOT_BYTES` = 16 apart.
        own = Cat(word[:4], word[4] ^ (word[9] & self.slot), word[5:8])
        m.d.comb += variables.address.eq(Mux(word[8], accumulator, own))
        m.d.comb += variables.read.eq(1)
        m.d.comb += variables.write_address.eq(own)
        m.d.comb += variables.write_data.eq(accumulator)
        m.d.comb += variables.write.eq(storing & (source == OperandSource.VARIABLE))
        with m.Switch(source):
            with m.Case(OperandSource.CONSTANT):
                m.d.comb += operand.eq(word[:8])
            with m.Case(OperandSource.VARIABLE):
                m.d.comb += operand.eq(variables.data)
            with m.Case(OperandSource.NEXT):
                m.d.comb += operand.eq(self.received)
            with m.Case(OperandSource.PORT):
                m.d.comb += operand.eq(port)
        m.d.comb += self.next.eq(data_op & (source == OperandSource.NEXT))
        at_port = Signal()
        m.d.comb += at_port.eq(data_op & (source == OperandSource.PORT))
        # Two bits of the word name a strobe, so that decoding takes no comparison of a number.
        for k, strobe in enumerate(self.strobe):
            group, place = divmod(k, STROBE_GROUP)
            m.d.comb += strobe.eq(
                at_port & (op == Opcode.STORE) & word[STROBE_GROUP + group] & word[place]
            )
        for k, taken in enumerate(self.taken):
            m.d.comb += taken.eq(at_port & (op != Opcode.STORE) & (word[:6] == k))

        # Accumulator.
        total = Signal(9)
        other = Signal(8)
        carry_in = Signal()
        # a - b is a + ~b + 1: bit 2 of the op inverts and adds the 1, unless a carry is chained.
        m.d.comb += other.eq(operand ^ op[2].replicate(8))
        m.d.comb += carry_in.eq(Mux(op[0], carry, op[2]))
        m.d.comb += total.eq(accumulator + other + carry_in)
        with m.If(data_op):
            with m.If(op[1]):
                m.d.sync += accumulator.eq(total)
                m.d.sync += carry.eq(total[8])
            with m.Elif(~op[2]):
                # LOAD and AND: the accumulator is a mask of ones for the first.
                m.d.sync += accumulator.eq(operand & (accumulator | (~op[0]).replicate(8)))

        # The next instruction.
        met = Signal()
        # In the order of `Condition`.
        conditions = Cat(1, accumulator == 0, carry, self.conditions[3:])
        m.d.comb += met.eq(conditions.bit_select(word[10:13], 1) ^ word[13])
        m.d.comb += after.eq(here + 1)
        m.d.comb += follows.eq(after)
        with m.If(word[15]):
            with m.If(met):
                m.d.comb += follows.eq(word[:bits])
        with m.Elif(op == Opcode.RETURN):
            m.d.comb += follows.eq(back)
        # The next word is read while this one acts, so a jump costs no cycle more.
        m.d.comb += fetch.addr.eq(follows)
        m.d.comb += fetch.en.eq(acting)
        with m.If(acting):
            m.d.sync += here.eq(follows)
            with m.If(word[15] & word[14]):
                m.d.sync += back.eq(after)
        return m

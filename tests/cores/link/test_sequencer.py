import pytest
from amaranth.hdl import Cat
from amaranth.sim import Simulator

from cores.link.assembler import Assembler, Condition, Input, Variable
from cores.link.sequencer import Sequencer

SHOW, SLOT, HALT = 0, 7, 24
PORTS = 6
CYCLES = 400


def shown(program, *, variables=bytes(256), received=b"", inputs=(), conditions=0):
    """What a program gives to port SHOW until it writes port HALT."""
    a = Assembler()
    a.load(0)
    program(a)
    a.out(HALT)
    dut = Sequencer(a.assemble(), variables=variables, ports=PORTS, strobes=HALT + 1)
    found = []

    async def drive(ctx):
        rest = list(received)
        ctx.set(dut.inputs, sum(value << 8 * k for k, value in enumerate(inputs)))
        ctx.set(dut.conditions, conditions)
        for _ in range(CYCLES):
            ctx.set(dut.received, rest[0] if rest else 0)
            *_, strobe, data, following = await ctx.tick().sample(
                Cat(dut.strobe), dut.data, dut.next
            )
            if following:
                rest.pop(0)
            assert strobe in (0, 1 << SHOW, 1 << SLOT, 1 << HALT)
            if strobe == 1 << SHOW:
                found.append(data)
            elif strobe == 1 << SLOT:
                ctx.set(dut.slot, data & 1)
            elif strobe:
                return
        raise AssertionError(f"the program must end in {CYCLES} cycles")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def test_sums_carry_from_byte_to_byte():
    def program(a):
        # 0x12F0 + 0x0234 = 0x1524; 0x1234 - 0x0256 = 0x0FDE
        for first, second, operation in ((0x12F0, 0x0234, a.add), (0x1234, 0x0256, a.sub)):
            for k in range(2):
                a.load(first >> 8 * k & 0xFF)
                operation(second >> 8 * k & 0xFF, carry=k > 0)
                a.out(SHOW)
        a.load(0b1100_1010)
        a.mask(0b0110_0110)
        a.out(SHOW)

    assert shown(program) == [0x24, 0x15, 0xDE, 0x0F, 0b0100_0010]


@pytest.mark.parametrize(("a", "b"), [(5, 4), (5, 5), (5, 6), (0, 255), (255, 0)])
def test_a_difference_carries_unless_it_is_negative(a, b):
    def program(asm):
        asm.load(a)
        asm.sub(b)
        asm.jump_if(Condition.CARRY, "not negative")
        asm.jump("shown")
        asm.label("not negative")
        asm.load(1)
        asm.out(SHOW)
        asm.label("shown")

    assert shown(program) == ([1] if a >= b else [])


def test_loading_and_storing_leave_the_carry():
    def program(a):
        a.load(255)
        a.add(1)
        a.load(7)
        a.store(Variable(3))
        a.mask(5)
        a.add(0, carry=True)
        a.out(SHOW)

    assert shown(program) == [6]


def test_loops_routines_and_both_senses_of_a_jump():
    def program(a):
        a.copy(3, Variable(9))
        a.label("loop")
        a.call("show and step")
        a.jump_unless(Condition.ZERO, "loop")
        a.jump("done")
        a.label("show and step")
        a.load(Variable(9))
        a.out(SHOW)
        a.sub(1)
        a.store(Variable(9))
        a.back()
        a.label("done")

    assert shown(program) == [3, 2, 1]


def test_variables_of_two_slots_and_by_a_table():
    def program(a):
        slotted, common = Variable(5, True), Variable(40)
        for slot in (1, 0):
            a.load(slot)
            a.out(SLOT)
            a.copy(70 + slot, slotted)
            a.copy(80 + slot, common)
        for address in (5, 21, 40, 200):
            a.load(address)
            a.table()
            a.out(SHOW)
        a.load(slotted)
        a.out(SHOW)

    variables = bytearray(256)
    variables[200] = 99
    assert shown(program, variables=bytes(variables)) == [70, 71, 80, 99, 70]


def test_received_bytes_and_ports_are_operands():
    def program(a):
        a.load(None)
        a.out(SHOW)
        a.add(None)
        a.out(SHOW)
        for k in range(PORTS):
            a.load(Input(0)[k])
            a.out(SHOW)

    assert shown(program, received=[5, 6], inputs=range(10, 16)) == [5, 11, *range(10, 16)]


@pytest.mark.parametrize("condition", [c for c in Condition if c > Condition.CARRY])
def test_conditions_from_outside(condition):
    def program(a):
        for each in Condition:
            if each > Condition.CARRY:
                a.load(each)
                a.jump_unless(each, f"not {each}")
                a.out(SHOW)
                a.label(f"not {each}")

    assert shown(program, conditions=1 << condition) == [condition]


def test_the_assembler_refuses_labels_missing_or_placed_twice_and_long_programs():
    a = Assembler()
    a.jump("nowhere")
    with pytest.raises(ValueError, match=r"^label nowhere must be placed$"):
        a.assemble()
    a.label("here")
    with pytest.raises(ValueError, match=r"^label here must be placed once$"):
        a.label("here")
    for _ in range(1024):
        a.load(0)
    with pytest.raises(ValueError, match=r"^a program must have at most 1024 words, not 1025$"):
        a.assemble()

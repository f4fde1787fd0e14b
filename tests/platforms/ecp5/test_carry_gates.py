import copy
import os

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from platforms.devices import device
from platforms.ecp5.carry_gates import fold
from platforms.out_of_context import plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools
from tests.platforms.carry_netlist import assert_same, cell, lut, module

GATE = 50
"""Net of the gate's output."""
ABOVE = 51


def adder_of(*gates, a, b=(4, 5), outputs=()):
    """Two bits of a + b and the carry out, with gates in front; inputs are nets 2, 3, ..."""
    return module([cell(0, a, b, carry_in=19), *gates], [101, 102, 100, *outputs])


def folded(design):
    changed = copy.deepcopy(design)
    fold(changed)
    assert_same(design, changed, [*range(8), 17])
    return [each["type"] for each in changed["cells"].values()]


def choice(s, a, b):
    return a if s else b


@pytest.mark.parametrize(
    "function, nets",
    [
        (choice, (6, 7, 8)),  # either order of the choice has room
        (lambda s, a, b: b if s else a, (6, 7, 8)),
        (lambda a, b, c: a and b and c, (6, 7, 8)),
        (lambda a, b: a and b, (6, 7)),
        (lambda a, b: not (a and b), (6, 7)),
        (lambda a, b: not (a or b), (6, 7)),
        (lambda a, b: a != b, (6, 7)),
        (lambda a: not a, (6,)),
        (lambda a, b: a and not b, (6, 4)),  # an input that the half has already
    ],
)
def test_a_gate_moves_into_the_half_that_it_feeds(function, nets):
    design = adder_of(lut(function, nets, result=GATE), a=(GATE, 3))
    assert folded(design) == ["CCU2C"]


def test_gates_of_both_halves_and_of_both_operands_move():
    gates = [lut(lambda a, b: a and b, (6, 7), result=GATE + k) for k in range(4)]
    assert folded(adder_of(*gates, a=(50, 51), b=(52, 53))) == ["CCU2C"]


def test_a_gate_moves_after_the_gate_behind_it():
    above = lut(lambda a, b: a and b, (6, 7), result=ABOVE)
    gate = lut(lambda a, b: a != b, (ABOVE, 8), result=GATE)
    assert folded(adder_of(gate, above, a=(GATE, 3))) == ["CCU2C"]


@pytest.mark.parametrize(
    "function, nets",
    [
        (lambda s, a, b: not (a if s else b), (6, 7, 8)),  # no quarter of the table is the carry
        (lambda a, b, c, d: a and b and c and d, (6, 7, 8, 9)),  # five inputs
    ],
)
def test_a_gate_that_has_no_room_stays(function, nets):
    assert folded(adder_of(lut(function, nets, result=GATE), a=(GATE, 3))) == ["CCU2C", "LUT4"]


@pytest.mark.parametrize(
    "a, b, outputs",
    [((GATE, GATE), (4, 5), ()), ((GATE, 3), (GATE, 5), ()), ((GATE, 3), (4, 5), (GATE,))],
)
def test_a_gate_that_feeds_something_else_stays(a, b, outputs):
    design = adder_of(lut(lambda a, b: a and b, (6, 7), result=GATE), a=a, b=b, outputs=outputs)
    assert folded(design) == ["CCU2C", "LUT4"]


def test_a_half_whose_sum_is_injected_stays():
    design = adder_of(lut(lambda a, b: a and b, (6, 7), result=GATE), a=(GATE, 3))
    design["cells"]["cell0"]["parameters"]["INJECT1_0"] = "YES"
    fold(design)
    assert len(design["cells"]) == 2


class Accumulator(Component):
    """Adds a word to what it holds, or to a word that it begins from."""

    def __init__(self, bits):
        super().__init__({"first": In(1), "start": In(bits), "i": In(bits), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        total = Signal.like(self.o)
        m.d.sync += total.eq(Mux(self.first, self.start, total) + self.i)
        m.d.comb += self.o.eq(total)
        return m


@pytest.mark.synth
def test_the_choice_in_front_of_an_accumulator_costs_nothing(tmp_path):
    plan = plan_core(Accumulator(12), device("ecp5-25f"), clock_mhz=50)
    netlist = synthesise(plan, Tools(os.environ), tmp_path)
    assert netlist.cells == {"CCU2C": 6, "TRELLIS_FF": 12}

import copy
import os

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from platforms.devices import device
from platforms.ecp5.carry_chains import tidy
from platforms.out_of_context import place_core
from platforms.tools import Tools
from tests.platforms.carry_netlist import ADD, assert_same, cell, module


def adder(bits, *, carry="0", c="0", outputs=None):
    """a + b of so many bits: a on nets 2, 3, ..., b on nets 11, 12, ...; zeros fill it up."""
    cells, results = [], []
    for number in range(-(-bits // 2)):
        at = (2 * number, 2 * number + 1)
        a = [2 + k if k < bits else "0" for k in at]
        b = [11 + k if k < bits else "0" for k in at]
        carry_in = 100 * number if number else carry
        cells.append(cell(number, a, b, carry_in=carry_in, c=c))
        results += [100 * (number + 1) + 1, 100 * (number + 1) + 2]
    return module(cells, (outputs or []) + results[:bits])


def tidied(design):
    changed = copy.deepcopy(design)
    tidy(changed)
    return changed


ODD = [*range(3), *range(9, 12)]  # the nets of both operands of three bits, from the first input


@pytest.mark.parametrize("carry", ["0", "1"])
@pytest.mark.parametrize("c", ["0", "1"])
def test_an_idle_half_makes_the_carry(carry, c):
    design = adder(3, carry=carry, c=c)
    changed = tidied(design)
    first, last = changed["cells"].values()
    assert first["connections"]["CIN"] == last["connections"]["COUT"] == ["x"]
    assert [first["connections"][p + "1"] for p in "AB"] == [[2], [11]]
    assert_same(design, changed, ODD)


def test_no_input_is_wired_to_zero():
    changed = tidied(adder(3))
    pins = [bits for each in changed["cells"].values() for bits in each["connections"].values()]
    assert ["0"] not in pins


@pytest.mark.parametrize("carry", ["0", "1"])
def test_a_chain_without_an_idle_half_keeps_its_carry(carry):
    design = adder(4, carry=carry)
    changed = tidied(design)
    first, last = changed["cells"].values()
    assert first["connections"]["CIN"] == [carry] and last["connections"]["COUT"] == ["x"]
    assert_same(design, changed, [*range(4), *range(9, 13)])


@pytest.mark.parametrize("used", [100, 200])  # of the first cell, of the last
def test_a_carry_that_is_used_stays(used):
    design = adder(3, outputs=[used])
    changed = tidied(design)
    assert changed["cells"]["cell0"]["connections"]["CIN"] == ["0"]
    assert [used] in [each["connections"]["COUT"] for each in changed["cells"].values()]
    assert_same(design, changed, ODD)


def test_a_carry_from_logic_stays():
    design = adder(3, carry=19)
    changed = tidied(design)
    assert changed["cells"]["cell0"]["connections"]["CIN"] == [19]
    assert_same(design, changed, [*ODD, 17])


@pytest.mark.parametrize("used", [False, True])
def test_a_first_half_that_stops_the_carry_needs_none(used):
    # Its carry out is A or B; its sum bit is the carry in.
    tables = (f"{0x000E:016b}", ADD)
    ends = module([cell(0, (2, 3), (11, 12), carry_in="0", tables=tables)], [102] + [101] * used)
    changed = tidied(ends)
    assert changed["cells"]["cell0"]["connections"]["CIN"] == (["0"] if used else ["x"])
    assert_same(ends, changed, [0, 1, 9, 10])


class Adders(Component):
    """Sums of so many bits."""

    def __init__(self, bits, count):
        self.bits, self.count = bits, count
        super().__init__({"i": In(bits * (count + 1)), "o": Out(bits * count)})

    def elaborate(self, platform):
        m = Module()
        for k in range(self.count):
            total = Signal(self.bits, name=f"total{k}")
            a, b = (self.i.word_select(k + j, self.bits) for j in (0, 1))
            m.d.sync += total.eq(a + b)
            m.d.comb += self.o.word_select(k, self.bits).eq(total)
        return m


@pytest.mark.synth
def test_placement_adds_cells_to_even_chains_only(tmp_path):
    target, tools = device("ecp5-25f"), Tools(os.environ)
    used = [
        place_core(Adders(bits, count), target, tools, tmp_path / f"{bits}_{count}", clock_mhz=50)
        .placed[0]
        .lut4.used
        for bits, count in ((9, 4), (9, 12), (10, 4), (10, 12))
    ]
    assert (used[1] - used[0], used[3] - used[2]) == (8 * 10, 8 * (10 + 2))

import json

import pytest

from hwgen.errors import CheckError
from hwgen.simulators.netlist import GateNetlist
from tests.hwgen.simulators.netlists import Builder


def build(*cells, ports=(("clk", "input"), ("a", "input"), ("q", "output"))):
    netlist = Builder()
    for port in ports:
        netlist.port(*port)
    for kind, pins, parameters in cells:
        netlist.cell(kind, pins, **parameters)
    return netlist


def test_counts_cells_and_knows_ports(tmp_path):
    netlist = build(
        ("LUT4", {"A": "a", "B": 0, "C": 0, "D": 0, "Z": "d"}, {"INIT": 0x5555}),
        ("TRELLIS_FF", {"CLK": "clk", "DI": "d", "Q": "q"}, {}),
        ("LUT4", {"A": "a", "Z": "unused"}, {"INIT": 2}),
    ).load(tmp_path)
    assert netlist.cells == {"LUT4": 2, "TRELLIS_FF": 1}
    assert netlist.ports["a"].driven and not netlist.ports["q"].driven
    assert len(netlist.program.ops) == 1  # nothing depends on the other table


REFUSALS = {
    "unknown type": (
        ("ALU54B", {}, {}),
        r"^cell u0 has type ALU54B, which is not modelled$",
    ),
    "parameter that is no word of the list": (
        ("TRELLIS_FF", {"CLK": "clk", "DI": "a", "Q": "q"}, {"CEMUX": "CF"}),
        r"^cell u0 of type TRELLIS_FF: CEMUX must be CE or INV or 0 or 1, not CF$",
    ),
    "number out of range": (
        ("DP16KD", {"CLKA": "clk"}, {"DATA_WIDTH_A": 8}),
        r"^cell u0 of type DP16KD: DATA_WIDTH_A must be 1 or 2 or 4 or 9 or 18 or 36, not 8$",
    ),
    "text for a number": (
        ("LUT4", {"A": "a", "Z": "q"}, {"INIT": "0x8000"}),
        r"^cell u0 of type LUT4: INIT must be a number, not '0x8000'$",
    ),
    "pin that must be constant": (
        ("MULT18X18D", {"SIGNEDA": "a", "P0": "q"}, {}),
        r"^cell u0 of type MULT18X18D: SIGNEDA must be constant$",
    ),
    "falling edge of the DSP block": (
        ("SB_MAC16", {"CLK": "clk"}, {"NEG_TRIGGER": 1}),
        r"^cell u0 of type SB_MAC16: NEG_TRIGGER must be 0, not 1$",
    ),
    "double data rate": (
        ("SB_IO", {"PACKAGE_PIN": "q", "D_OUT_0": "a"}, {"PIN_TYPE": 0b010001}),
        r"^cell u0 of type SB_IO: PIN_TYPE must be a plain or a registered output, not 010001$",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses(case, tmp_path):
    cell, message = REFUSALS[case]
    with pytest.raises(CheckError, match=message):
        build(cell).load(tmp_path)


def test_names_the_cells_of_a_combinational_loop(tmp_path):
    netlist = build(
        ("LUT4", {"A": "a", "B": "d", "Z": "c"}, {"INIT": 6}),
        ("LUT4", {"A": "c", "Z": "d"}, {"INIT": 1}),
        ("LUT4", {"A": "d", "Z": "q"}, {"INIT": 1}),
    )
    message = r"^combinational loop through cell u[01], u[01]$"
    with pytest.raises(CheckError, match=message):
        netlist.load(tmp_path)


def test_refuses_a_second_clock(tmp_path):
    ports = (("clk", "input"), ("other", "input"), ("a", "input"), ("q", "output"))
    netlist = build(
        ("TRELLIS_FF", {"CLK": "clk", "DI": "a", "Q": "d"}, {}),
        ("TRELLIS_FF", {"CLK": "other", "DI": "d", "Q": "q"}, {}),
        ports=ports,
    )
    message = (
        r"^netlist simulation needs one clock: cell u\d has (clk|other), "
        r"cell u\d has (clk|other)$"
    )
    with pytest.raises(CheckError, match=message):
        netlist.load(tmp_path)


def test_clocks_that_come_from_one_pin_are_one(tmp_path):
    netlist = build(
        ("SB_PLL40_PAD", {"PACKAGEPIN": "clk", "PLLOUTCORE": "fast", "LOCK": "lock"}, {}),
        ("SB_GB", {"USER_SIGNAL_TO_GLOBAL_BUFFER": "fast", "GLOBAL_BUFFER_OUTPUT": "wide"}, {}),
        ("SB_DFFE", {"C": "wide", "D": "a", "E": "lock", "Q": "d"}, {}),
        ("SB_DFF", {"C": "clk", "D": "d", "Q": "q"}, {}),
    ).load(tmp_path)
    assert len(netlist.program.flipflops) == 2


CLOCKS = {
    "is read as data": (
        (("SB_DFF", {"C": "clk", "D": "clk", "Q": "q"}, {}),),
        r"^clock clk is read as data$",
    ),
    "is made by logic": (
        (
            ("SB_LUT4", {"I0": "clk", "I1": "a", "O": "gated"}, {"LUT_INIT": 8}),
            ("SB_DFF", {"C": "gated", "D": "a", "Q": "q"}, {}),
        ),
        r"^the clock of cell u1 is made by logic$",
    ),
    "is constant": (
        (("SB_DFF", {"C": 0, "D": "a", "Q": "q"}, {}),),
        r"^the clock of cell u0 is constant$",
    ),
}


@pytest.mark.parametrize("case", CLOCKS)
def test_refuses_a_clock_that(case, tmp_path):
    cells, message = CLOCKS[case]
    with pytest.raises(CheckError, match=message):
        build(*cells).load(tmp_path)


def test_refuses_a_net_without_driver(tmp_path):
    netlist = build(("LUT4", {"A": "nowhere", "Z": "q"}, {"INIT": 1}))
    with pytest.raises(CheckError, match=r"^net nowhere is read but nothing drives it$"):
        netlist.load(tmp_path)


def test_refuses_a_net_with_two_drivers(tmp_path):
    netlist = build(
        ("LUT4", {"A": "a", "Z": "q"}, {"INIT": 1}),
        ("LUT4", {"A": "a", "Z": "q"}, {"INIT": 2}),
    )
    with pytest.raises(CheckError, match=r"^cell u1 drives a net that is driven already$"):
        netlist.load(tmp_path)


def test_refuses_a_file_without_a_single_top(tmp_path):
    path = tmp_path / "two.json"
    module = {"ports": {}, "cells": {}, "netnames": {}}
    path.write_text(json.dumps({"modules": {"a": module, "b": module}}))
    with pytest.raises(CheckError, match=r"^two\.json must hold one top module, not a, b$"):
        GateNetlist.load(path, "ecp5")

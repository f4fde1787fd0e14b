import os

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal

from platforms.devices import device
from platforms.toolchain import (
    CapacityError,
    Netlist,
    Plan,
    pack,
    place_and_route,
    synthesise,
)
from platforms.tools import StepError, Tools

CELLS = '{"a": {"type": "SB_LUT4"}, "b": {"type": "SB_DFF"}, "c": {"type": "SB_LUT4"}}'


@pytest.fixture
def fake(tmp_path):
    """Tools that are shell scripts; each first notes its arguments."""

    def make(**scripts):
        environment = {"PATH": os.defpath}
        for name, lines in scripts.items():
            program = tmp_path / f"fake_{name}"
            program.write_text(f'#!/bin/sh\necho "$@" > {name}.args\n{lines}\n')
            program.chmod(0o755)
            environment[name.upper()] = str(program)
        return Tools(environment)

    return make


def plan(name: str, **fields) -> Plan:
    return Plan(device(name), "module \\top\nend\n", 24.0, **fields)


def yosys(log: str, cells: str = "{}") -> str:
    design = f'{{"modules": {{"top": {{"cells": {cells}, "ports": {{}}}}}}}}'
    return f"echo '{design}' > top.json; echo '{log}' > yosys.log"


def test_synthesis_of_ice40_names_its_kind_and_never_infers_multipliers(fake, tmp_path):
    kinds = {}
    for name in ("up5k", "hx1k", "lp8k"):
        synthesise(plan(name), fake(yosys=yosys("")), tmp_path)
        script = (tmp_path / "top.ys").read_text()
        assert "-dsp" not in script
        kinds[name] = next(line for line in script.splitlines() if "synth_" in line)
    assert kinds == {
        "up5k": "synth_ice40 -device u -top top",
        "hx1k": "synth_ice40 -device hx -top top",
        "lp8k": "synth_ice40 -device lp -top top",
    }


def test_synthesis_of_ecp5_finds_carries_before_flattening(fake, tmp_path):
    synthesise(plan("ecp5-25f"), fake(yosys=yosys("")), tmp_path)
    lines = (tmp_path / "top.ys").read_text().splitlines()
    assert lines.index("alumacc") < lines.index("flatten")
    assert "synth_ecp5 -nodsp -nowidelut -top top" in lines[lines.index("flatten") :]


def test_synthesis_makes_the_folder_and_counts_cells(fake, tmp_path):
    netlist = synthesise(plan("up5k"), fake(yosys=yosys("", CELLS)), tmp_path / "a" / "b")
    assert netlist.path == tmp_path / "a" / "b" / "top.json"
    assert netlist.cells == {"SB_LUT4": 2, "SB_DFF": 1}


def test_dropped_driver_fails_the_build(fake, tmp_path):
    line = "Warning: Driver-driver conflict for y between cell q and constant. Resolved."
    with pytest.raises(StepError) as caught:
        synthesise(plan("up5k"), fake(yosys=yosys(line)), tmp_path)
    assert str(caught.value) == f"synthesis failed: {line} (see {tmp_path / 'yosys.log'})"


@pytest.mark.synth
def test_log_is_complete(tmp_path):
    # The WebAssembly build prints nothing more once it has run abc.
    synthesise(plan("ecp5-25f"), Tools(os.environ), tmp_path)
    assert "End of script" in (tmp_path / "yosys.log").read_text()


@pytest.mark.synth
def test_wires_named_like_bits_of_others_stay_apart(tmp_path):
    # abc9 mixes them up: it ends without a word, or in an assertion.
    m = Module()
    x, y, choice = Signal(8), Signal(8), Signal(2)
    word, element = Signal(4, name="a"), Signal(8, name="a[0]")
    m.d.sync += [word.eq(x[:4] + y[4:]), element.eq(x ^ (y << 1))]
    z = Signal(8)
    m.d.comb += z.eq(Mux(choice == 2, word & element, word | ~element))
    text = rtlil.convert(m, name="top", ports=[x, y, choice, z])
    netlist = synthesise(Plan(device("ecp5-25f"), text, 24.0), Tools(os.environ), tmp_path)
    assert netlist.cells["LUT4"] > 8


def netlist(tmp_path) -> Netlist:
    return Netlist(tmp_path / "top.json", {}, 0.0)


def report_of(family: str) -> str:
    cells = ("ICESTORM_LC",) if family == "ice40" else ("TRELLIS_COMB", "TRELLIS_FF")
    used = ", ".join(f'"{cell}": {{"used": 1, "available": 2}}' for cell in cells)
    return f'{{"utilization": {{{used}}}, "fmax": {{}}, "critical_paths": []}}'


def test_placement_gets_device_clock_seed_and_constraints(fake, tmp_path):
    tools = fake(nextpnr_ice40=f"echo '{report_of('ice40')}' > top.report.json")
    routed = place_and_route(
        plan("up5k", constraints="set_io a 1\n"), netlist(tmp_path), tools, seed=7
    )
    assert (tmp_path / "nextpnr_ice40.args").read_text() == (
        "--up5k --package sg48 --json top.json --pcf top.pcf --freq 24.000000 --seed 7 "
        "--report top.report.json --timing-allow-fail --asc top.asc\n"
    )
    assert (tmp_path / "top.pcf").read_text() == "set_io a 1\n"
    assert routed.path == tmp_path / "top.asc"
    assert routed.placed.lut4.used == 1


def test_without_constraints_every_pin_is_free(fake, tmp_path):
    tools = fake(nextpnr_ecp5=f"echo '{report_of('ecp5')}' > top.report.json")
    place_and_route(plan("ecp5-25f"), netlist(tmp_path), tools)
    arguments = (tmp_path / "nextpnr_ecp5.args").read_text()
    assert arguments.startswith("--25k --package CABGA381 --speed 6 --json top.json ")
    assert "--lpf-allow-unconstrained" in arguments
    assert arguments.endswith("--placer-heap-timingweight 30 --textcfg top.config\n")


def test_design_too_large_says_by_how_much(fake, tmp_path):
    tools = fake(
        nextpnr_ice40="echo 'Info: 	 ICESTORM_LC:  6000/  5280   113%'\n"
        "echo 'Info: 	 ICESTORM_RAM:  12/  30   40%'\n"
        "echo 'ERROR: Unable to place cell'; exit 1"
    )
    with pytest.raises(CapacityError) as caught:
        place_and_route(plan("up5k"), netlist(tmp_path), tools)
    assert caught.value.excess == {"lut4": (6000, 5280)}
    log = tmp_path / "nextpnr.log"
    assert str(caught.value) == f"place and route failed: lut4 needs 6000 of 5280 (see {log})"


def test_other_failures_of_placement_stay_as_they_are(fake, tmp_path):
    tools = fake(nextpnr_ice40="echo 'ERROR: bad pin'; exit 1")
    with pytest.raises(StepError, match=r"^place and route failed: ERROR: bad pin ") as caught:
        place_and_route(plan("up5k"), netlist(tmp_path), tools)
    assert not isinstance(caught.value, CapacityError)


@pytest.mark.parametrize(
    ("name", "packer", "arguments"),
    [
        ("up5k", "icepack", "top.asc top.bin"),
        ("ecp5-25f", "ecppack", "--compress --input top.config --bit top.bit"),
    ],
)
def test_packing(fake, tmp_path, name, packer, arguments):
    family = device(name).family
    nextpnr = {f"nextpnr_{family}": f"echo '{report_of(family)}' > top.report.json"}
    tools = fake(**nextpnr, **{packer: ""})
    options = ("--compress",) if family == "ecp5" else ()
    the_plan = plan(name, pack_options=options)
    bitstream = pack(the_plan, place_and_route(the_plan, netlist(tmp_path), tools), tools)
    assert (tmp_path / f"{packer}.args").read_text() == arguments + "\n"
    assert bitstream == tmp_path / arguments.split()[-1]

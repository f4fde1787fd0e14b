import json

import pytest

from platforms.ecp5 import usage as ecp5_usage
from platforms.ice40 import usage as ice40_usage
from platforms.pnr_report import Usage, read_report, utilisation_in_log

ICE40 = {
    "ICESTORM_LC": {"used": 100, "available": 5280},
    "ICESTORM_RAM": {"used": 3, "available": 30},
    "ICESTORM_SPRAM": {"used": 1, "available": 4},
    "ICESTORM_DSP": {"used": 2, "available": 8},
}
ECP5 = {
    "TRELLIS_COMB": {"used": 100, "available": 24288},
    "TRELLIS_FF": {"used": 50, "available": 24288},
    "DP16KD": {"used": 3, "available": 56},
    "MULT18X18D": {"used": 2, "available": 28},
}
PATH = {
    "from": "posedge clk",
    "to": "posedge clk",
    "path": [
        {"type": "clk-to-q", "delay": 0.5, "to": {"cell": "a", "port": "Q", "loc": [1, 2]}},
        {
            "type": "routing",
            "delay": 1.25,
            "net": "n",
            "to": {"cell": "b", "port": "D", "loc": [3, 4]},
        },
    ],
}


@pytest.fixture
def report(tmp_path):
    def write(utilisation, fmax, paths=()):
        data = {"utilization": utilisation, "fmax": fmax, "critical_paths": list(paths)}
        (tmp_path / "report.json").write_text(json.dumps(data))
        return tmp_path / "report.json"

    return write


def test_flip_flops_and_carries_of_ice40_come_from_the_netlist(report):
    cells = {"SB_LUT4": 60, "SB_DFF": 10, "SB_DFFESR": 20, "SB_CARRY": 15, "SB_IO": 2}
    placed = read_report(report(ICE40, {}), cells, ice40_usage)
    assert placed.lut4 == Usage(100, 5280)
    assert placed.ff == Usage(30, 5280)
    assert placed.carry == Usage(15, 5280)
    assert (placed.ram_blocks, placed.spram, placed.dsp) == (Usage(3, 30), Usage(1, 4), Usage(2, 8))


def test_carries_of_ecp5_are_pairs_of_cells(report):
    placed = read_report(report(ECP5, {}), {"CCU2C": 9, "TRELLIS_FF": 48}, ecp5_usage)
    assert placed.lut4 == Usage(100, 24288)
    assert placed.ff == Usage(50, 24288)
    assert placed.carry == Usage(9, 12144)
    assert placed.spram == Usage(0, 0)


def test_clock_with_the_least_margin_counts(report):
    fmax = {
        "slow": {"achieved": 40.0, "constraint": 12.0},
        "clk": {"achieved": 60.0, "constraint": 50.0},
    }
    placed = read_report(report(ECP5, fmax, [PATH]), {}, ecp5_usage)
    assert (placed.clock_mhz, placed.fmax_mhz) == (50, 60)
    assert placed.meets_timing


def test_missed_clock_is_data(report):
    fmax = {"clk": {"achieved": 49.9, "constraint": 50.0}}
    assert not read_report(report(ECP5, fmax), {}, ecp5_usage).meets_timing


def test_critical_path_lies_inside_that_clock(report):
    other = {"from": "posedge clk", "to": "<async>", "path": PATH["path"][:1]}
    fmax = {"clk": {"achieved": 60.0, "constraint": 50.0}}
    assert read_report(report(ECP5, fmax, [other, PATH]), {}, ecp5_usage).critical_path == (
        "  0.50 ns clk-to-q a.Q at 1,2\n  1.25 ns routing  b.D at 3,4 by n"
    )


def test_carry_chain_is_one_line(report):
    hops = [
        {"type": "logic", "delay": 0.25, "to": {"cell": f"c{k}", "port": port, "loc": [5, 6]}}
        for k in (1, 2)
        for port in ("CIN", "COUT")
    ]
    path = PATH | {"path": [*PATH["path"], *hops, PATH["path"][0]]}
    fmax = {"clk": {"achieved": 60.0, "constraint": 50.0}}
    lines = read_report(report(ICE40, fmax, [path]), {}, ice40_usage).critical_path.splitlines()
    assert lines[2:] == [
        "  1.00 ns carry    c2.COUT at 5,6 in 4 steps",
        "  0.50 ns clk-to-q a.Q at 1,2",
    ]


def test_design_without_flip_flops_has_no_clock(report):
    placed = read_report(report(ICE40, {}), {}, ice40_usage)
    assert (placed.clock_mhz, placed.fmax_mhz, placed.critical_path) == (None, None, "")
    assert placed.meets_timing


def test_log_tells_what_did_not_fit():
    log = (
        "Info: Device utilisation:\n"
        "Info: \t         ICESTORM_LC:    6000/   5280   113%\n"
        "Info: \t        ICESTORM_RAM:      31/     30   103%\n"
        "ERROR: Unable to place cell 'x', no Bels remaining of type 'ICESTORM_LC'\n"
    )
    usage = utilisation_in_log(log, ice40_usage)
    assert usage["lut4"] == Usage(6000, 5280)
    assert usage["ram_blocks"] == Usage(31, 30)


def test_log_that_ends_early_tells_nothing():
    assert utilisation_in_log("ERROR: Failed to open file\n", ice40_usage) == {}

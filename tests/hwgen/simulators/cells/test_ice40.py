import numpy as np
import pytest

from tests.hwgen.simulators.cells.cell_models import Bench

pytestmark = pytest.mark.synth

LIBRARY = "-D ICE40_U -D EQUIV +/ice40/cells_sim.v"
DFFS = [
    (edge, enable, kind)
    for edge in ("", "N")
    for enable in ("", "E")
    for kind in ("", "SR", "SS", "R", "S")
]
MAC_FLAGS = (
    *("A_REG", "B_REG", "C_REG", "D_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG"),
    *("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2", "TOPADDSUB_UPPERINPUT"),
    *("BOTADDSUB_UPPERINPUT", "A_SIGNED", "B_SIGNED"),
)
MAC_CHOICES = tuple(
    f"{half}{field}"
    for half in ("TOP", "BOT")
    for field in ("OUTPUT_SELECT", "ADDSUB_LOWERINPUT", "ADDSUB_CARRYSELECT")
)
MAC_CONTROLS = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"),
    *("OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT"),
    *("CI", "ACCUMCI", "SIGNEXTIN"),
)


@pytest.fixture
def compare(cache, tools, tmp_path):
    def run(bench, cycles):
        bench.compare(LIBRARY, cycles=cycles, cache=cache, tools=tools, folder=tmp_path)

    return run


def test_logic_and_flipflops(compare):
    rng, bench = np.random.default_rng(1), Bench()
    for _ in range(20):
        table = {"LUT_INIT": f"16'd{rng.integers(1 << 16)}"}
        bench.add("SB_LUT4", table, {f"I{k}": 1 for k in range(4)}, {"O": 1})
    bench.add("SB_CARRY", {}, {"I0": 1, "I1": 1, "CI": 1}, {"CO": 1})
    for edge, enable, kind in DFFS:
        inputs = {"D": 1} | ({"E": 1} if enable else {}) | ({kind[-1]: 1} if kind else {})
        cell = f"SB_DFF{edge}{enable}{kind}"
        bench.add(cell, {}, inputs, {"Q": 1}, clocks=["C"], rare=["R", "S"])
    compare(bench, 60)


def test_block_ram_in_every_width(compare):
    rng, bench = np.random.default_rng(2), Bench()
    for read in range(4):
        for write in (read, (read + 1) % 4):
            parameters = {"READ_MODE": read, "WRITE_MODE": write} | {
                f"INIT_{k:X}": f"256'h{rng.bytes(32).hex()}" for k in range(16)
            }
            inputs = {"RCLKE": 1, "RE": 1, "RADDR": 11, "WCLKE": 1, "WE": 1, "WADDR": 11}
            inputs |= {"MASK": 16, "WDATA": 16}
            falling = ("", "NR", "NW", "NRNW")[(read + 2 * write) % 4]
            clocks = ["RCLKN" if "NR" in falling else "RCLK"]
            clocks += ["WCLKN" if "NW" in falling else "WCLK"]
            cell = f"SB_RAM40_4K{falling}"
            bench.add(cell, parameters, inputs, {"RDATA": 16}, clocks=clocks)
    compare(bench, 200)


@pytest.mark.parametrize("seed", range(2))
def test_dsp_with_random_registers_and_adders(compare, seed):
    rng, bench = np.random.default_rng(seed), Bench()
    words = {"A": 16, "B": 16, "C": 16, "D": 16, "CE": 1}
    for n in range(10):
        parameters = {name: f"1'd{rng.integers(2)}" for name in MAC_FLAGS}
        parameters |= {name: f"2'd{rng.integers(4)}" for name in MAC_CHOICES}
        parameters["MODE_8x8"] = f"1'd{n % 2}"
        if n % 3 == 0:  # the shapes that cores use: product registers all on or all off
            level = parameters["TOP_8x8_MULT_REG"]
            parameters |= {"BOT_8x8_MULT_REG": level, "PIPELINE_16x16_MULT_REG1": level}
        controls = dict.fromkeys(MAC_CONTROLS, 1)
        tied = {}
        if n % 6 == 0:
            tied = {"IRSTTOP": "1'b0", "IRSTBOT": "1'b0"}
            controls = {name: 1 for name in MAC_CONTROLS if name not in tied}
        outputs = {"O": 32, "CO": 1, "ACCUMCO": 1, "SIGNEXTOUT": 1}
        bench.add(
            "SB_MAC16",
            parameters,
            words | controls,
            outputs,
            clocks=["CLK"],
            rare=MAC_CONTROLS,
            tied=tied,
        )
    compare(bench, 60)

import json

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from tests.hwgen.simulators.cells.cell_models import Bench
from tests.hwgen.simulators.netlists import Builder, family_of, synthesise

LIBRARY = "-D NO_INCLUDES +/ecp5/cells_sim.v"


@pytest.fixture
def compare(cache, tools, tmp_path):
    def run(bench, cycles):
        bench.compare(LIBRARY, cycles=cycles, cache=cache, tools=tools, folder=tmp_path)

    return run


@pytest.mark.synth
def test_logic_and_carry(compare):
    rng, bench = np.random.default_rng(1), Bench()
    for _ in range(20):
        table = {"INIT": f"16'd{rng.integers(1 << 16)}"}
        bench.add("LUT4", table, dict.fromkeys("ABCD", 1), {"Z": 1})
    bench.add("PFUMX", {}, {"ALUT": 1, "BLUT": 1, "C0": 1}, {"Z": 1})
    bench.add("L6MUX21", {}, {"D0": 1, "D1": 1, "SD": 1}, {"Z": 1})
    for first in ("YES", "NO"):
        for second in ("YES", "NO"):
            for _ in range(6):
                parameters = {f"INIT{k}": f"16'd{rng.integers(1 << 16)}" for k in (0, 1)}
                parameters |= {"INJECT1_0": f'"{first}"', "INJECT1_1": f'"{second}"'}
                inputs = {f"{name}{k}": 1 for name in "ABCD" for k in (0, 1)} | {"CIN": 1}
                bench.add("CCU2C", parameters, inputs, {"S0": 1, "S1": 1, "COUT": 1})
    # The models' harness needs a clock.
    bench.add("TRELLIS_FF", {}, {"DI": 1}, {"Q": 1}, clocks=["CLK"], tied={"LSR": "1'b0"})
    compare(bench, 60)


@pytest.mark.synth
def test_flipflops_in_every_mode(compare):
    bench = Bench()
    for enable in ("CE", "INV", "0", "1"):
        for reset in ("LSR", "INV"):
            for clock in ("CLK", "INV"):
                for mode in ("LSR_OVER_CE", "ASYNC"):
                    for value in ("SET", "RESET"):
                        parameters = {
                            "CEMUX": f'"{enable}"',
                            "LSRMUX": f'"{reset}"',
                            "CLKMUX": f'"{clock}"',
                            "SRMODE": f'"{mode}"',
                            "REGSET": f'"{value}"',
                        }
                        inputs = {"DI": 1, "CE": 1, "LSR": 1}
                        bench.add("TRELLIS_FF", parameters, inputs, {"Q": 1}, clocks=["CLK"])
    compare(bench, 60)


@pytest.mark.synth
def test_distributed_ram(compare):
    rng, bench = np.random.default_rng(3), Bench()
    for clock in ("WCK", "INV"):
        for write in ("WRE", "INV", "0", "1"):
            parameters = {
                "WCKMUX": f'"{clock}"',
                "WREMUX": f'"{write}"',
                "INITVAL": f"64'h{rng.bytes(8).hex()}",
            }
            inputs = {"DI": 4, "WAD": 4, "WRE": 1, "RAD": 4}
            bench.add("TRELLIS_DPR16X4", parameters, inputs, {"DO": 4}, clocks=["WCK"])
    compare(bench, 100)


def words(values, width):
    """Unsigned words of (lanes, cycles) as payloads of up to eight bytes."""
    size = -(-width // 8)
    masked = np.asarray(values, np.int64) & ((1 << width) - 1)
    return masked.astype("<u8")[..., None].view(np.uint8)[..., :size]


def numbers(payloads, width, *, signed):
    """The inverse of `words`."""
    full = np.zeros((*payloads.shape[:-1], 8), np.uint8)
    full[..., : payloads.shape[-1]] = payloads
    values = full.view("<i8")[..., 0]
    return (values ^ 1 << width - 1) - (1 << width - 1) if signed else values


REGISTERS = {
    0: {},
    1: {"REG_OUTPUT_CLK": "CLK0"},
    2: {"REG_INPUTA_CLK": "CLK0", "REG_INPUTB_CLK": "CLK0", "REG_OUTPUT_CLK": "CLK0"},
    3: {
        "REG_INPUTA_CLK": "CLK0",
        "REG_INPUTB_CLK": "CLK0",
        "REG_PIPELINE_CLK": "CLK0",
        "REG_OUTPUT_CLK": "CLK0",
    },
}


@pytest.mark.parametrize("signs", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("latency", REGISTERS)
def test_multiplier_multiplies(signs, latency, cache, tmp_path):
    netlist = Builder()
    product = netlist.bits("p", 36)
    netlist.stream(36, 36, product)
    a, b = (netlist.bits("i__payload", 36)[18 * k : 18 * k + 18] for k in (0, 1))
    pins = {f"A{k}": bit for k, bit in enumerate(a)} | {f"B{k}": bit for k, bit in enumerate(b)}
    pins |= {f"P{k}": bit for k, bit in enumerate(product)}
    pins |= {"SIGNEDA": signs[0], "SIGNEDB": signs[1], "CLK0": "clk", "CE0": 1, "RST0": 0}
    netlist.cell("MULT18X18D", pins, **REGISTERS[latency])
    simulator = NetlistSimulator(netlist.load(tmp_path), cache=cache, lanes=64)

    rng = np.random.default_rng(latency)
    low = [-8 if sign else 0 for sign in signs]
    small = np.stack(np.meshgrid(*(np.arange(n, n + 16) for n in low)), -1).reshape(-1, 2)
    wide_low = np.array([-(1 << 17) if sign else 0 for sign in signs])
    wide = rng.integers(wide_low, wide_low + (1 << 18), (768, 2))
    wide[0] = wide_low  # the corners
    wide[1] = wide_low + (1 << 18) - 1
    operands = np.concatenate([small, wide]).reshape(64, 16, 2)
    padded = np.concatenate([operands, np.zeros((64, latency, 2), np.int64)], axis=1)
    packed = (padded[..., 0] & 0x3FFFF) | (padded[..., 1] & 0x3FFFF) << 18
    run = simulator.run(words(packed, 36), 16 + latency)
    got = numbers(run.beats, 36, signed=any(signs))[:, latency:]
    assert (got == operands.prod(axis=2)).all()


def test_multiplier_registers_wait_for_their_enable(cache, tmp_path):
    netlist = Builder()
    product = netlist.bits("p", 36)
    netlist.stream(10, 36, product)
    i = netlist.bits("i__payload", 10)
    pins = {f"A{k}": i[k] for k in range(4)} | {f"B{k}": i[4 + k] for k in range(4)}
    pins |= {f"P{k}": bit for k, bit in enumerate(product)}
    pins |= {"SIGNEDA": 0, "SIGNEDB": 0, "CLK0": "clk", "CE0": 1, "CE1": i[8], "RST1": i[9]}
    netlist.cell(
        "MULT18X18D",
        pins,
        REG_OUTPUT_CLK="CLK0",
        REG_OUTPUT_CE="CE0",
        REG_OUTPUT_RST="RST1",
        REG_INPUTA_CLK="CLK0",
        REG_INPUTA_CE="CE1",
    )
    simulator = NetlistSimulator(netlist.load(tmp_path), cache=cache, lanes=64)
    # a, b, enable of a's register, reset of the product's
    steps = [(3, 5, 1, 0), (4, 5, 0, 0), (6, 7, 1, 0), (0, 9, 1, 1), (0, 2, 0, 0), (0, 0, 0, 0)]
    payloads = words([[a | b << 4 | e << 8 | r << 9 for a, b, e, r in steps]], 10)
    got = numbers(simulator.run(payloads, len(steps)).beats[0], 36, signed=False)
    assert got.tolist() == [0, 0, 15, 21, 0, 0]


class Rom(wiring.Component):
    """A block RAM's worth of constants."""

    def __init__(self, contents, width):
        self._contents, self._width = contents, width
        super().__init__(
            {
                "i": In(stream.Signature(range(len(contents)))),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        attrs = {"ram_style": "block"}
        m.submodules.memory = memory = Memory(
            shape=self._width, depth=len(self._contents), init=self._contents, attrs=attrs
        )
        port = memory.read_port()
        m.d.comb += [port.addr.eq(self.i.payload), self.o.payload.eq(port.data)]
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(1)]
        return m


# What yosys knows of the block RAM, restricted to ports of one width.
MAPPING = """\
ram block $__DP16KD_ {
    abits 14;
    widths 1 2 4 9 18 per_port;
    byte 9;
    init no_undef;
    port srsw "A" "B" {
        width WIDTH;
        clock anyedge;
        clken;
        wrbe_separate;
        portoption "WRITEMODE" "NORMAL" { rdwr no_change; }
        option "RESETMODE" "SYNC" { rdsrst zero ungated block_wr; }
        rdinit zero;
    }
}
"""


@pytest.mark.synth
@pytest.mark.parametrize(
    "depth, width", [(16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36)]
)
def test_block_ram_holds_its_contents_in_every_width(depth, width, cache, tools, tmp_path):
    contents = np.random.default_rng(width).integers(0, 1 << width, depth)
    library = "+/lattice/brams_16kd.txt"
    if width < 18:
        library = "mapping.txt"
        (tmp_path / library).write_text(MAPPING.replace("WIDTH", str(width)))
    command = (
        f"hierarchy; proc; flatten; opt; memory -nomap; memory_libmap -lib {library}; "
        "techmap -map +/lattice/brams_map_16kd.v; synth_ecp5"
    )
    path = synthesise(Rom(contents.tolist(), width), command, tools, tmp_path)
    netlist = GateNetlist.load(path, "ecp5")
    parameters = next(
        cell["parameters"]
        for cell in json.loads(path.read_text())["modules"]["top"]["cells"].values()
        if cell["type"] == "DP16KD"
    )
    assert width in {int(parameters[f"DATA_WIDTH_{side}"], 2) for side in "AB"}
    simulator = NetlistSimulator(netlist, cache=cache, lanes=512)
    addresses = np.arange(depth).reshape(512, -1)
    padded = np.concatenate([addresses, addresses[:, :1]], axis=1)
    beats = simulator.run(words(padded, depth.bit_length() - 1), padded.shape[1]).beats[:, 1:]
    assert (numbers(beats, width, signed=False) == contents[addresses]).all()


class Rams(wiring.Component):
    """Memories written and read at random, with a write enable per byte of nine bits."""

    i: In(stream.Signature(StructLayout({"w": 9, "r": 9, "en": 4, "data": 36, "read": 1})))
    o: Out(stream.Signature(36 + 9 + 18))

    def elaborate(self, platform):
        m = Module()
        words, i = [], self.i.payload
        for width, granularity in ((36, 9), (9, 9), (18, 18)):
            memory = Memory(
                shape=width,
                depth=512,
                init=[3 * k % 512 for k in range(512)],
                attrs={"ram_style": "block"},
            )
            m.submodules[f"ram{width}"] = memory
            write = memory.write_port(granularity=granularity)
            read = memory.read_port()
            m.d.comb += [
                write.addr.eq(i.w % 16),
                write.en.eq(i.en),
                write.data.eq(i.data),
                read.addr.eq(i.r % 16),
                read.en.eq(i.read),
            ]
            words.append(read.data)
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(1), self.o.payload.eq(Cat(words))]
        return m


@pytest.mark.synth
@pytest.mark.parametrize("command", ["synth_ecp5", "synth_ice40"])
def test_block_ram_reads_what_was_written(command, cache, tools, tmp_path):
    netlist = GateNetlist.load(synthesise(Rams(), command, tools, tmp_path), family_of(command))
    assert netlist.cells.get("DP16KD", 0) + netlist.cells.get("SB_RAM40_4K", 0) >= 3
    simulator = NetlistSimulator(netlist, cache=cache, lanes=64)
    payloads = np.random.default_rng(3).integers(0, 256, (20, 200, 8), np.uint8)
    payloads[..., 7] &= 7  # 59 bits
    ours = simulator.run(payloads, 200).beats
    rtl = CompiledSimulator(Rams(), cache=cache, tools=tools)
    for lane in range(len(payloads)):
        assert (rtl.run(payloads[lane], 200).beats == ours[lane]).all()

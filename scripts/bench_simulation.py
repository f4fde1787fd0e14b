"""Speed of the simulators on one accelerator: four layers of 64 x 64, 4-bit, thresholds between.

python -m scripts.bench_simulation [--fold N] [--netlist ecp5|ice40 ...] [FOLDER]
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from amaranth.hdl import Value as HdlValue
from amaranth.sim import Simulator

from cores.mvau import MatVec
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.builder import Accelerator
from hwgen.graph.ir import Graph, Node, Value
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.frame_driver import FrameDriver
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from hwgen.timing.adapters import insert_buffers, insert_width_converters
from platforms import rtlil
from platforms.devices import device
from platforms.tools import Tools

LAYERS, SIZE, BITS = 4, 64, 4
_SYNTHESIS = {
    "ecp5": "synth_ecp5 -nodsp -nowidelut -top top",
    "ice40": "synth_ice40 -device u -top top",
}


def accelerator(fold: int) -> tuple[Accelerator, Graph]:
    """Random weights and thresholds, every layer folded by `fold` each way; its graph."""
    rng = np.random.default_rng(0)
    dtype = IntType.bits(BITS, signed=False)
    value, nodes = Value("x", ""), []
    for k in range(LAYERS):
        layer = MatVec(rng.integers(-7, 8, (SIZE, SIZE)), dtype, pe=fold, simd=fold)
        nodes.append(Node(f"fc{k}", layer, (value,)))
        sums = layer.outputs["o"].dtype
        starts = np.sort(rng.integers(sums.lo // 4, sums.hi // 4, (SIZE, dtype.hi)), axis=1)
        steps = MultiThreshold((SIZE,), sums, starts, np.arange(dtype.hi + 1)[None], pe=fold)
        nodes.append(Node(f"th{k}", steps, (nodes[-1].out,)))
        value = nodes[-1].out
    entry = {"x": StreamType((SIZE,), dtype, lanes=fold)}
    graph = Graph(entry, tuple(nodes), {"y": value}, name="mlp")
    graph = insert_buffers(insert_width_converters(graph), device("ecp5-85f"))
    return Accelerator(graph), graph


def compute(graph: Graph, x: np.ndarray) -> np.ndarray:
    for node in graph:
        x = node.op.compute(x)
    return x


def interpreted(design: Accelerator, cycles: int) -> float:
    """Cycles per second of Amaranth's simulator, with a beat offered and taken in every cycle."""
    simulator = Simulator(design)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        rng = np.random.default_rng(1)
        ctx.set(design.o.ready, 1)
        ctx.set(design.i.valid, 1)
        for _ in range(cycles):
            payload = int.from_bytes(rng.bytes(8), "little") % (1 << len(design.i.payload))
            ctx.set(HdlValue.cast(design.i.payload), payload)
            await ctx.tick()

    simulator.add_testbench(bench)
    start = time.perf_counter()
    simulator.run()
    return cycles / (time.perf_counter() - start)


def compiled(
    what: str, make: Callable[[], FrameDriver], design: Accelerator, graph: Graph, *, frames: int
) -> float:
    """Cycles per second of a compiled simulator."""
    start = time.perf_counter()
    simulator = make()
    print(f"{what}: ready after {time.perf_counter() - start:.1f} s")
    x = np.random.default_rng(2).integers(0, 1 << BITS, (frames, SIZE))
    start = time.perf_counter()
    y, run = simulator.run_tensor(x, design.input_type, design.output_type)
    seconds = time.perf_counter() - start
    assert (y == compute(graph, x)).all()
    return run.cycles / seconds


def netlist(
    design: Accelerator, graph: Graph, family: str, *, folder: Path, cache: Path, tools: Tools
) -> None:
    folder = folder / family
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.il").write_text(rtlil.convert(design))
    script = f"read_rtlil top.il; rename -hide w:*[[]*; {_SYNTHESIS[family]}; write_json top.json"
    tools.run(
        "yosys", ["-q", "-l", "full.log", "-p", script], step="synthesis", log=folder / "yosys.log"
    )
    start = time.perf_counter()
    read = GateNetlist.load(folder / "top.json", family)
    print(f"{family}: {read.cells}, read in {time.perf_counter() - start:.1f} s")
    for lanes in (64, 512):
        simulator = NetlistSimulator(read, cache=cache, lanes=lanes)
        x = np.random.default_rng(3).integers(0, 1 << BITS, (4 * lanes, SIZE))
        start = time.perf_counter()
        y, run = simulator.run_tensor(x, design.input_type, design.output_type, frames_per_lane=4)
        rate = run.cycles / (time.perf_counter() - start)
        assert (y == compute(graph, x)).all()
        print(f"{family}: {rate:,.0f} cycles/s x {lanes} lanes = {rate * lanes:,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fold", type=int, default=8, help="PE and SIMD of every layer")
    parser.add_argument("--netlist", nargs="*", choices=sorted(_SYNTHESIS), default=[])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/bench_simulation"))
    arguments = parser.parse_args()
    tools, cache = Tools(os.environ), arguments.folder / "cache"
    design, graph = accelerator(arguments.fold)
    simulators = {
        "compiled units": lambda: GraphSimulator(graph, cache=cache),
        "CXXRTL": lambda: CompiledSimulator(design, cache=cache, tools=tools),
    }
    slow = interpreted(accelerator(arguments.fold)[0], 3000)
    for what, make in simulators.items():
        fast = compiled(what, make, design, graph, frames=20_000)
        print(f"{what}: {fast:,.0f} cycles/s, Amaranth {slow:,.0f}, ratio {fast / slow:,.0f}")
    for family in arguments.netlist:
        netlist(design, graph, family, folder=arguments.folder, cache=cache, tools=tools)


if __name__ == "__main__":
    main()

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from cores.choices import BinarySearch, Block, Parallel
from cores.memory.skid_buffer import SkidBuffer
from cores.sim import run
from cores.thresholding import MultiThreshold
from cores.types import IntType
from hwgen.simulators.driver import Stall
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from platforms.device import Device
from platforms.devices import device
from platforms.out_of_context import plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools
from tests.cores.silicon.primitives import Modelled

U4, S5 = IntType(0, 15), IntType(-16, 15)
SEARCH = BinarySearch()
ECP5, UP5K = device("ecp5-85f"), device("up5k")


def every_input(op: MultiThreshold) -> np.ndarray:
    x = np.arange(op.dtype.lo, op.dtype.hi + 1)
    return np.broadcast_to(x.reshape(-1, *[1] * len(op.shape)), (len(x), *op.shape))


def check(op: MultiThreshold) -> None:
    x = every_input(op)
    assert (run(op, [x]).outputs["o"] == op.compute(x)).all()


def words(op: MultiThreshold) -> list[list[tuple[bool, list[list[int]]]]]:
    """Of each stage and lane: whether it compares with > (else >=), and its entries."""
    return [
        [(node.strict, node.table.entries.tolist()) for node in nodes] for nodes in op.search.nodes
    ]


def test_contents_of_every_stage():
    # Five starts and two that are never reached (16): a tree of seven.
    #   stage 0: start 3; stage 1: starts 1 and 5; stage 2: starts 0, 2, 4 and 6
    # Where 16 comes up, x >= t has become x > t - 1: the inputs have four bits.
    starts = np.array([[1, 3, 5, 7, 9], [2, 2, 4, 4, 15]])
    op = MultiThreshold((2,), U4, starts, np.arange(6)[None], comparison=SEARCH)
    assert words(op) == [
        [(False, [[7], [4]])],
        [(True, [[2, 15], [1, 15]])],
        [(True, [[0, 4, 8, 15], [1, 3, 14, 15]])],
    ]
    # The number of outcomes so far is the low part of the address, the channel the high part.
    assert op.search.nodes[1][0].table.words == (2, 15, 1, 15)
    x = np.array([[0, 1], [1, 2], [6, 4], [7, 14], [9, 15]])
    y = [[0, 0], [1, 2], [3, 4], [4, 4], [5, 5]]
    assert op.compute(x).tolist() == y
    assert run(op, [x]).outputs["o"].tolist() == y


def test_a_range_without_room_takes_one_bit_more():
    # Always reached in one channel (0), never in the other (16).
    op = MultiThreshold((2,), U4, np.array([[0], [16]]), np.array([[0, 1]]), comparison=SEARCH)
    assert words(op) == [[(False, [[0], [16]])]]
    check(op)


@pytest.mark.parametrize("count", range(21))
@pytest.mark.parametrize("pe", [1, 3])
def test_any_number_of_starts(count, pe):
    rng = np.random.default_rng(count)
    starts = np.sort(rng.integers(-18, 18, (3, count)), axis=1)
    ramp = np.arange(count + 1)[None]
    op = MultiThreshold((3,), S5, starts, ramp, pe=pe, comparison=SEARCH)
    assert len(op.search.nodes) <= count.bit_length()
    check(op)
    check(replace(op, values=ramp * 5 % 7 - 3, block_stages=1 if count > 1 and pe == 1 else 0))


def test_starts_that_no_channel_needs_take_no_stage():
    starts = np.array([[-99, -16, 0, 16, 99], [-20, -17, 3, 17, 18]])
    op = MultiThreshold((2,), S5, starts, np.arange(6)[None], comparison=SEARCH)
    assert words(op) == [[(False, [[0], [3]])]]
    check(op)


@pytest.mark.parametrize(
    "starts",
    [
        [[3] * 5, [3] * 5],
        [[-16] * 5, [15] * 5],
        [[-99, -99, 0, 0, 99], [99] * 5],
        [[-99] * 5, [-16, -15, 14, 15, 16]],
    ],
)
@pytest.mark.parametrize("values", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [7, -3, 7, 0, -8, 1]])
@pytest.mark.parametrize("pe", [1, 2])
def test_repeated_starts_and_starts_beyond_the_range(starts, values, pe):
    op = MultiThreshold((2,), S5, np.array(starts), np.array([values]), pe=pe, comparison=SEARCH)
    for stages in range(len(op.search.memories) + 1):
        check(replace(op, block_stages=stages))


def modelled(op: MultiThreshold, target: Device | None) -> Any:
    return Modelled(op.core(target))


@pytest.mark.parametrize("pe", [1, 2, 3, 6])
@pytest.mark.parametrize("target", [None, ECP5, UP5K], ids=["none", "ecp5", "up5k"])
def test_positions_and_folds(pe, target):
    rng = np.random.default_rng(pe)
    starts = np.sort(rng.integers(-16, 17, (6, 6)), axis=1)
    values = np.arange(7) + rng.integers(-3, 3, (6, 1))
    op = MultiThreshold((2, 2, 6), S5, starts, values, pe=pe, comparison=SEARCH)
    x = rng.integers(-16, 16, (6, 2, 2, 6))
    for stages in range(len(op.search.memories) + 1):
        op = replace(op, block_stages=stages)
        core = modelled(op, target)
        assert (run(op, [x], stall=0.3, seed=1, core=core).outputs["o"] == op.compute(x)).all()


def test_depth_of_memories_in_logic_and_in_blocks():
    # Logic: compared in cycles 0 (its word stands ready), 2 and 4; the count is out after 5.
    # A block adds a cycle for the register before it, and has no word ready for the first stage.
    op = layer(3, pe=2, channels=4)
    depths = [replace(op, block_stages=stages).depth for stages in range(4)]
    assert depths == [5, 6, 7, 9]
    # A table of values adds the two cycles of its memory, and comes out of its register.
    values = np.array([[3, 1, 4, 1, 5, 9, 2, 6]])
    assert replace(op, values=values).depth == 6
    assert replace(op, values=values, block_stages=1).depth == 7
    # An offset adds the register before its adder.
    assert replace(op, values=np.arange(8)[None] - 3).depth == 6


def test_a_device_changes_no_cycle():
    starts = np.sort(np.random.default_rng(4).integers(-16, 17, (6, 9)), axis=1)
    values = np.random.default_rng(5).integers(-9, 9, (6, 10))
    op = MultiThreshold((6,), S5, starts, values, pe=2, comparison=SEARCH, block_stages=4)
    stamps = [
        run(op, [every_input(op)], core=modelled(op, target)).shown["o"]
        for target in (None, ECP5, UP5K)
    ]
    assert (stamps[1] == stamps[0]).all() and (stamps[2] == stamps[0]).all()


def layer(bits: int, *, pe: int, channels: int = 64) -> MultiThreshold:
    rng = np.random.default_rng(1)
    dtype = IntType.bits(16, signed=True)
    starts = np.sort(rng.integers(dtype.lo, dtype.hi + 1, (channels, 2**bits - 1)), axis=1)
    return MultiThreshold(
        (channels,), dtype, starts, np.arange(2**bits)[None], pe=pe, comparison=SEARCH
    )


def test_two_tables_share_a_block_with_two_ports():
    # 64, 128, ..., 8192 words of 16 bits: 64 + 512 and 128 + 256 words share a block of 1,024.
    op = replace(layer(8, pe=1), block_stages=8)
    assert op.cost(ECP5).ram_blocks == 1 + 1 + 1 + 2 + 4 + 8
    # Sixteen tables of 32 or 64 words, two to a block.
    assert replace(layer(4, pe=8), block_stages=2).cost(ECP5).ram_blocks == 8
    # The tables that all lanes read at one address are one: 128 bits wide.
    assert replace(layer(1, pe=8), block_stages=1).cost(ECP5).ram_blocks == 4


def test_every_folding_offers_every_number_of_stages_in_block_ram():
    op = replace(layer(2, pe=1, channels=2), comparison=Parallel())
    found = [(o.pe, o.comparison.text, o.memory.text, o.block_stages) for o in op.foldings(ECP5)]
    assert found == [
        *((1, "parallel", memory, 0) for memory in ("logic", "block")),
        *((1, "search", "logic", stages) for stages in (0, 1, 2)),
        (2, "parallel", "logic", 0),
        *((2, "search", "logic", stages) for stages in (0, 1)),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"comparison": SEARCH, "block_stages": 3},
            r"block_stages of MultiThreshold must be in 0\.\.2 with search comparison, not 3",
        ),
        (
            {"block_stages": 1},
            r"block_stages of MultiThreshold must be in 0\.\.0 with parallel comparison, not 1",
        ),
        (
            {"comparison": SEARCH, "memory": Block()},
            (
                "memory of MultiThreshold must be logic with a search: "
                "its block_stages say what is in block RAM"
            ),
        ),
    ],
)
def test_rejects(fields, message):
    op = replace(layer(2, pe=1, channels=2), comparison=Parallel())
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(op, **fields)


class Registered(Component):
    """The core behind registers: abc9 of yosys 0.70 ends without a word where ports of the top
    reach carry cells directly."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, op: MultiThreshold, target: Device):
        self.core: Any = op.core(target)
        super().__init__({"i": In(self.core.i.signature.flip()), "o": Out(self.core.o.signature)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.core = self.core
        m.submodules.slice = buffer = SkidBuffer(self.core.i.payload.shape())
        connect(m, flipped(self.i), buffer.i)
        connect(m, buffer.o, self.core.i)
        connect(m, self.core.o, flipped(self.o))
        return m


@pytest.mark.synth
@pytest.mark.compiled
@pytest.mark.parametrize("target", [ECP5, UP5K], ids=["ecp5", "up5k"])
def test_netlist_gives_the_same(target, tmp_path):
    op = replace(layer(4, pe=2, channels=16), block_stages=3)
    plan = plan_core(Registered(op, target), target, clock_mhz=50)
    netlist = synthesise(plan, Tools(dict(os.environ)), tmp_path)
    blocks = netlist.cells.get("DP16KD", 0) + netlist.cells.get("SB_RAM40_4K", 0)
    assert blocks == op.cost(target).ram_blocks > 0
    simulator = NetlistSimulator(
        GateNetlist.load(Path(netlist.path), target.family), cache=tmp_path, lanes=64
    )
    near = op.starts.T[:, None, :] + np.array([-1, 0, 1])[:, None]
    x = np.clip(near.reshape(-1, 16), op.dtype.lo, op.dtype.hi)
    y, _ = simulator.run_tensor(
        x, op.inputs["i"], op.outputs["o"], frames_per_lane=5, stall=Stall(0.2, 0.3, 1), drain=20
    )
    assert (y == op.compute(x)).all()

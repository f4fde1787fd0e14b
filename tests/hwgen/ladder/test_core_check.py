import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cores.choices import AdderGraph, BinarySearch, Block, Dsp, PackedDsp, Popcount
from cores.mvau import MatVec
from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.timing import Timing
from cores.types import IntType
from hwgen.errors import CheckError
from hwgen.ladder.core_check import check_netlist, check_rtl, draw_frames, simulate_netlist
from platforms.devices import device

ECP5, UP5K = device("ecp5-25f"), device("up5k")
RNG = np.random.default_rng(4)
WEIGHTS = RNG.integers(-7, 8, (6, 16))
SIGNS = 2 * RNG.integers(0, 2, (6, 16)) - 1
STARTS = np.sort(RNG.integers(-500, 500, (8, 15)), axis=1)
U4 = IntType(0, 15)
BLOCK = MatVec(WEIGHTS, U4, pe=2, simd=4, memory=Block())
PACKED = replace(BLOCK, pe=3, arithmetic=PackedDsp(3, 18))
CASES = {
    "block RAM": (BLOCK, ECP5),
    "multipliers": (replace(BLOCK, arithmetic=Dsp()), ECP5),
    "packed": (PACKED, ECP5),
    "packed halves": (replace(BLOCK, arithmetic=PackedDsp(2, 8)), UP5K),
    "adder graph": (MatVec(WEIGHTS, U4, pe=6, simd=16, arithmetic=AdderGraph()), ECP5),
    "adder graph up5k": (MatVec(WEIGHTS, U4, pe=6, simd=16, arithmetic=AdderGraph()), UP5K),
    "popcount": (MatVec(SIGNS, IntType(0, 1), pe=2, simd=16, arithmetic=Popcount()), ECP5),
    "popcount up5k": (MatVec(SIGNS, IntType(0, 1), pe=2, simd=16, arithmetic=Popcount()), UP5K),
    "search": (
        MultiThreshold(
            (8,),
            IntType(-600, 600),
            STARTS,
            np.arange(16)[None],
            pe=2,
            comparison=BinarySearch(),
            block_stages=2,
        ),
        ECP5,
    ),
}


@pytest.mark.synth
@pytest.mark.parametrize(("op", "target"), CASES.values(), ids=CASES)
def test_netlist_gives_the_values_in_the_cycles_of_the_op(op, target, cache, tools, tmp_path):
    x = draw_frames(op, 64)
    check_netlist(op, x, target, folder=tmp_path, cache=cache, tools=tools)


@pytest.mark.synth
def test_one_wrong_bit_of_block_ram_is_seen(cache, tools, tmp_path):
    x = draw_frames(BLOCK, 64)
    netlist = check_netlist(BLOCK, x, ECP5, folder=tmp_path, cache=cache, tools=tools)
    design = json.loads(netlist.path.read_text())
    blocks = [c for c in design["modules"]["top"]["cells"].values() if c["type"] == "DP16KD"]
    assert len(blocks) == BLOCK.cost(ECP5).ram_blocks
    contents = blocks[0]["parameters"]["INITVAL_00"]
    flipped = contents[:-1] + str(1 - int(contents[-1]))
    blocks[0]["parameters"]["INITVAL_00"] = flipped
    path = tmp_path / "corrupt.json"
    path.write_text(json.dumps(design))
    with pytest.raises(CheckError, match=r"^netlist of MatVec: \d+ of 384 elements differ, "):
        simulate_netlist(BLOCK, x, path, ECP5, cache=cache)


@pytest.mark.synth
def test_a_shorter_schedule_is_seen(cache, tools):
    class Late(MatVec):
        @property
        def timing(self) -> Timing:
            right = super().timing
            return Timing(
                cycles=right.cycles,
                depth=right.depth + 1,
                reads=right.reads,
                emits=right.emits,
                stalling=right.stalling,
            )

        def core(self, device=None):
            return BLOCK.core(device)

    op = Late(WEIGHTS, U4, pe=2, simd=4, memory=Block())
    message = rf"^RTL of Late: output beat 0 moves in cycle (\d+), not {op.latency}$"
    with pytest.raises(CheckError, match=message) as caught:
        check_rtl(op, draw_frames(op, 8), cache=cache, tools=tools)
    assert re.search(rf"cycle {op.latency - 1},", str(caught.value))


def test_frames_reach_both_ends_of_the_output():
    op: Op = BLOCK
    y = op.compute(draw_frames(op, 10))
    assert len(y) == 12
    assert IntType(int(y.min()), int(y.max())) == op.outputs["o"].dtype

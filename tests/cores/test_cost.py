import os
from dataclasses import replace

import numpy as np
import pytest

from cores.argmax import ArgMax
from cores.choices import Arithmetic, Block, Dsp, Logic, Lut, Memory
from cores.concat import Concat
from cores.cost import Count, Resources, price
from cores.crop import Crop
from cores.fifo import Buffer
from cores.op import Op
from cores.pooling import Reduce
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.total import Total
from cores.types import IntType, StreamType
from cores.upsample import Dilate, Repeat
from cores.vvau import DepthwiseVec
from cores.weigh import Weigh
from cores.width_converter import ConvertWidth
from platforms.devices import DEVICES
from platforms.out_of_context import RegisteredPins, plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools

S16, U4, U8 = IntType(-(1 << 15), (1 << 15) - 1), IntType(0, 15), IntType(0, 255)
SAME = ((1, 1), (1, 1))


def test_counts_add_up():
    assert Count(lut=1, ff=2) + 3 * Count(lut=2, dsp=1) == Count(lut=7, ff=2, dsp=3)


def test_what_a_design_uses_beyond_a_device_is_named():
    device = DEVICES["up5k"]
    used = Resources(lut4=device.luts, ff=1, dsp=9)
    assert used.excess(device) == {"dsp": (9, 8)}
    assert not used.fits(device) and Resources(lut4=device.luts).fits(device)


def test_hard_blocks_are_priced_exactly():
    for device in DEVICES.values():
        found = price(Count(ram_blocks=3, spram=1, dsp=2), device)
        assert found == Resources(ram_blocks=3, spram=1, dsp=2)


def test_loose_luts_share_no_cell_with_a_flip_flop():
    ice40, ecp5 = DEVICES["up5k"], DEVICES["ecp5-25f"]
    plain, loose = Count(lut=100, ff=1000), Count(lut=100, ff=1000, loose=100)
    assert price(loose, ice40).lut4 == 1100 and price(plain, ice40).lut4 < 1020
    assert price(loose, ecp5) == price(plain, ecp5)


def steps(channels: int, pe: int, memory: Memory) -> MultiThreshold:
    starts = np.sort(np.random.default_rng(0).integers(S16.lo, S16.hi, (channels, 3)), axis=1)
    return MultiThreshold((channels,), S16, starts, np.arange(4)[None], pe=pe, memory=memory)


def depthwise_product(
    channels: int, arithmetic: Arithmetic, memory: Memory, *, pe: int = 1, simd: int = 1
) -> DepthwiseVec:
    rng = np.random.default_rng(1)
    weights, offset = rng.integers(-128, 128, (channels, 9)), rng.integers(-5000, 5000, channels)
    op = DepthwiseVec(weights, U8, channels, offset=offset, positions=(25, 5))
    return replace(op, pe=pe, simd=simd, arithmetic=arithmetic, memory=memory)


FEW = 3
"""Cells that do not matter to any design: shares of the smallest cores mean nothing."""

INSTANCES = {
    "thresholds in registers": steps(64, 8, Logic()),
    "thresholds in block RAM": steps(64, 8, Block()),
    "constant thresholds": steps(16, 16, Logic()),
    "argmax, one lane": ArgMax((10,), S16),
    "argmax, all lanes": ArgMax((12,), S16, pe=12),
    "wider": ConvertWidth(StreamType((64,), U4, 1), 16),
    "narrower": ConvertWidth(StreamType((64,), U4, 16), 1),
    "in between": ConvertWidth(StreamType((24,), U4, 8), 6),
    "window, block RAM": SlidingWindow((32, 32, 16), U8, (3, 3), pads=SAME, pe=4),
    "window, LUT RAM": SlidingWindow((8, 8, 2), U4, (3, 3), pads=SAME),
    "depthwise window": SlidingWindow((25, 5, 64), U8, (3, 3), pads=SAME, pe=2, order="depthwise"),
    "first window": SlidingWindow((49, 10, 1), U8, (10, 4), strides=(2, 2), pads=((4, 5), (1, 1))),
    "whole windows": SlidingWindow((32, 32, 3), U8, (3, 3), pads=SAME, pe=3, simd=9),
    "whole depthwise windows": SlidingWindow(
        (25, 5, 64), U8, (3, 3), pads=SAME, pe=4, simd=9, order="depthwise"
    ),
    "depthwise product": depthwise_product(64, Lut(), Block(), pe=2, simd=3),
    "depthwise product in logic": depthwise_product(16, Lut(), Logic(), pe=4),
    "depthwise product, DSP": depthwise_product(64, Dsp(), Block(), pe=4),
    "depthwise product, all taps": depthwise_product(64, Lut(), Block(), simd=9),
    "largest of nine": Reduce(16, 9, U8, fn="max", positions=(8, 8), pe=4),
    "sum of nine": Reduce(16, 9, U8, fn="sum", positions=(8, 8), pe=4),
    "sum of nine at once": Reduce(16, 9, U8, fn="sum", positions=(8, 8), pe=2, simd=9),
    "total in LUT RAM": Total((8, 8, 64), U8, pe=2),
    "total in registers": Total((8, 8, 8), U8, pe=8),
    "concat": Concat((16, 32), (U4, U8), positions=(8, 8), pe=4),
    "crop": Crop((32, 32, 16), U8, (2, 2, 0), (30, 30, 16), (1, 1, 1), pe=4),
    "repeat": Repeat((8, 8, 16), U8, (2, 2), pe=4),
    "dilate": Dilate((8, 8, 16), U8, (2, 2), pe=4),
    "weigh": Weigh((8, 8, 16), IntType(0, 2295), ((3, *[2] * 6, 3),) * 2, pe=4),
    "weigh, one axis": Weigh((32, 16), IntType(-640, 635), ((20, 15, *[12] * 28, 15, 20),)),
    "slice": Buffer(StreamType((64,), U4, 8), 2),
    "LUT RAM": Buffer(StreamType((64,), U4, 8), 48),
    "block RAM": Buffer(StreamType((64,), U4, 8), 200, memory=Block()),
}


@pytest.mark.synth
@pytest.mark.parametrize("op", INSTANCES.values(), ids=INSTANCES.keys())
def test_cost_is_near_the_netlist(op: Op, tmp_path):
    device = DEVICES["ecp5-25f"]
    pins = RegisteredPins(op.core(device))
    plan = plan_core(pins, device, clock_mhz=100.0)
    cells = synthesise(plan, Tools(dict(os.environ)), tmp_path).cells
    lut4 = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)
    count = op.cost(device)
    estimate = price(count, device)
    # Placement feeds ends of carry chains, which the price contains.
    placed = lut4 - pins.gates + 2 * count.ends
    assert 0.85 <= estimate.lut4 / placed <= 1.2 or abs(estimate.lut4 - placed) <= FEW
    assert 0.95 <= estimate.ff / (cells["TRELLIS_FF"] - pins.flip_flops) <= 1.05
    assert estimate.ram_blocks == cells.get("DP16KD", 0)

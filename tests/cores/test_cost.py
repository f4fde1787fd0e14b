import os

import numpy as np
import pytest

from cores.argmax import ArgMax
from cores.cost import Count, Resources, price
from cores.fifo import Buffer
from cores.op import Block, Logic, Memory, Op
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth
from platforms.devices import DEVICES
from platforms.out_of_context import RegisteredPins, plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools

S16, U4 = IntType(-(1 << 15), (1 << 15) - 1), IntType(0, 15)


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


def steps(channels: int, pe: int, memory: Memory) -> MultiThreshold:
    starts = np.sort(np.random.default_rng(0).integers(S16.lo, S16.hi, (channels, 3)), axis=1)
    return MultiThreshold((channels,), S16, starts, np.arange(4)[None], pe=pe, memory=memory)


INSTANCES = {
    "thresholds in registers": steps(64, 8, Logic()),
    "thresholds in block RAM": steps(64, 8, Block()),
    "constant thresholds": steps(16, 16, Logic()),
    "argmax, one lane": ArgMax((10,), S16),
    "argmax, all lanes": ArgMax((12,), S16, pe=12),
    "wider": ConvertWidth(StreamType((64,), U4, 1), 16),
    "narrower": ConvertWidth(StreamType((64,), U4, 16), 1),
    "in between": ConvertWidth(StreamType((24,), U4, 8), 6),
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
    estimate = price(op.cost(device), device)
    # Placement adds cells to carry chains, which the price contains: it lies above the netlist.
    assert 0.85 <= estimate.lut4 / (lut4 - pins.gates) <= 1.3
    assert 0.95 <= estimate.ff / (cells["TRELLIS_FF"] - pins.flip_flops) <= 1.05
    assert estimate.ram_blocks == cells.get("DP16KD", 0)

"""Two layers small enough to follow by hand, and a bench for one part of an engine."""

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.sim import Simulator

from cores.engine.layer import BYTE, Layer, Rescale
from cores.engine.program import Program
from cores.types import IntType

FIRST = Layer(
    "first",
    (1, 2, 2),
    np.array([[[1, 2], [3, -4]], [[5, 6], [7, 8]]]),
    kernel=(1, 2),
    rescale=Rescale((3, 200), (1, -5), 2, BYTE),
)
"""One position with two rows: (3 * sum + 1) / 4 and (200 * sum - 5) / 4, rounded down."""

LAST = Layer("last", (1, 1, 2), np.array([[[10], [1]]]).reshape(1, 1, 2), bias=(100,))
"""A sum that leaves as it is."""


def program() -> Program:
    return Program((FIRST, LAST), lanes=4, most=64)


def run(part: Elaboratable, bench: Callable[[Any], Coroutine]) -> None:
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.part = part
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def bits(n: int, width: int) -> int:
    return n & (1 << width) - 1


SUMS = IntType(-4000, 4000)

"""Fork: one stream to several consumers, each of which takes its beats when it can."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Duplicate(Op):
    """The same tensor on several output ports, ``o_0`` to ``o_<copies - 1>``.

    Parameters
    ----------
    type : StreamType
    copies : int
        At least 2.

    Raises
    ------
    ValueError
        Fewer than two copies.
    """

    type: StreamType
    copies: int

    def __post_init__(self):
        if self.copies < 2:
            raise ValueError(f"a Duplicate must have at least 2 copies, not {self.copies}")

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": self.type}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {f"o_{k}": self.type for k in range(self.copies)}

    def compute(self, *tensors: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.array(tensors[0], np.int64) for _ in range(self.copies))

    @property
    def stages(self) -> Stages:
        """Of each copy."""
        return Stages(1)

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.type.beats, depth=self.stages)

    def cost(self, device: Device) -> Count:
        # The net of each copy, of which one LUT is its own; whether all are free, and a beat comes.
        return Count(lut=self.copies + 2, ff=self.copies + self.type.width)

    def binding(self) -> str:
        return f"{self.copies} copies"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Duplicate"]:
        pairs = StreamType((2, 6), IntType(-3, 3), 2)
        return (cls(pairs, 2), cls(pairs, 3), cls(StreamType((1,), IntType(0, 1)), 2))

    def core(self, device: Device | None = None) -> "Fork":
        return Fork(self, device)


class Fork(Core):
    """Carries a `Duplicate`: one register for all copies, one flip-flop per copy still owed.

    Members
    -------
    i : In(stream)
    o_0, o_1, ... : Out(stream)
    """

    op: Duplicate
    i: stream.Interface

    def elaborate(self, platform: object) -> Module:
        m = Module()
        outputs = [getattr(self, name) for name in self.op.outputs]
        copies = [Pipeline(m, self.op.stages, o) for o in outputs]
        # The register has no room while any copy is owed. Copies that were taken are bubbles
        # meanwhile.
        taken = Signal()
        m.d.comb += self.i.ready.eq(Cat(copy.i_ready for copy in copies).all())
        m.d.comb += taken.eq(self.i.ready & self.i.valid)
        m.d.comb += [copy.i_valid.eq(taken) for copy in copies]
        held = Signal.like(self.i.payload)
        with m.If(taken):
            m.d.sync += held.eq(self.i.payload)
        m.d.comb += [o.payload.eq(held) for o in outputs]
        return m

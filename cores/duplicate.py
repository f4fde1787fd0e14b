"""Fork: one stream to several consumers, each of which takes its beats when it can."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
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
    def timing(self) -> Timing:
        return Timing(cycles=self.type.beats, depth=1)

    def cost(self, device: Device) -> Count:
        return Count(lut=2 + self.copies, ff=self.type.width + self.copies)

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
        outputs = [getattr(self, port) for port in self.op.outputs]
        held = Signal.like(self.i.payload)
        done = Signal(len(outputs))
        m.d.comb += [
            done.eq(Cat(~o.valid | o.ready for o in outputs)),
            self.i.ready.eq(done.all()),
        ]
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += held.eq(self.i.payload)
        for k, o in enumerate(outputs):
            m.d.comb += o.payload.eq(held)
            with m.If(self.i.ready):
                m.d.sync += o.valid.eq(self.i.valid)
            with m.Elif(done[k]):
                m.d.sync += o.valid.eq(0)
        return m

"""Join: the channels of several streams behind one another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import gcd, prod

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """y[..., :] = x_0[..., :], then x_1[..., :], and so on.

    Input ports are ``i_0``, ``i_1``, ...

    Parameters
    ----------
    channels : tuple of int
        Of each input, at least two.
    dtypes : tuple of IntType
        One per input.
    positions : tuple of int
        Leading axes of a frame, the same for all.
    pe : int
        Channels per beat; divides those of every input.

    Raises
    ------
    ValueError
        Too few inputs, as many types as inputs are not given, or `pe` does not divide.
    """

    channels: tuple[int, ...]
    dtypes: tuple[IntType, ...]
    positions: tuple[int, ...] = field(default=(), kw_only=True)
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise ValueError(
                f"a Concat must have at least 2 inputs with channels, not {self.channels}"
            )
        if len(self.dtypes) != len(self.channels):
            raise ValueError(
                f"a Concat of {len(self.channels)} inputs must have as many types, "
                f"not {len(self.dtypes)}"
            )
        if self.positions and min(self.positions) < 1:
            raise ValueError(f"positions of Concat must be positive, not {self.positions}")
        if self.pe < 1 or gcd(*self.channels) % self.pe:
            raise ValueError(
                f"PE of Concat must divide the channels of every input, {self.channels}, "
                f"not {self.pe}"
            )

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {
            f"i_{k}": StreamType((*self.positions, count), dtype, self.pe)
            for k, (count, dtype) in enumerate(zip(self.channels, self.dtypes, strict=True))
        }

    @property
    def outputs(self) -> dict[str, StreamType]:
        dtype = reduce(IntType.union, self.dtypes)
        return {"o": StreamType((*self.positions, sum(self.channels)), dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(x, np.int64) for x in tensors], axis=-1)

    @property
    def ends(self) -> tuple[int, ...]:
        """Beats of a position up to the end of each input."""
        return tuple((np.cumsum(self.channels) // self.pe).tolist())

    @property
    def stages(self) -> Stages:
        return Stages(1)

    @property
    def timing(self) -> Timing:
        cycles = prod(self.positions) * self.ends[-1]
        return Timing(cycles=cycles, depth=self.stages, reads=self._turns)

    def _turns(self, port: str) -> np.ndarray:
        k = list(self.inputs).index(port)
        turn = np.arange(self.ends[k] - self.channels[k] // self.pe, self.ends[k])
        return (np.arange(prod(self.positions))[:, None] * self.ends[-1] + turn).ravel()

    def cost(self, device: Device) -> Count:
        width = self.outputs["o"].width
        turn = (self.ends[-1] - 1).bit_length()
        inputs = len(self.channels)
        # The counter and its end; more than two inputs to choose from.
        control = self.stages.cost + Count(lut=turn + inputs - 2, ff=turn + 1)
        return control + Count(lut=width * (inputs - 1), ff=width)

    def foldings(self, device: Device) -> Iterator["Concat"]:
        for pe in divisors(gcd(*self.channels)):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Concat"]:
        u4, s4 = IntType(0, 15), IntType(-7, 7)
        return (
            cls((2, 3), (u4, s4)),
            cls((4, 2), (s4, s4), positions=(3, 2), pe=2),
            cls((2, 4, 6), (u4, s4, IntType(-1, 0)), positions=(2,), pe=2),
            cls((1, 1), (IntType(3, 3), IntType(0, 1)), positions=(2,)),
            cls((3, 3, 3, 3), (s4,) * 4, pe=3),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        return tuple(
            np.stack([np.full(kind.shape, end) for end in (kind.dtype.lo, kind.dtype.hi)])
            for kind in self.inputs.values()
        )

    def core(self, device: Device | None = None) -> "Joiner":
        return Joiner(self, device)


class Joiner(Core):
    """Carries a `Concat`: takes from one input after the other, into one register.

    Members
    -------
    i_0, i_1, ... : In(stream)
    o : Out(stream)
    """

    op: Concat
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        # Counts the beats of a position; `last` tells its end a step ahead, as a register.
        turn, last = Signal(range(op.ends[-1])), Signal(init=op.ends[-1] == 1)
        with m.If(pipeline.advance), m.If(pipeline.i_valid):
            m.d.sync += [turn.eq(Mux(last, 0, turn + 1)), last.eq(turn == op.ends[-1] - 2)]
        begin = 0
        with m.Switch(turn):
            for port, end in zip(op.inputs, op.ends, strict=True):
                i = getattr(self, port)
                with m.Case(*range(begin, end)):
                    # The others wait meanwhile: nothing of them is taken.
                    m.d.comb += [pipeline.i_valid.eq(i.valid), i.ready.eq(pipeline.i_ready)]
                    with m.If(pipeline.advance):
                        m.d.sync += [
                            self.o.payload[lane].eq(i.payload[lane]) for lane in range(op.pe)
                        ]
                begin = end
        return m

"""The contract between an operator (what is computed) and everything that uses it.

An op is a frozen dataclass of meaning and folding; its core is the Amaranth component of the same
file. What only some ops can tell, such as a price, is a facet (`cores.facets`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Member, Out

from cores.fields.key import content_key
from cores.timing import Timing
from cores.types import StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Op(ABC):
    """Base of every operator; subclasses are frozen dataclasses validated in `__post_init__`.

    An author writes `inputs`, `outputs`, `compute`, `timing`, `examples` and `core`; `foldings`
    and `binding` where it folds, `extremes` where the default does not reach them.
    `cores.conformance.check` tells whether it is right.

    The ports of an op with one input and one output are ``i`` and ``o``, further ones are named
    ``i_<what>``, ``o_<what>``.

    Examples
    --------
    ::

        @dataclass(frozen=True, eq=False)
        class Negate(Op):
            type: StreamType

            @property
            def inputs(self):
                return {"i": self.type}

            @property
            def outputs(self):
                lo, hi = self.type.dtype.lo, self.type.dtype.hi
                return {"o": replace(self.type, dtype=IntType(-hi, -lo))}

            def compute(self, *tensors):
                return -np.asarray(tensors[0], np.int64)

            @property
            def timing(self):
                return Timing(cycles=self.type.beats, depth=Stages(1))

            @classmethod
            def examples(cls, rng):
                return [cls(StreamType((3, 4), IntType(-2, 5), lanes=2))]

            def core(self, device=None):
                return Negator(self, device)


        class Negator(Core):
            def elaborate(self, platform):
                m = Module()
                pipeline = Pipeline(m, Stages(1), self.o)
                m.d.comb += pipeline.i_valid.eq(self.i.valid)
                m.d.comb += self.i.ready.eq(pipeline.i_ready)
                with m.If(pipeline.advance):
                    m.d.sync += [o.eq(-i) for o, i in zip(self.o.payload, self.i.payload)]
                return m
    """

    @cached_property
    def key(self) -> str:
        """Of its class and fields, equal for equal ops of any two processes: by this, never by
        identity, caches are looked up.

        Raises
        ------
        TypeError
            A field holds something else than numbers, texts, arrays and dataclasses.
        """
        return content_key(self)

    @property
    @abstractmethod
    def inputs(self) -> dict[str, StreamType]:
        """Input ports of the core, in the order of `compute`'s arguments."""

    @property
    @abstractmethod
    def outputs(self) -> dict[str, StreamType]:
        """Output ports of the core; dtype is exactly the range that inputs of the declared range
        reach."""

    @abstractmethod
    def compute(self, *x: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """The exact result, int64, for whole tensors of natural shape.

        Axes before the stream's `shape` are frames and are kept. An op with several outputs
        returns a tuple.
        Mentions neither folding nor beats and shares no helper with the core.
        """

    @property
    @abstractmethod
    def timing(self) -> Timing:
        """When beats move; the same for all data, and with and without a device."""

    @property
    @final
    def cycles(self) -> int:
        """Initiation interval: steps from one frame to the next."""
        return self.timing.cycles

    @property
    @final
    def depth(self) -> int:
        """Cycles from the step that completes an output beat to its `valid`."""
        return self.timing.depth

    @property
    @final
    def latency(self) -> int:
        """Cycles from the transfer of the first input beat to `valid` of the first output beat."""
        timing = self.timing
        first_read = min(int(timing.reads(name)[0]) for name in self.inputs)
        return min(int(timing.time(name)[0]) for name in self.outputs) - first_read

    def foldings(self, device: Device) -> Iterator[Self]:
        """Every legal choice of folding, arithmetic and memory of this op on `device`, itself
        included.

        Raises
        ------
        ValueError
            There is none.
        """
        yield self

    def binding(self) -> str:
        """Folding in one short text for tables, such as ``PE 4 x SIMD 8``; empty if the op does
        not fold."""
        return ""

    @classmethod
    @abstractmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Op"]:
        """Legal instances, corners included: degenerate sizes, each arithmetic and memory, several
        positions."""

    def extremes(self) -> tuple[np.ndarray, ...] | None:
        """Input tensors, one per port with a leading frame axis, that reach both ends of the
        output range: by default the lowest and the highest number everywhere.

        None where nobody knows what is reached: the range of the outputs is then a bound.
        """
        return tuple(
            np.stack([np.full(kind.shape, end) for end in (kind.dtype.lo, kind.dtype.hi)])
            for kind in self.inputs.values()
        )

    @abstractmethod
    def core(self, device: Device | None = None) -> "Core":
        """The component: portable RTL without a device, the device's primitives with one; same
        timing either way."""


class Core(Component, ABC):
    """Base of the cores: ports generated from the op's stream types; subclasses say how.

    Parameters
    ----------
    op : Op
    device : Device or None
        Portable RTL without one, the device's primitives with one.
    more : mapping of str to Member
        Ports that are not streams of the op.
    """

    def __init__(
        self, op: Op, device: Device | None = None, more: Mapping[str, Member] | None = None
    ):
        self.op = op
        self.device = device
        ports = {name: In(stream.Signature(s.layout)) for name, s in op.inputs.items()}
        ports |= {name: Out(stream.Signature(s.layout)) for name, s in op.outputs.items()}
        super().__init__(ports | dict(more or {}))

    @abstractmethod
    def elaborate(self, platform: object) -> Module: ...

"""The contract between an operator (what is computed) and everything that uses it.

An op is a frozen dataclass of meaning and folding; its core is the Amaranth component of the same
file. The schedule of every op is data-independent and described in *steps*: a core performs one
step per clock cycle unless a beat that the step needs has not arrived or a result has no room. Step
numbers restart with every frame; frame f+1 begins `cycles` steps after frame f.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Member, Out

from cores.cost import Count
from cores.key import content_key
from cores.pruning import Pruned
from cores.stalling import Rigid, Stalling
from cores.types import StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Op(ABC):
    """Base of every operator; subclasses are frozen dataclasses validated in `__post_init__`.

    Ports with one input and one output are named ``i`` and ``o``, further ones ``i_<what>``,
    ``o_<what>``.
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
    def cycles(self) -> int:
        """Initiation interval: steps from one frame to the next."""

    @abstractmethod
    def reads(self, port: str) -> np.ndarray:
        """Step at which each input beat of a frame is taken, ascending, int64 of length
        ``beats``."""

    @abstractmethod
    def emits(self, port: str) -> np.ndarray:
        """Step that completes each output beat of a frame, ascending, int64 of length ``beats``."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Pipeline depth: cycles from the step that completes an output beat to its `valid`."""

    @property
    def cuts_ready(self) -> bool:
        """Whether `ready` of its inputs comes from registers, whatever its outputs' does."""
        return False

    @property
    def stalling(self) -> Stalling:
        """What goes on while an output beat waits to be taken."""
        return Rigid()

    def needed(self, port: str) -> dict[str, np.ndarray]:
        """For each output beat of a frame, the beats of each input port that must have come before
        it can appear (untimed)."""
        return {
            name: np.searchsorted(self.reads(name), self.emits(port), side="right")
            for name in self.inputs
        }

    def needs(self, port: str, k: int) -> dict[str, int]:
        """`needed` of output beat `k`."""
        return {name: int(counts[k]) for name, counts in self.needed(port).items()}

    def time(self, port: str, k: int) -> int:
        """Cycle at which output beat `k` of a frame becomes valid, with the frame's step 0 at
        cycle 0 (free-running)."""
        return int(self.emits(port)[k]) + self.depth

    @property
    def latency(self) -> int:
        """Cycles from the transfer of the first input beat to `valid` of the first output beat."""
        first_read = min(int(self.reads(name)[0]) for name in self.inputs)
        return min(self.time(name, 0) for name in self.outputs) - first_read

    @property
    def pause(self) -> int:
        """Most cycles in a row in which no beat is taken because steps went on without input."""
        return 0

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of one frame (0 for ops that do not multiply)."""
        return 0

    @property
    def macs_per_cycle(self) -> float:
        """What its multipliers can do at most."""
        return self.macs / self.cycles

    def pruned(self, device: Device) -> Pruned | None:
        """What weights that are 0 spare; None without weights."""
        return None

    @property
    def shares_units(self) -> bool:
        """Whether several layers of a network run on the units of its core."""
        return False

    @property
    def image(self) -> bytes:
        """What must come through the core's stream `weights`, of 16-bit words with the lower byte
        first, before the first frame; empty where there is no such stream."""
        return b""

    @abstractmethod
    def cost(self, device: Device) -> Count:
        """Primitives the core consists of on `device`; priced by `cores.cost.price` alone."""

    def rough_cost(self, device: Device) -> Count | None:
        """About what `cost` says, where that takes a search; None where it does not."""
        return None

    @property
    def density(self) -> float:
        """Share of its products that cost anything: less than 1 where zeros are left out."""
        return 1.0

    def foldings(self, device: Device) -> Iterator[Self]:
        """Every legal choice of folding, arithmetic and memory of this op on `device`, itself
        included.

        Raises
        ------
        ValueError
            There is none.
        """
        yield self

    def emitting(self, wanted: StreamType) -> Self:
        """This op folded so that its output ``o`` has the beats and the order of `wanted`.

        Asked of ops whose output is not in dense order: their consumer is folded, and they follow.

        Raises
        ------
        ValueError
            The op has no such folding.
        """
        if self.outputs["o"].order != wanted.order:
            raise ValueError(
                f"{type(self).__name__} must emit {wanted.order} order to follow its consumer, "
                f"not {self.outputs['o'].order}"
            )
        return self

    def binding(self) -> str:
        """Folding in one short text for tables, such as ``PE 4 x SIMD 8``; empty if the op does
        not fold."""
        return ""

    @classmethod
    @abstractmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Op"]:
        """Legal instances, corners included: degenerate sizes, each arithmetic and memory, several
        positions."""

    def extremes(self) -> tuple[np.ndarray, ...]:
        """Input tensors, one per port with a leading frame axis, that reach both ends of the
        output range: by default the lowest and the highest number everywhere."""
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

"""The contract between an operator (what is computed) and everything that uses it.

An op is a frozen dataclass of meaning and folding; its core is the Amaranth component of the same
file. The schedule of every op is data-independent and described in *steps*: a core performs one
step per clock cycle unless a beat that the step needs has not arrived or a result has no room. Step
numbers restart with every frame; frame f+1 begins `cycles` steps after frame f.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Member, Out

from cores.cost import Count
from cores.pruning import Pruned
from cores.stalling import Rigid, Stalling
from cores.types import StreamType
from platforms.device import Device


@dataclass(frozen=True)
class Arithmetic:
    """How an op multiplies."""

    word: ClassVar[str]

    @property
    def text(self) -> str:
        """Its name in folding files."""
        return self.word


@dataclass(frozen=True)
class Lut(Arithmetic):
    """Products in LUTs and carry chains."""

    word: ClassVar[str] = "lut"


@dataclass(frozen=True)
class Popcount(Arithmetic):
    """XNOR and population count: weights -1 or +1, activations 0 or 1."""

    word: ClassVar[str] = "popcount"


@dataclass(frozen=True)
class Dsp(Arithmetic):
    """One product per hard multiplier."""

    word: ClassVar[str] = "dsp"


@dataclass(frozen=True)
class ChainedDsp(Arithmetic):
    """One product per hard multiplier, each of which adds the sum of those before it."""

    word: ClassVar[str] = "dsp_chain"


@dataclass(frozen=True)
class PackedDsp(Arithmetic):
    """Several products per hard multiplier: of one input with the weights of several rows.

    Parameters
    ----------
    lanes : int
        Products per hard multiplier.
    width : int
        Operand bits of the multiplier; 8 for the two independent products of 8 bits of one that
        is wider.
    """

    word: ClassVar[str] = "dsp"
    lanes: int
    width: int

    def __post_init__(self):
        if min(self.lanes, self.width) < 1:
            raise ValueError(
                f"lanes and width of a packing must be positive, not {self.lanes} and {self.width}"
            )
        if self.lanes % self.halves:
            raise ValueError(
                f"a packing in both halves of a multiplier must have an even number of lanes, "
                f"not {self.lanes}"
            )

    @property
    def text(self) -> str:
        return f"{self.word}{self.width}x{self.lanes}"

    @property
    def halves(self) -> int:
        return 2 if self.width == 8 else 1

    @property
    def rows(self) -> int:
        """Weights that are one operand."""
        return self.lanes // self.halves


@dataclass(frozen=True)
class AdderGraph(Arithmetic):
    """Products with constants as a graph of shared adders: one step per vector.

    Parameters
    ----------
    more : int
        Stages beyond the fewest, for fewer adders and more registers.
    tries : int or None
        Graphs that the search compares; None for as many as take a few seconds. No folding file
        names it: it is for estimates.
    """

    word: ClassVar[str] = "adder_graph"
    more: int = 0
    tries: int | None = None

    def __post_init__(self):
        if self.more < 0:
            raise ValueError(f"stages of an adder graph must not be fewer, not {self.more} more")

    @property
    def text(self) -> str:
        return f"{self.word}{self.more or ''}"


@dataclass(frozen=True)
class Memory:
    """Where an op keeps its constants; `text` is its name in folding files."""

    text: ClassVar[str]


@dataclass(frozen=True)
class Logic(Memory):
    """Constants in LUTs."""

    text: ClassVar[str] = "logic"


@dataclass(frozen=True)
class Block(Memory):
    """Constants in block RAM, read through an output register."""

    text: ClassVar[str] = "block"


@dataclass(frozen=True)
class Spram(Memory):
    """Constants in single-port RAM, which must be loaded before the first frame."""

    text: ClassVar[str] = "spram"


@dataclass(frozen=True)
class Comparison:
    """How an op finds the step of an input."""

    word: ClassVar[str]

    @property
    def text(self) -> str:
        """Its name in folding files."""
        return self.word


@dataclass(frozen=True)
class Parallel(Comparison):
    """One comparator per step."""

    word: ClassVar[str] = "parallel"


@dataclass(frozen=True)
class BinarySearch(Comparison):
    """One comparator per stage, of as many stages as the number of steps has bits."""

    word: ClassVar[str] = "search"


@dataclass(frozen=True)
class Scale(Comparison):
    """Multiply, add and shift, by multipliers of operands of `width` bits; only for steps that are
    a line in integers.

    Parameters
    ----------
    width : int
    """

    word: ClassVar[str] = "scale"
    width: int

    def __post_init__(self):
        if self.width < 2:
            raise ValueError(
                f"operands of a multiplier must have at least 2 bits, not {self.width}"
            )

    @property
    def text(self) -> str:
        return f"{self.word}{self.width}"


@dataclass(frozen=True)
class Shift(Comparison):
    """Add, shift and round: for steps of one power of two, ties to even or up; no multiplier."""

    word: ClassVar[str] = "shift"


PACKED_DSP = (
    *(PackedDsp(lanes, width) for width in (18, 16) for lanes in range(2, 9)),
    *(PackedDsp(lanes, 8) for lanes in range(2, 9, 2)),
)
ARITHMETIC: dict[str, Arithmetic] = {
    a.text: a
    for a in (Lut(), Popcount(), Dsp(), ChainedDsp(), AdderGraph(), AdderGraph(1), *PACKED_DSP)
}
MEMORY: dict[str, Memory] = {m.text: m for m in (Logic(), Block(), Spram())}
COMPARISON: dict[str, Comparison] = {
    c.text: c for c in (Parallel(), BinarySearch(), Shift(), Scale(16), Scale(18))
}


@dataclass(frozen=True, eq=False)
class Op(ABC):
    """Base of every operator; subclasses are frozen dataclasses validated in `__post_init__`.

    Ports with one input and one output are named ``i`` and ``o``, further ones ``i_<what>``,
    ``o_<what>``.
    """

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

"""What a folding chooses of an op: how it multiplies, compares and remembers."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class _Named:
    """`word` begins the name in folding files; parameters may follow it."""

    word: ClassVar[str]

    @property
    def text(self) -> str:
        """Its name in folding files."""
        return self.word


@dataclass(frozen=True)
class Arithmetic(_Named):
    """How an op multiplies."""


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
class Comparison(_Named):
    """How an op finds the step of an input."""


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

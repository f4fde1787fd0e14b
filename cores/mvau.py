"""Matrix-vector product: constant weights, folded over rows (PE) and columns (SIMD)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from amaranth.hdl import Module, Value
from amaranth.lib import stream

from cores.choices import (
    AdderGraph,
    Arithmetic,
    Block,
    ChainedDsp,
    Dsp,
    Logic,
    Lut,
    Memory,
    PackedDsp,
)
from cores.cost import Count, price
from cores.dot import matvec_arithmetic, matvec_examples, multiplier, operand_fetch
from cores.dot.dot_copies import DotCopies
from cores.dot.dot_product import DotProduct, row_bounds
from cores.dot.operand_fetch import Folding
from cores.dot.product_pipeline import control_cost, product_pipeline
from cores.fields.arguments import check_sums, divisor, integers, lengths, number_type
from cores.fields.pruning import Pruned
from cores.graph import graph_sample
from cores.graph.adder_graph import AdderGraphDot
from cores.graph.graph_pipeline import GraphPipeline, Graphs
from cores.memory import result_buffer, weight_memory
from cores.memory.weight_words import WeightWords
from cores.op import Core, Op
from cores.pipeline import Stages
from cores.stalling import Stalling, Stored
from cores.sum.accumulator import Sums
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device

PIXELS = 1, 2, 4
"""Positions per cycle that foldings try."""


@dataclass(frozen=True, eq=False)
class MatVec(Op):
    """y[..., r] = sum of weights[r, c] * x[..., c] over c, plus offset[r].

    Parameters
    ----------
    weights : int array, (rows, cols)
    dtype : IntType
        Range of each input element.
    offset : int array, (rows,)
        A scalar stands for all rows.
    positions : tuple of int
        Leading axes of a frame; each position is a vector of its own.
    pe, simd : int
        Rows and columns computed per cycle; must divide `rows` and `cols`.
    pixels : int
        Positions computed per cycle, with the same weights; must divide the product of
        `positions`.
    arithmetic : Arithmetic
        `Popcount` needs weights -1 and 1 and inputs of 0..1; `AdderGraph` needs all rows and
        columns to be computed in every cycle.
    memory : Memory
        `Block` needs weights that change from cycle to cycle; of an `AdderGraph` it holds the
        results, and nothing stops the graph: faster, where it has thousands of registers.

    Raises
    ------
    ValueError
        A shape, a folding, `arithmetic` or `memory` does not suit the weights.
    TypeError
        `weights` or `offset` are not integers.

    Source
    ------
    FINN-R (Blott et al., 2018) for the folding scheme.
    """

    weights: np.ndarray
    dtype: IntType
    offset: np.ndarray = field(default_factory=lambda: np.zeros((), np.int64), kw_only=True)
    positions: tuple[int, ...] = field(default=(), kw_only=True)
    pe: int = field(default=1, kw_only=True)
    simd: int = field(default=1, kw_only=True)
    pixels: int = field(default=1, kw_only=True)
    arithmetic: Arithmetic = field(default=Lut(), kw_only=True)
    memory: Memory = field(default=Logic(), kw_only=True)

    def __post_init__(self):
        weights, offset = (integers(n, "MatVec", getattr(self, n)) for n in ("weights", "offset"))
        if weights.ndim != 2 or not weights.size:
            raise ValueError(
                f"weights of MatVec must be a matrix with at least one element, "
                f"not of shape {weights.shape}"
            )
        rows, cols = weights.shape
        if offset.shape not in ((), (rows,)):
            raise ValueError(f"offset of MatVec must have {rows} rows, not shape {offset.shape}")
        check_sums("MatVec", weights, offset, number_type("MatVec", self.dtype))
        positions = lengths("positions", "MatVec", self.positions)
        fixed = {
            "weights": weights,
            "offset": np.broadcast_to(offset, (rows,)),
            "positions": positions,
            "pe": divisor("PE", self.pe, rows, "rows of MatVec weights"),
            "simd": divisor("SIMD", self.simd, cols, "columns of MatVec weights"),
            "pixels": divisor("pixels", self.pixels, prod(positions), "positions of MatVec"),
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)
        kinds = self.weights, self.dtype
        matvec_arithmetic.check(
            self.arithmetic, self.memory, *kinds, pe=self.pe, simd=self.simd, pixels=self.pixels
        )

    @property
    def rows(self) -> int:
        return self.weights.shape[0]

    @property
    def cols(self) -> int:
        return self.weights.shape[1]

    @property
    def beats(self) -> int:
        """Input beats of one vector."""
        return self.cols // self.simd

    @property
    def groups(self) -> int:
        """Output beats of one vector."""
        return self.rows // self.pe

    @property
    def folds(self) -> int:
        """Steps of one vector, and words of weights."""
        return self.groups * self.beats

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType((*self.positions, self.cols), self.dtype, self.simd, self.pixels)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": StreamType((*self.positions, self.rows), self._range, self.pe, self.pixels)}

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest result of each row."""
        low, high = row_bounds(self.weights, self.dtype)
        return low + self.offset, high + self.offset

    @cached_property
    def _range(self) -> IntType:
        low, high = self._bounds
        return IntType(int(low.min()), int(high.max()))

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.asarray(tensors[0], np.int64) @ self.weights.T + self.offset

    @property
    def timing(self) -> Timing:
        cycles = prod(self.positions) // self.pixels * self.folds
        return Timing(
            cycles=cycles,
            # What an adder graph takes is known after a search.
            depth=self._depth,
            reads=self._reads,
            emits=lambda port: np.arange(self.beats - 1, cycles, self.beats),
            stalling=self._stored if self.buffered else None,
            cuts_ready=self.buffered,
        )

    def _reads(self, port: str) -> np.ndarray:
        starts = np.arange(0, self.cycles, self.folds)
        return (starts[:, None] + np.arange(self.beats)).ravel()

    def _depth(self) -> int | Stages:
        return self.computed + result_buffer.DEPTH if self.buffered else self.stages

    def _stored(self) -> Stalling:
        return Stored(result_buffer.words(self.computed), self.computed)

    @property
    def stages(self) -> Stages:
        """Of what is not buffered: operands, products, and sums if there are any."""
        return Stages(self.fetch + self.computed)

    @cached_property
    def dot(self) -> DotProduct:
        """The unit that multiplies and adds."""
        kinds = self.weights, self.dtype
        return matvec_arithmetic.plan(
            self.arithmetic, *kinds, pe=self.pe, simd=self.simd, pixels=self.pixels
        )

    @property
    def copies(self) -> int:
        """Units side by side, each for positions of its own."""
        return self.pe * self.pixels // len(self.dot.negated)

    @cached_property
    def folding(self) -> Folding:
        """How the steps of a vector share operands."""
        codes = self.dot.codes.reshape(self.groups, self.pe, self.beats, self.simd)
        weights = WeightWords(codes, self.dot.code_width)
        return Folding(self.groups, self.beats, self.inputs["i"].width, weights, self.memory)

    @property
    def fetch(self) -> int:
        """Cycles from a step to its operands: weights and kept inputs take two."""
        if isinstance(self.arithmetic, AdderGraph):
            return 0
        return self.folding.depth

    @property
    def computed(self) -> int:
        """Cycles from operands to results."""
        return self.dot.depth + (not self.finished)

    @property
    def buffered(self) -> bool:
        """Whether results wait in block RAM, so that nothing stops the adder graph."""
        return isinstance(self.arithmetic, AdderGraph) and isinstance(self.memory, Block)

    @property
    def finished(self) -> bool:
        """Whether the unit's registers hold the results, so that accumulators are not needed."""
        whole = isinstance(self.arithmetic, AdderGraph) and self.dot.depth > 0
        return whole and not self.offset.any() and not any(self.dot.negated)

    @property
    def macs(self) -> int:
        return prod(self.positions) * self.weights.size

    @property
    def sums(self) -> Sums:
        starts = (self.offset + self.dot.corrections).reshape(self.groups, self.pe)
        starts, negated = np.tile(starts, self.pixels), self.dot.negated * self.copies
        return Sums(starts, negated, self.dot.result, self._range, self.beats)

    @property
    def graphs(self) -> Graphs | None:
        """Of an adder graph, what its pipeline computes."""
        if not isinstance(self.dot, AdderGraphDot):
            return None
        sums = None if self.finished else self.sums
        return Graphs(self.dot, self.copies, sums, self.buffered)

    def cost(self, device: Device) -> Count:
        total = self.copies * self.dot.cost(device)
        if self.buffered:
            total += result_buffer.cost(self.outputs["o"].width, self.computed, device)
        else:
            # One flip-flop more than there is: `last` goes through a stage less.
            total += control_cost(self.stages) + Count(ff=1)
        total += operand_fetch.cost(self.folding, device, kept=self.fetch)
        return total if self.finished else total + self.sums.cost(device)

    def pruned(self, device: Device) -> Pruned:
        dots = matvec_arithmetic.with_and_without_zeros(
            self.arithmetic, self.weights, self.dtype, pe=self.pe, simd=self.simd
        )
        costs = [price(self.pixels * dot.cost(device), device) for dot in dots]
        return Pruned.of(self.weights, *costs)

    def rough_cost(self, device: Device) -> Count | None:
        if not isinstance(self.arithmetic, AdderGraph):
            return None
        rows, cols, times = graph_sample.sample(self.weights)
        part = replace(
            self,
            weights=self.weights[np.ix_(rows, cols)],
            offset=self.offset[rows],
            pe=len(rows),
            simd=len(cols),
            arithmetic=replace(self.arithmetic, tries=1),
            memory=Logic(),
        )
        total = part.cost(device).scaled(times)
        if self.buffered:
            total += result_buffer.cost(self.outputs["o"].width, part.computed, device)
        return total

    @property
    def sought(self) -> tuple[object, ...] | None:
        if not isinstance(self.arithmetic, AdderGraph):
            return None
        return "adder graph", self.weights, self.dtype, self.arithmetic

    def found(self) -> list:
        assert isinstance(self.dot, AdderGraphDot)
        return self.dot.graph.record

    def recall(self, found: list) -> None:
        assert isinstance(self.dot, AdderGraphDot)
        self.dot.recall(found)

    @property
    def density(self) -> float:
        if isinstance(self.arithmetic, AdderGraph):
            return np.count_nonzero(self.weights) / self.weights.size
        return 1.0

    def foldings(self, device: Device) -> Iterator["MatVec"]:
        kinds = self.weights, self.dtype
        shared = [n for n in PIXELS if prod(self.positions) % n == 0]
        for pe, simd, pixels in product(divisors(self.rows), divisors(self.cols), shared):
            offers = matvec_arithmetic.offered(
                *kinds, pe=pe, simd=simd, pixels=pixels, device=device
            )
            for arithmetic, memory in offers:
                yield replace(
                    self, pe=pe, simd=simd, pixels=pixels, arithmetic=arithmetic, memory=memory
                )

    def binding(self) -> str:
        pixels = f" x {self.pixels} pixels" if self.pixels > 1 else ""
        return f"PE {self.pe} x SIMD {self.simd}{pixels}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["MatVec"]:
        return matvec_examples.examples(cls, rng)

    def extremes(self) -> tuple[np.ndarray, ...]:
        low, high = self._bounds
        lo, hi = self.dtype.lo, self.dtype.hi
        lowest, highest = self.weights[low.argmin()], self.weights[high.argmax()]
        frames = [np.where(lowest > 0, lo, hi), np.where(highest > 0, hi, lo)]
        return (np.stack([np.broadcast_to(x, self.inputs["i"].shape) for x in frames]),)

    def core(self, device: Device | None = None) -> "MVAU | GraphPipeline":
        if device is not None:
            matvec_arithmetic.check_device(
                self.arithmetic, self.weights, self.dtype, simd=self.simd, device=device
            )
            if isinstance(self.memory, Block):
                weight_memory.check_device("MatVec", self.cost(device).ram_blocks, device)
            if isinstance(self.arithmetic, Dsp | ChainedDsp | PackedDsp):
                multiplier.check_device("MatVec", self.cost(device).dsp, device)
        if self.graphs is not None:
            return GraphPipeline(self, self.graphs, device)
        return MVAU(self, device)


class MVAU(Core):
    """Computes a `MatVec`: one fold of the matrix per cycle, with no bubble between vectors.

    All registers move together while the output can be taken; a step that lacks its input beat
    passes as a bubble. The accumulators are the output registers.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: MatVec
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        parts = product_pipeline(
            m,
            self.i,
            self.o,
            stages=op.stages,
            folding=op.folding,
            sums=op.sums,
            device=self.device,
        )
        fetch, sums = parts.fetch, parts.sums
        # The lanes of all copies, those of one position after the other's, as in a beat.
        m.submodules.dots = dots = DotCopies(op.dot, op.copies, self.device)
        m.d.comb += [dots.en.eq(parts.pipeline.advance), dots.x.eq(fetch.x), dots.w.eq(fetch.w)]
        m.d.comb += Value.cast(sums.i).eq(dots.o)
        return m

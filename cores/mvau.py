"""Matrix-vector product: constant weights, folded over rows (PE) and columns (SIMD)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores import dsp_packing, replay, weight_memory
from cores.accumulator import Accumulators, Sums
from cores.adder_graph import AdderGraphDot
from cores.constant_dot import ConstantDot
from cores.cost import Count
from cores.digit_dot import DigitDot
from cores.dot_product import DotProduct, DotUnit, weight_range
from cores.multiplier import ProductDot, fits
from cores.op import (
    ARITHMETIC,
    MEMORY,
    AdderGraph,
    Arithmetic,
    Block,
    Core,
    Dsp,
    Logic,
    Lut,
    Memory,
    Op,
    PackedDsp,
    Popcount,
)
from cores.packed_dot import PackedDot
from cores.popcount import XnorDot
from cores.replay import Replay
from cores.types import IntType, StreamType
from cores.weight_memory import WeightMemory
from platforms.device import Device

SEARCHED_WEIGHTS = 256
"""Weights other than 0 up to which `foldings` offers an adder graph."""


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
        Positions computed per cycle; only 1 is built.
    arithmetic : Arithmetic
        `Popcount` needs weights -1 and 1 and inputs of 0..1; `AdderGraph` needs all rows and
        columns to be computed in every cycle.
    memory : Memory
        `Block` needs weights that change from cycle to cycle.

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
        weights, offset = np.asarray(self.weights), np.asarray(self.offset)
        for name, array in (("weights", weights), ("offset", offset)):
            if array.dtype.kind not in "iu":
                raise TypeError(f"{name} of MatVec must be integers, not {array.dtype}")
        if weights.ndim != 2 or not weights.size:
            raise ValueError(
                f"weights of MatVec must be a matrix with at least one element, "
                f"not of shape {weights.shape}"
            )
        rows, cols = weights.shape
        if offset.shape not in ((), (rows,)):
            raise ValueError(f"offset of MatVec must have {rows} rows, not shape {offset.shape}")
        object.__setattr__(self, "weights", weights.astype(np.int64))
        object.__setattr__(self, "offset", np.broadcast_to(offset, (rows,)).astype(np.int64))
        if self.positions and min(self.positions) < 1:
            raise ValueError(f"positions of MatVec must be positive, not {self.positions}")
        if self.pe < 1 or rows % self.pe:
            raise ValueError(f"PE must divide the {rows} rows of MatVec weights, not {self.pe}")
        if self.simd < 1 or cols % self.simd:
            raise ValueError(
                f"SIMD must divide the {cols} columns of MatVec weights, not {self.simd}"
            )
        if self.pixels != 1:
            raise ValueError(f"pixels of MatVec must be 1, not {self.pixels}")
        if isinstance(self.arithmetic, Popcount) and not self._binary:
            raise ValueError(
                "popcount arithmetic of MatVec needs weights -1 and 1 and inputs of 0..1, "
                f"not weights {weight_range(self.weights)} and inputs {self.dtype}"
            )
        if isinstance(self.arithmetic, AdderGraph) and self.folds > 1:
            raise ValueError(
                f"adder_graph arithmetic of MatVec needs PE {self.rows} and SIMD {self.cols}, all "
                f"rows and columns, not PE {self.pe} and SIMD {self.simd}"
            )
        if isinstance(self.arithmetic, PackedDsp):
            dsp_packing.check(self.arithmetic, self.dtype, weight_range(self.weights), pe=self.pe)
        if isinstance(self.memory, Block) and self.folds == 1:
            raise ValueError(
                "block memory of MatVec needs at least 2 words, but "
                f"PE {self.pe} and SIMD {self.simd} leave one"
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
    def _binary(self) -> bool:
        return bool((abs(self.weights) == 1).all()) and IntType(0, 1).holds(self.dtype)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType((*self.positions, self.cols), self.dtype, self.simd)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": StreamType((*self.positions, self.rows), self._range, self.pe)}

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest result of each row."""
        ends = np.stack([self.weights * self.dtype.lo, self.weights * self.dtype.hi])
        low, high = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        return low + self.offset, high + self.offset

    @cached_property
    def _range(self) -> IntType:
        low, high = self._bounds
        return IntType(int(low.min()), int(high.max()))

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.asarray(tensors[0], np.int64) @ self.weights.T + self.offset

    @property
    def cycles(self) -> int:
        return prod(self.positions) * self.folds

    def reads(self, port: str) -> np.ndarray:
        starts = np.arange(prod(self.positions)) * self.folds
        return (starts[:, None] + np.arange(self.beats)).ravel()

    def emits(self, port: str) -> np.ndarray:
        return np.arange(self.beats - 1, self.cycles, self.beats)

    @cached_property
    def dot(self) -> DotProduct:
        """The unit that multiplies and adds."""
        match self.arithmetic:
            case Popcount():
                fixed = self.folds == 1
                return XnorDot(self.weights, self.dtype, self.pe, self.simd, fixed)
            case Dsp():
                return ProductDot(self.weights, self.dtype, self.pe, self.simd)
            case PackedDsp():
                kinds = self.dtype, weight_range(self.weights)
                layout = dsp_packing.best(self.arithmetic, *kinds, products=self.simd)
                return PackedDot(self.weights, self.dtype, self.pe, self.simd, layout)
            case AdderGraph():
                return AdderGraphDot(self.weights, self.dtype)
            case _ if self.folds == 1:
                return ConstantDot(self.weights, self.dtype)
            case _:
                return DigitDot(self.weights, self.dtype, self.pe, self.simd)

    @property
    def fetch(self) -> int:
        """Cycles from a step to its operands: weights and kept inputs take two."""
        if isinstance(self.arithmetic, AdderGraph):
            return 0
        return weight_memory.DEPTH if self.folds > 1 else 1

    @property
    def depth(self) -> int:
        return self.fetch + self.dot.depth + (not self.finished)

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
        return Sums(starts, self.dot.negated, self.dot.result, self._range, self.beats)

    def cost(self, device: Device) -> Count:
        width = self.inputs["i"].width
        counters = sum((n - 1).bit_length() for n in (self.folds, self.beats) if n > 1)
        control = Count(lut=6 + counters // 2, add=counters, ff=counters + 2 * self.depth)
        total = control + self.dot.cost(device)
        if self.groups > 1:
            total += replay.cost(self.beats, width, device)
        else:
            total += Count(ff=self.fetch * width)
        word = self.pe * self.simd * self.dot.code_width
        total += weight_memory.cost(self.folds, word, self.memory, device)
        return total if self.finished else total + self.sums.cost(device)

    def foldings(self, device: Device) -> Iterator["MatVec"]:
        for pe, simd in product(_divisors(self.rows), _divisors(self.cols)):
            for arithmetic, memory in product(ARITHMETIC.values(), MEMORY.values()):
                if isinstance(arithmetic, Popcount) and not self._binary:
                    continue
                if isinstance(arithmetic, Dsp) and not self._fits(device):
                    continue
                if isinstance(arithmetic, PackedDsp) and not self._packs(arithmetic, pe, device):
                    continue
                folded = pe * simd < self.weights.size
                if isinstance(memory, Block) and not folded:
                    continue
                if isinstance(arithmetic, AdderGraph) and (folded or not self._searchable):
                    continue
                yield replace(self, pe=pe, simd=simd, arithmetic=arithmetic, memory=memory)

    @property
    def _searchable(self) -> bool:
        """Whether the search for shared sums ends within seconds; a user may still ask for it."""
        return int(np.count_nonzero(self.weights)) <= SEARCHED_WEIGHTS

    def _fits(self, device: Device) -> bool:
        return fits(device, self.dtype, weight_range(self.weights))

    def _packs(self, arithmetic: PackedDsp, pe: int, device: Device) -> bool:
        weight = weight_range(self.weights)
        return dsp_packing.pays(arithmetic, self.dtype, weight, pe=pe, device=device)

    def binding(self) -> str:
        return f"PE {self.pe} x SIMD {self.simd}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["MatVec"]:
        def draw(rows: int, cols: int, lo: int, hi: int) -> np.ndarray:
            return rng.integers(lo, hi + 1, (rows, cols))

        u1, u2, u4, s4 = IntType(0, 1), IntType(0, 3), IntType(0, 15), IntType(-7, 7)
        signs = 2 * draw(6, 8, 0, 1) - 1
        mixed = draw(6, 8, -7, 7)
        offset = rng.integers(-50, 50, 6)
        return (
            cls(mixed, u4),
            cls(mixed, u4, pe=2, simd=4, offset=offset, positions=(2, 3)),
            cls(mixed, u4, pe=3, simd=2, memory=Block()),
            cls(mixed, u4, pe=2, simd=4, arithmetic=Dsp(), memory=Block(), positions=(3,)),
            cls(mixed, s4, pe=6, simd=1, arithmetic=Dsp(), offset=offset),
            cls(mixed, s4, pe=1, simd=8),
            cls(mixed, u4, pe=6, simd=8, positions=(2,), offset=offset),
            cls(mixed, IntType(-9, -2), pe=6, simd=4),
            cls(draw(6, 8, -1, 1), u2, pe=3, simd=4, memory=Block()),
            cls(draw(6, 8, -1, 1), s4, pe=6, simd=8),
            cls(signs, IntType(-5, 10), pe=2, simd=2),
            cls(signs, u1, pe=2, simd=8, arithmetic=Popcount(), offset=(signs < 0).sum(axis=1)),
            cls(signs, u1, pe=3, simd=2, arithmetic=Popcount(), memory=Block()),
            cls(signs, u1, pe=6, simd=8, arithmetic=Popcount(), positions=(2,)),
            cls(draw(4, 6, -128, 127), IntType(-128, 255), pe=2, simd=3, memory=Block()),
            cls(draw(4, 7, -31, 31), IntType(0, 255), pe=4, simd=7),
            cls(draw(2, 7, -8, 7), IntType(0, 10), pe=2, simd=7, positions=(1, 2)),
            cls(draw(3, 1, -8, 7), u4, positions=(2,)),
            cls(draw(1, 5, 1, 9), u1, simd=5),
            cls(np.array([[-3]]), s4),
            cls(mixed, u4, pe=6, simd=8, arithmetic=AdderGraph(), positions=(3,)),
            cls(mixed, s4, pe=6, simd=8, arithmetic=AdderGraph(), offset=offset),
            cls(
                np.array([[0, 0, 0], [8, 0, 0], [-3, -3, -1], [0, 5, -10], [3, 3, 1]]),
                IntType(-9, 20),
                pe=5,
                simd=3,
                arithmetic=AdderGraph(),
            ),
            cls(np.zeros((2, 4), np.int64), u4, simd=2, offset=np.array([3, -4])),
            cls(draw(2, 20, -1, 1), u1, simd=20),
            cls(draw(2, 4, -7, 7), IntType(5, 5), simd=2),
            cls(mixed, u4, pe=3, simd=4, arithmetic=PackedDsp(3, 18), memory=Block()),
            cls(mixed, s4, pe=6, simd=8, arithmetic=PackedDsp(4, 8), offset=offset),
            cls(draw(6, 8, -8, 7), u4, pe=6, simd=8, arithmetic=PackedDsp(2, 18)),
            cls(draw(3, 6, -128, 127), s4, pe=3, simd=2, arithmetic=PackedDsp(2, 8)),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        low, high = self._bounds
        lo, hi = self.dtype.lo, self.dtype.hi
        lowest, highest = self.weights[low.argmin()], self.weights[high.argmax()]
        frames = [np.where(lowest > 0, lo, hi), np.where(highest > 0, hi, lo)]
        return (np.stack([np.broadcast_to(x, self.inputs["i"].shape) for x in frames]),)

    def core(self, device: Device | None = None) -> "MVAU":
        if isinstance(self.arithmetic, Dsp) and device is not None and not self._fits(device):
            raise ValueError(
                f"DSP arithmetic of MatVec needs a multiplier for {self.dtype} x "
                f"{weight_range(self.weights)}, which {device.name} has not"
            )
        if isinstance(self.arithmetic, PackedDsp) and device is not None:
            dsp_packing.check_device(self.arithmetic, device)
        return MVAU(self, device)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


class MVAU(Core):
    """Computes a `MatVec`: one fold of the matrix per cycle, with no bubble between vectors.

    All registers move together while the output can be taken; a step that lacks its input beat
    passes as a bubble. The accumulators are the output registers. Of an adder graph, each stage
    moves for itself while there is room behind it, and its sums are the output registers if there
    is nothing to add to them.

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
        m.submodules.dot = dot = op.dot.unit(self.device)
        if isinstance(op.arithmetic, AdderGraph):
            self._stages(m, dot)
            return m
        advance = Signal()
        m.d.comb += advance.eq(~self.o.valid | self.o.ready)
        m.d.comb += dot.en.eq(advance)
        step, last = self._fetch(m, dot, advance)

        latency = op.fetch + op.dot.depth
        steps = Signal(latency)
        with m.If(advance):
            m.d.sync += steps.eq(Cat(step, steps))
        done = steps[-1]
        if op.beats > 1:
            lasts = Signal(latency, reset_less=True)
            with m.If(advance):
                m.d.sync += lasts.eq(Cat(last, lasts))
            last = lasts[-1]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(done & last)
        m.submodules.sums = sums = Accumulators(op.sums)
        m.d.comb += [sums.add.eq(advance & done), sums.last.eq(last)]
        m.d.comb += [sums.i.eq(dot.o), self.o.payload.eq(sums.o)]
        return m

    def _stages(self, m: Module, dot: DotUnit) -> None:
        """Stages that move for themselves: one net that enables thousands of registers is slow."""
        op = self.op
        valid, moves = Signal(op.depth), Signal(op.depth)
        m.d.comb += [dot.x.eq(self.i.payload), dot.en.eq(moves), self.i.ready.eq(moves[0])]
        for stage in range(op.depth):
            m.d.comb += moves[stage].eq(self.o.ready | ~valid[stage:].all())
            with m.If(moves[stage]):
                m.d.sync += valid[stage].eq(valid[stage - 1] if stage else self.i.valid)
        m.d.comb += self.o.valid.eq(valid[-1])
        if op.finished:
            m.d.comb += self.o.payload.eq(dot.o)
            return
        m.submodules.sums = sums = Accumulators(op.sums)
        m.d.comb += [sums.add.eq(moves[-1]), sums.last.eq(1)]
        m.d.comb += [sums.i.eq(dot.o), self.o.payload.eq(sums.o)]

    def _fetch(self, m: Module, dot: DotUnit, advance: Value) -> tuple[Value, Value]:
        """Takes or replays a beat and reads its weights; whether there is a step, and whether it
        is the last of its row group."""
        op = self.op
        step, fresh = Signal(), Signal(init=1)
        m.d.comb += self.i.ready.eq(advance & fresh)
        m.d.comb += step.eq(advance & (self.i.valid | ~fresh))
        fold, fold_last = self._counter(m, "fold", op.folds, step)
        beat, beat_last = self._counter(m, "beat", op.beats, step)
        with m.If(step):
            if op.groups > 1:
                with m.If(fold_last):
                    m.d.sync += fresh.eq(1)
                with m.Elif(beat_last):
                    m.d.sync += fresh.eq(0)

        x: Value = self.i.payload.as_value()
        if op.groups > 1:
            m.submodules.replay = kept = Replay(op.beats, len(x), self.device)
            m.d.comb += [kept.en.eq(advance), kept.step.eq(step), kept.fresh.eq(fresh)]
            m.d.comb += [kept.addr.eq(beat), kept.i.eq(x)]
            x = kept.o
        else:
            for k in range(op.fetch):
                late = Signal(len(x), name=f"x{k}", reset_less=True)
                with m.If(advance):
                    m.d.sync += late.eq(x)
                x = late
        m.d.comb += dot.x.eq(x)

        width = op.dot.code_width
        if width:
            words = _words(op, width)
            memory = WeightMemory(words, op.pe * op.simd * width, op.memory, self.device)
            m.submodules.weights = memory
            m.d.comb += [memory.en.eq(advance), memory.addr.eq(fold), dot.w.eq(memory.data)]
        return step, beat_last

    @staticmethod
    def _counter(m: Module, name: str, count: int, step: Value) -> tuple[Value, Value]:
        """Counts steps modulo `count`; the count and whether it is the last one, a register."""
        number = Signal(range(count), name=name)
        last = Signal(name=f"{name}_last", init=count == 1)
        if count > 1:
            with m.If(step):
                m.d.sync += number.eq(Mux(last, 0, number + 1))
                m.d.sync += last.eq(number == count - 2)
        return number, last


def _words(op: MatVec, width: int) -> list[int]:
    """Weight words, bits [group * beats + beat][pe][simd]."""
    codes = op.dot.codes.reshape(op.groups, op.pe, op.beats, op.simd).transpose(0, 2, 1, 3)
    lanes = codes.reshape(op.folds, op.pe * op.simd).tolist()
    return [sum(code << width * k for k, code in enumerate(row)) for row in lanes]

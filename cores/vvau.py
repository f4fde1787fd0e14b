"""Depthwise product: each channel's window with that channel's own weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import product
from math import prod
from operator import add

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream

from cores.choices import Arithmetic, Block, Dsp, Logic, Lut, Memory
from cores.cost import Count, price
from cores.dot import multiplier, operand_fetch
from cores.dot.constant_dot import ConstantDot
from cores.dot.digit_dot import DigitDot
from cores.dot.dot_product import DotProduct, row_bounds, weight_range
from cores.dot.multiplier import ProductDot, fits
from cores.dot.operand_fetch import Folding
from cores.dot.product_pipeline import ProductPipeline, control_cost, product_pipeline, stages
from cores.fields.arguments import check_sums, choice, divisor, integers, lengths, number_type
from cores.fields.pruning import Pruned, filled
from cores.memory import weight_memory
from cores.memory.weight_words import WeightWords
from cores.op import Core, Op
from cores.pipeline import Stages
from cores.sum.accumulator import Sums
from cores.timing import Timing
from cores.types import IntType, StreamType, depthwise, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class DepthwiseVec(Op):
    """y[..., c*m + j] = sum over k of weights[c*m + j, k] * x[..., k*C + c], plus offset[c*m + j].

    Parameters
    ----------
    weights : int array, (C * m, taps)
    dtype : IntType
        Range of each input element.
    channels : int
        C, the channels of each tap; divides the rows of `weights`.
    offset : int array, (C * m,)
        A scalar stands for all rows.
    positions : tuple of int
        Leading axes of a frame.
    pe, simd : int
        Channels and taps computed per cycle; divide their numbers. The results of all m rows of a
        channel come together.
    arithmetic : Arithmetic
        `Lut` or `Dsp`.
    memory : Memory
        `Block` needs weights that change from cycle to cycle.

    Raises
    ------
    ValueError
        A shape, a folding, `arithmetic` or `memory` does not suit the weights.
    TypeError
        `weights` or `offset` are not integers.
    """

    weights: np.ndarray
    dtype: IntType
    channels: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros((), np.int64), kw_only=True)
    positions: tuple[int, ...] = field(default=(), kw_only=True)
    pe: int = field(default=1, kw_only=True)
    simd: int = field(default=1, kw_only=True)
    arithmetic: Arithmetic = field(default=Lut(), kw_only=True)
    memory: Memory = field(default=Logic(), kw_only=True)

    def __post_init__(self):
        weights = integers("weights", "DepthwiseVec", self.weights)
        offset = integers("offset", "DepthwiseVec", self.offset)
        if weights.ndim != 2 or not weights.size:
            raise ValueError(
                f"weights of DepthwiseVec must be a matrix with at least one element, "
                f"not of shape {weights.shape}"
            )
        rows, taps = weights.shape
        if self.channels < 1 or rows % self.channels:
            raise ValueError(
                f"channels must divide the {rows} rows of DepthwiseVec weights, not {self.channels}"
            )
        if offset.shape not in ((), (rows,)):
            raise ValueError(
                f"offset of DepthwiseVec must have {rows} rows, not shape {offset.shape}"
            )
        check_sums("DepthwiseVec", weights, offset, number_type("DepthwiseVec", self.dtype))
        fixed = {
            "weights": weights,
            "offset": np.broadcast_to(offset, (rows,)),
            "positions": lengths("positions", "DepthwiseVec", self.positions),
            "pe": divisor("PE", self.pe, self.channels, "channels of DepthwiseVec"),
            "simd": divisor("SIMD", self.simd, taps, "taps of DepthwiseVec"),
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)
        choice("arithmetic", "DepthwiseVec", self.arithmetic, {"lut": Lut, "dsp": Dsp})
        choice("memory", "DepthwiseVec", self.memory, {"logic": Logic, "block": Block})
        if isinstance(self.memory, Block) and self.folds == 1:
            raise ValueError(
                "block memory of DepthwiseVec must have at least 2 words, but "
                f"PE {self.pe} and SIMD {self.simd} leave one"
            )

    @property
    def taps(self) -> int:
        return self.weights.shape[1]

    @property
    def multiplier(self) -> int:
        """m, the rows of each channel."""
        return len(self.weights) // self.channels

    @property
    def beats(self) -> int:
        """Input beats of one channel group."""
        return self.taps // self.simd

    @property
    def groups(self) -> int:
        """Channel groups of a position."""
        return self.channels // self.pe

    @property
    def folds(self) -> int:
        """Steps of one position, and words of weights."""
        return self.groups * self.beats

    @property
    def inputs(self) -> dict[str, StreamType]:
        shape = (*self.positions, self.taps * self.channels)
        order = depthwise(self.taps, self.channels, self.pe)
        return {"i": StreamType(shape, self.dtype, self.pe * self.simd, order=order)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        shape = (*self.positions, len(self.weights))
        return {"o": StreamType(shape, self._range, self.pe * self.multiplier)}

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
        x = np.asarray(tensors[0], np.int64)
        x = x.reshape(*x.shape[:-1], self.taps, self.channels)
        weights = self.weights.reshape(self.channels, self.multiplier, self.taps)
        y = np.einsum("...kc,cjk->...cj", x, weights)
        return y.reshape(*x.shape[:-2], len(self.weights)) + self.offset

    @property
    def stages(self) -> Stages:
        return stages(self.folding, self._dot_depth)

    @property
    def timing(self) -> Timing:
        cycles = prod(self.positions) * self.folds
        return Timing(
            cycles=cycles,
            depth=lambda: self.stages,
            emits=lambda port: np.arange(self.beats - 1, cycles, self.beats),
        )

    @cached_property
    def dots(self) -> tuple[DotProduct, ...]:
        """The unit of each lane, all rows of a channel."""
        if isinstance(self.arithmetic, Dsp):
            plan = ProductDot(self.weights, self.dtype, self.multiplier, self.simd)
            return (plan,) * self.pe
        if self.folds == 1:
            lanes = np.split(self.weights, self.pe)
            return tuple(ConstantDot(lane, self.dtype) for lane in lanes)
        return (DigitDot(self.weights, self.dtype, self.multiplier, self.simd),) * self.pe

    @property
    def _dot_depth(self) -> int:
        return max(dot.depth for dot in self.dots)

    @cached_property
    def folding(self) -> Folding:
        """The steps of a position, each with a beat and weights of its own."""
        lanes = self.pe * self.multiplier
        codes = self.weights if self.folds == 1 else self.dots[0].codes
        codes = codes.reshape(self.groups, lanes, self.beats, self.simd)
        weights = WeightWords(codes, self.dots[0].code_width)
        return Folding(1, self.folds, self.inputs["i"].width, weights, self.memory)

    @property
    def macs(self) -> int:
        return prod(self.positions) * self.weights.size

    @cached_property
    def sums(self) -> Sums:
        constant = self.folds == 1 and isinstance(self.arithmetic, Lut)
        missing = np.concatenate(
            [d.corrections for d in (self.dots if constant else self.dots[:1])]
        )
        starts = (self.offset + missing).reshape(self.groups, self.pe * self.multiplier)
        negated = [flag for dot in self.dots for flag in dot.negated]
        word = reduce(IntType.union, (dot.result for dot in self.dots))
        return Sums(starts, negated, word, self._range, self.beats)

    def cost(self, device: Device) -> Count:
        total = control_cost(self.stages)
        if self.groups > 1 and self.beats > 1:
            beat = (self.beats - 1).bit_length()
            total += Count(lut=beat // 2 + 1, add=beat, ff=beat + 1)
        for dot in self.dots:
            late = (self._dot_depth - dot.depth) * dot.result.width * self.multiplier
            total += dot.cost(device) + Count(ff=late)
        total += operand_fetch.cost(self.folding, device, kept=self.folding.depth)
        return total + self.sums.cost(device)

    def pruned(self, device: Device) -> Pruned:
        if self.folds > 1 or not isinstance(self.arithmetic, Lut):
            return Pruned.of(self.weights)
        full = replace(self, weights=filled(self.weights))
        costs = (reduce(add, (dot.cost(device) for dot in op.dots)) for op in (full, self))
        return Pruned.of(self.weights, *(price(count, device) for count in costs))

    def foldings(self, device: Device) -> Iterator["DepthwiseVec"]:
        for pe, simd in product(divisors(self.channels), divisors(self.taps)):
            folded = pe * simd < self.channels * self.taps
            for arithmetic, memory in product((Lut(), Dsp()), (Logic(), Block())):
                if isinstance(arithmetic, Dsp) and not self._fits(device):
                    continue
                if isinstance(memory, Block) and not folded:
                    continue
                yield replace(self, pe=pe, simd=simd, arithmetic=arithmetic, memory=memory)

    def _fits(self, device: Device) -> bool:
        return fits(device, self.dtype, weight_range(self.weights))

    def binding(self) -> str:
        return f"PE {self.pe} x SIMD {self.simd}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["DepthwiseVec"]:
        def draw(rows: int, taps: int, lo: int, hi: int) -> np.ndarray:
            return rng.integers(lo, hi + 1, (rows, taps))

        u4, s4 = IntType(0, 15), IntType(-7, 7)
        six, offset = draw(6, 9, -7, 7), rng.integers(-50, 50, 6)
        return (
            cls(six, u4, 6),
            cls(six, u4, 6, offset=offset, positions=(2, 3)),
            cls(six, s4, 6, offset=offset, pe=2, positions=(3,)),
            cls(six, s4, 6, pe=3, simd=3, memory=Block()),
            cls(six, u4, 6, pe=2, simd=9, offset=offset, positions=(2,)),
            cls(six, u4, 6, pe=6, simd=1, arithmetic=Dsp(), memory=Block()),
            cls(six, s4, 6, pe=6, simd=9, positions=(3,), offset=offset),
            cls(six, s4, 6, pe=6, simd=9, arithmetic=Dsp()),
            cls(six, u4, 3, offset=offset, simd=3),
            cls(six, u4, 2, pe=2, simd=3, arithmetic=Dsp(), positions=(2,)),
            cls(draw(4, 3, -1, 1), IntType(-128, 127), 4, pe=2, offset=np.arange(4)),
            cls(draw(3, 4, -128, 127), IntType(0, 255), 3, simd=2, memory=Block()),
            cls(np.array([[0, 0], [-4, 1]]), u4, 2, pe=2, simd=2),
            cls(np.array([[-3]]), s4, 1),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        frames = []
        for bounds, best, worst in (
            (self._bounds[0].argmin(), self.dtype.lo, self.dtype.hi),
            (self._bounds[1].argmax(), self.dtype.hi, self.dtype.lo),
        ):
            taps = np.where(self.weights[bounds] > 0, best, worst)
            frames.append(np.broadcast_to(np.repeat(taps, self.channels), self.inputs["i"].shape))
        return (np.stack(frames),)

    def core(self, device: Device | None = None) -> "VVAU":
        if isinstance(self.arithmetic, Dsp) and device is not None and not self._fits(device):
            raise ValueError(
                f"DSP arithmetic of DepthwiseVec must have a multiplier for {self.dtype} x "
                f"{weight_range(self.weights)}, which {device.name} has not"
            )
        if device is not None:
            count = self.cost(device)
            weight_memory.check_device("DepthwiseVec", count.ram_blocks, device)
            multiplier.check_device("DepthwiseVec", count.dsp, device)
        return VVAU(self, device)


class VVAU(Core):
    """Computes a `DepthwiseVec`: one input beat per cycle.

    All registers move together while the output can be taken; a step that lacks its input beat
    passes as a bubble. The accumulators are the output registers.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: DepthwiseVec
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
        for lane in range(op.pe):
            self._lane(m, lane, parts)
        return m

    def _lane(self, m: Module, lane: int, parts: ProductPipeline) -> None:
        """The products of one of the channels at once."""
        op, plan = self.op, self.op.dots[lane]
        pipeline, fetch, sums = parts.pipeline, parts.fetch, parts.sums
        m.submodules[f"dot{lane}"] = dot = plan.unit(self.device)
        m.d.comb += dot.en.eq(pipeline.advance)
        for tap in range(op.simd):
            element = fetch.x.word_select(tap * op.pe + lane, op.dtype.width)
            m.d.comb += dot.x[tap].eq(element)
        m.d.comb += dot.w.eq(fetch.w.word_select(lane, len(fetch.w) // op.pe))
        for row in range(op.multiplier):
            # Lanes of constants can have lower trees than others: their sums wait for the tallest.
            early = op.stages.depth - 1 - op.folding.depth - plan.depth
            word = pipeline.delay(dot.o[row], early, name=f"late{lane}_{row}_")
            m.d.comb += sums.i[lane * op.multiplier + row].eq(word)

"""Weigh: each element times a small number that depends on its position alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.dot.constant_dot import digit_forms
from cores.memory import loop_nest
from cores.memory.loop_nest import LoopNest
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Weigh(Op):
    """y[i, j, ..., c] = weights[0][i] * weights[1][j] * ... * x[i, j, ..., c].

    Parameters
    ----------
    shape : tuple of int
        Of a frame, channels last.
    dtype : IntType
    weights : tuple of tuple of int
        Positive; one number for each index of each axis but the channels.
    pe : int
        Channels per beat; divides their number.

    Raises
    ------
    ValueError
        Weights that do not fit the shape or are not positive, or a `pe` that does not divide.
    """

    shape: tuple[int, ...]
    dtype: IntType
    weights: tuple[tuple[int, ...], ...]
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if tuple(map(len, self.weights)) != self.shape[:-1]:
            raise ValueError(
                f"weights of Weigh must have one number for each index of {self.shape[:-1]}, "
                f"not {tuple(map(len, self.weights))}"
            )
        if any(min(axis) < 1 for axis in self.weights):
            raise ValueError(f"weights of Weigh must be positive, not {self.weights}")
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(f"PE must divide the {self.channels} channels of Weigh, not {self.pe}")

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        least, most = (prod(map(end, self.weights)) for end in (min, max))
        ends = [x * w for x in (self.dtype.lo, self.dtype.hi) for w in (least, most)]
        return {"o": StreamType(self.shape, IntType(min(ends), max(ends)), self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        result = np.array(tensors[0], np.int64)
        for axis, weights in enumerate(self.weights):
            shape = [1] * len(self.shape)
            shape[axis] = -1
            result = result * np.array(weights, np.int64).reshape(shape)
        return result

    @property
    def stages(self) -> Stages:
        return Stages(self.levels + 1)  # those of the tallest tree, and the output register

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.inputs["i"].beats, depth=self.stages)

    @property
    def turns(self) -> list[int]:
        """Turns of the loops over the beats, innermost first."""
        return [self.channels // self.pe, *reversed(self.shape[:-1])]

    @cached_property
    def kinds(self) -> tuple[tuple[int, ...], ...]:
        """The different weights of each axis, the most frequent first."""
        return tuple(tuple(w for w, _ in Counter(axis).most_common()) for axis in self.weights)

    @cached_property
    def factors(self) -> tuple[int, ...]:
        """The different weights of positions."""
        return tuple(sorted({prod(ws) for ws in product(*self.kinds)}))

    def terms(self, factor: int) -> list[tuple[int, Term]]:
        """What makes an element times a factor: how far each word is shifted before it is added,
        and what it stands for then. The first is added, so that the sum is not negated."""
        form = min(digit_forms(factor), key=lambda digits: digits[0][1])
        if not form[0][1]:
            return [(0, Term(self.dtype, shift, negative)) for shift, negative in form]
        lowest, terms = form[0][0], []
        for shift, negative in sorted(form, key=lambda digit: digit[1]):
            up = shift - lowest
            word = IntType(self.dtype.lo << up, self.dtype.hi << up)
            terms.append((up, Term(word, lowest, negative)))
        return terms

    def plan(self, factor: int) -> list[Term]:
        return [term for _, term in self.terms(factor)]

    @cached_property
    def levels(self) -> int:
        return max(adder_tree.levels(len(self.terms(factor))) for factor in self.factors)

    def cost(self, device: Device) -> Count:
        width = self.outputs["o"].dtype.width
        lanes = Count(ff=width, lut=width * (len(self.factors) - 1))
        passed = []
        for factor in self.factors:
            terms = self.plan(factor)
            lanes += adder_tree.cost(terms, device)
            late = self.levels - adder_tree.levels(len(terms))
            lanes += Count(ff=late * adder_tree.plan(terms)[-1][0].dtype.width)
            passed.append(terms[1].shift - terms[0].shift if terms[1:] else self.dtype.width)
        lanes += Count(ff=-(sum(passed) - max(passed)))  # the same bits a cycle later, once for all
        bits = (len(self.factors) - 1).bit_length()
        edges = sum(len(axis) - axis.count(self.kinds[k][0]) for k, axis in enumerate(self.weights))
        total = self.stages.cost + Count(lut=edges + bits, ff=self.levels * bits)
        return total + self.pe * lanes + loop_nest.cost(self.turns, device)

    def foldings(self, device: Device) -> Iterator["Weigh"]:
        for pe in divisors(self.channels):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Weigh"]:
        s4, u4 = IntType(-7, 7), IntType(0, 15)
        return (
            cls((4, 5, 2), s4, ((3, 2, 2, 3), (3, 2, 2, 2, 3))),
            cls((3, 4, 4), u4, ((6, 4, 3), (2, 1, 1, 1)), pe=2),
            cls((6, 3), IntType(2, 9), ((15, 12, 10, 10, 12, 15),), pe=3),
            cls((3, 1, 2), IntType(-9, -3), ((1, 7, 1), (1,)), pe=2),
            cls((2, 2, 1), s4, ((1, 1), (1, 1))),
            cls((2, 1), IntType(0, 1), ((5, 3),)),
        )

    def core(self, device: Device | None = None) -> "Weigher":
        return Weigher(self, device)


class Weigher(Core):
    """Computes a `Weigh`: a tree of shifted words for each weight, and the choice of one of them.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: Weigh
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
        # What a position multiplies by is known when its beat comes, and chosen behind the trees.
        choice = self._choice(m, pipeline.step)
        choice = pipeline.delay(choice, op.levels, name="choice")
        for lane in range(op.pe):
            words = [self._product(m, lane, factor, pipeline) for factor in op.factors]
            with m.If(pipeline.advance), m.Switch(choice):
                for k, word in enumerate(words):
                    with m.Case(k):
                        m.d.sync += self.o.payload[lane].eq(word)
        return m

    def _choice(self, m: Module, step: Value) -> Signal:
        """Which of the factors suits the position of the beat that is taken."""
        op = self.op
        m.submodules.loops = loops = LoopNest(op.turns)
        m.d.comb += loops.step.eq(step)
        kinds = []
        axes = zip(op.weights, op.kinds, reversed(loops.numbers[1:]), strict=True)
        for axis, (weights, found, number) in enumerate(axes):
            # 0 where none of the others is: the most frequent weight takes no logic.
            kind = Signal(range(len(found)), name=f"kind{axis}")
            with m.Switch(number):
                for k, weight in enumerate(found[1:], 1):
                    with m.Case(*(at for at, w in enumerate(weights) if w == weight)):
                        m.d.comb += kind.eq(k)
            kinds.append(kind)
        # Different pairs of weights can have one product: it is made once.
        choice = Signal(range(len(op.factors)))
        with m.Switch(Cat(kinds)):
            for numbers in product(*(range(len(found)) for found in op.kinds)):
                pattern, shift = 0, 0
                for kind, number in zip(kinds, numbers, strict=True):
                    pattern, shift = pattern | number << shift, shift + len(kind)
                factor = prod(op.kinds[axis][number] for axis, number in enumerate(numbers))
                with m.Case(pattern):
                    m.d.comb += choice.eq(op.factors.index(factor))
        return choice

    def _product(self, m: Module, lane: int, factor: int, pipeline: Pipeline) -> Value:
        """A lane's element times a factor, `levels` cycles later."""
        terms = self.op.plan(factor)
        m.submodules[f"lane{lane}_{factor}"] = tree = AdderTree(terms)
        m.d.comb += tree.en.eq(pipeline.advance)
        x = self.i.payload[lane]
        shifts = [up for up, _ in self.op.terms(factor)]
        m.d.comb += [tree.i[str(k)].eq(x << up) for k, up in enumerate(shifts)]
        # A factor of fewer digits has a lower tree, and waits for the tallest.
        early = self.op.levels - adder_tree.levels(len(terms))
        word = pipeline.delay(tree.o, early, name=f"late{lane}_{factor}_")
        return word << tree.total.shift

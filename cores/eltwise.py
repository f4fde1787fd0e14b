"""Join: a sum of several streams, each times a constant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.dot.constant_dot import signed_digits
from cores.memory.rows import Column, rows_cost, rows_from_logic
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.sum import adder_tree
from cores.sum.adder_tree import AdderTree, Term
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Add(Op):
    """y[..., c] = offset[c] + sum over inputs k of factors[k] * x_k[..., c].

    Input ports are ``i_0``, ``i_1``, ...

    Parameters
    ----------
    shape : tuple of int
        Of every tensor, channels last.
    dtypes : tuple of IntType
        One per input, at least two.
    factors : tuple of int
        One per input, none 0.
    offset : int64 array, (channels,) or (1,)
    pe : int
        Channels per beat; divides the channels.

    Raises
    ------
    ValueError
        Too few inputs, factors or an offset that do not fit, or a `pe` that does not divide.
    """

    shape: tuple[int, ...]
    dtypes: tuple[IntType, ...]
    factors: tuple[int, ...]
    offset: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if len(self.dtypes) < 2:
            raise ValueError(f"an Add must have at least 2 inputs, not {len(self.dtypes)}")
        if len(self.factors) != len(self.dtypes) or 0 in self.factors:
            raise ValueError(
                f"an Add of {len(self.dtypes)} inputs must have as many factors, none of them 0, "
                f"not {self.factors}"
            )
        channels = self.shape[-1]
        if self.offset.shape not in ((1,), (channels,)):
            raise ValueError(
                f"offset of an Add must have one entry, or one for each of the {channels} "
                f"channels, not the shape {self.offset.shape}"
            )
        if channels % self.pe:
            raise ValueError(f"PE must divide the {channels} channels of an Add, not {self.pe}")

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {
            f"i_{k}": StreamType(self.shape, dtype, self.pe) for k, dtype in enumerate(self.dtypes)
        }

    @property
    def outputs(self) -> dict[str, StreamType]:
        ends = [
            sorted((f * dtype.lo, f * dtype.hi))
            for f, dtype in zip(self.factors, self.dtypes, strict=True)
        ]
        lo = sum(low for low, _ in ends) + int(self.offset.min())
        hi = sum(high for _, high in ends) + int(self.offset.max())
        return {"o": StreamType(self.shape, IntType(lo, hi), self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        total = np.broadcast_to(self.offset, tensors[0].shape).astype(np.int64)
        for factor, x in zip(self.factors, tensors, strict=True):
            total = total + factor * x.astype(np.int64)
        return total

    @property
    def stages(self) -> Stages:
        return Stages(self.levels + 1)  # those of the tallest tree, and the output register

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.outputs["o"].beats, depth=self.stages)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Offset of each lane, for the beats of a position."""
        channels = np.broadcast_to(self.offset, self.shape[-1:])
        return tuple(Column(tuple(c)) for c in channels.reshape(-1, self.pe).T.tolist())

    def terms(self, lane: int) -> list[tuple[int | None, Term]]:
        """What a lane adds: shifted inputs by number, and None for its offset."""
        terms: list[tuple[int | None, Term]] = [
            (k, Term(dtype, shift, negative))
            for k, (factor, dtype) in enumerate(zip(self.factors, self.dtypes, strict=True))
            for shift, negative in signed_digits(factor)
        ]
        terms.sort(key=lambda item: (item[1].shift, item[1].negative))
        entries = self.columns[lane].entries
        if any(entries):
            terms.append((None, Term(IntType(min(entries), max(entries)))))
        return terms

    @cached_property
    def levels(self) -> int:
        return max(adder_tree.levels(len(self.terms(lane))) for lane in range(self.pe))

    def cost(self, device: Device) -> Count:
        lanes = [[term for _, term in self.terms(lane)] for lane in range(self.pe)]
        # `ready` of each input, which waits for `valid` of the others.
        total = self.stages.cost + Count(lut=len(self.dtypes), ff=self.outputs["o"].width)
        for terms in lanes:
            total += adder_tree.cost(terms, device)
        varying = tuple(column for column in self.columns if not column.fixed)
        return total + rows_cost(varying, device, block=False)

    def foldings(self, device: Device) -> Iterator["Add"]:
        for pe in divisors(self.shape[-1]):
            yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Add"]:
        s3, u4 = IntType(-3, 3), IntType(0, 15)
        return (
            cls((4,), (s3, u4), (1, 1)),
            cls((2, 6), (s3, s3), (1, -1), pe=2),
            cls((3, 4), (u4, s3), (-5, 6), np.array([7]), pe=4),
            cls((6,), (u4, u4, s3), (-2, -3, -1), rng.integers(-9, 9, 6), pe=2),
            cls((2, 1), (IntType(-128, 127), IntType(-128, 127)), (181, 1448), np.array([-5])),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        def ends(factor: int, dtype: IntType) -> np.ndarray:
            low, high = (dtype.lo, dtype.hi) if factor > 0 else (dtype.hi, dtype.lo)
            return np.stack([np.full(self.shape, low), np.full(self.shape, high)])

        return tuple(ends(f, d) for f, d in zip(self.factors, self.dtypes, strict=True))

    def core(self, device: Device | None = None) -> "Adder":
        return Adder(self, device)


class Adder(Core):
    """Computes an `Add`: a tree of carry adders per lane, then an output register.

    Members
    -------
    i_0, i_1, ... : In(stream)
    o : Out(stream)
    """

    op: Add
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        inputs = [getattr(self, port) for port in op.inputs]
        pipeline = Pipeline(m, op.stages, self.o)
        # A step needs a beat of every input. None is taken alone: there is no register to keep it
        # in until the others have come.
        m.d.comb += pipeline.i_valid.eq(Cat(i.valid for i in inputs).all())
        m.d.comb += [i.ready.eq(pipeline.step) for i in inputs]
        offsets = self._offsets(m, pipeline.step)
        for lane in range(op.pe):
            terms = op.terms(lane)
            m.submodules[f"lane{lane}"] = tree = AdderTree([term for _, term in terms])
            m.d.comb += tree.en.eq(pipeline.advance)
            for k, (source, _) in enumerate(terms):
                word = offsets[lane] if source is None else inputs[source].payload[lane]
                m.d.comb += tree.i[str(k)].eq(word)
            # Lanes with other offsets can have fewer terms: their sums wait for the tallest tree.
            early = op.levels - adder_tree.levels(len(terms))
            word = pipeline.delay(tree.o, early, name=f"late{lane}_")
            # The tree leaves out low bits that all its terms lack, and a sign that all have.
            word = word << tree.total.shift
            with m.If(pipeline.advance):
                m.d.sync += self.o.payload[lane].eq(-word if tree.total.negative else word)
        return m

    def _offsets(self, m: Module, taken: Value) -> list[Value]:
        """Offset of each lane for the beat that is taken."""
        columns = self.op.columns
        varying = tuple(dict.fromkeys(column for column in columns if not column.fixed))
        rows = rows_from_logic(m, varying, taken) if varying else {}
        return [rows[c] if c in rows else Const(c.entries[0], c.shape) for c in columns]

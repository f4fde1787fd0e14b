"""LabelSelect: the index of the largest channel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.memory.rows import Column, rows_cost, rows_from_logic
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.sum.adder_tree import adder, comparator
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class ArgMax(Op):
    """Index of the channel with the largest pair (x[..., c] + offset[c], rank[c]), the lowest at
    ties.

    Parameters
    ----------
    shape : tuple of int
        Shape of a frame, channels last; the result has one channel.
    dtype : IntType
        Range of each input element.
    offset, rank : int or int array, (channels,)
        Added to the channel; decides between equal sums, the larger rank first.
    pe : int
        Channels compared per cycle; must divide the channels.

    Raises
    ------
    ValueError
        `offset` or `rank` has the wrong shape, or `pe` does not divide the channels.
    TypeError
        `offset` or `rank` are not integers.
    """

    shape: tuple[int, ...]
    dtype: IntType
    offset: np.ndarray = field(default_factory=lambda: np.array(0), kw_only=True)
    rank: np.ndarray = field(default_factory=lambda: np.array(0), kw_only=True)
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        for name in ("offset", "rank"):
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "iu":
                raise TypeError(f"{name} of ArgMax must be integers, not {array.dtype}")
            if array.shape not in ((), (self.channels,)):
                raise ValueError(
                    f"{name} of ArgMax must have one entry for each of the {self.channels} "
                    f"channels, not the shape {array.shape}"
                )
            array = np.broadcast_to(array, (self.channels,)).astype(np.int64)
            object.__setattr__(self, name, array)
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(
                f"PE must divide the {self.channels} channels of ArgMax, not {self.pe}"
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @cached_property
    def winners(self) -> tuple[int, ...]:
        """The channels that are largest for some input."""

        def key(channel: int, x: int) -> tuple[int, int, int]:
            return (x + int(self.offset[channel]), int(self.rank[channel]), -channel)

        floor = sorted(((key(c, self.dtype.lo), c) for c in range(self.channels)), reverse=True)
        return tuple(
            c
            for c in range(self.channels)
            if all(key(c, self.dtype.hi) > worst for worst, d in floor[:2] if d != c)
        )

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": StreamType((*self.shape[:-1], 1), IntType(self.winners[0], self.winners[-1]))}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        ranks = np.unique(self.rank, return_inverse=True)[1]
        keys = (np.asarray(tensors[0], np.int64) + self.offset) * self.channels + ranks
        return keys.argmax(axis=-1)[..., None]

    @property
    def stages(self) -> Stages:
        # Of offsets, one per level of the tree, and the one that keeps the largest.
        return Stages(int(self.adds) + (self.pe - 1).bit_length() + 1)

    @property
    def timing(self) -> Timing:
        groups = self.channels // self.pe
        cycles = self.inputs["i"].beats
        return Timing(
            cycles=cycles,
            depth=self.stages,
            emits=lambda port: np.arange(groups - 1, cycles, groups),
        )

    @property
    def adds(self) -> bool:
        """Whether channels differ in their offset."""
        return len(set(self.offset.tolist())) > 1

    @cached_property
    def lanes(self) -> tuple[tuple[Column, Column], ...]:
        """Offset, from the smallest one, and dense rank of the channels of each lane."""
        offsets = (self.offset - self.offset.min()).tolist()
        ranks = np.unique(self.rank, return_inverse=True)[1].tolist()
        return tuple(
            (Column(tuple(offsets[p :: self.pe])), Column(tuple(ranks[p :: self.pe])))
            for p in range(self.pe)
        )

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The constants that change from beat to beat, each once."""
        return tuple(dict.fromkeys(c for lane in self.lanes for c in lane if not c.fixed))

    @property
    def sum_type(self) -> IntType:
        """Range of x plus the offset from the smallest one."""
        spread = int(self.offset.max() - self.offset.min())
        return IntType(self.dtype.lo, self.dtype.hi + spread)

    @property
    def key_width(self) -> int:
        """Bits of a sum with its rank."""
        ranks = len(set(self.rank.tolist()))
        return self.sum_type.width + (ranks - 1).bit_length()

    def cost(self, device: Device) -> Count:
        index, key = (self.channels - 1).bit_length(), self.key_width
        # As synthesised: the choice of key and index, the counter of channels, and whether a key
        # is the first or the last of its position. What holds the largest so far takes it from the
        # input, not from a LUT.
        lut = key + 2 * index + 1
        total = self.stages.cost + Count(lut=lut, ff=key + 2 * index, loose=lut)
        total += comparator(key, device) + Count(loose=key)
        if self.adds:
            total += adder(self.sum_type.width, device, times=self.pe, ff=self.pe * key)
        left, lane = self.pe, 0
        while left > 1:
            compared = left // 2
            # As synthesised: what is compared passes a LUT more per bit.
            total += comparator(key, device, times=compared)
            total += compared * Count(lut=2 * key + lane - 2, loose=2 * key - 2)
            left, lane = left - compared, lane + 1
            total += left * Count(ff=key + lane)
        return total + rows_cost(self.columns, device, block=False)

    def foldings(self, device: Device) -> Iterator["ArgMax"]:
        for pe in range(1, self.channels + 1):
            if self.channels % pe == 0:
                yield replace(self, pe=pe)

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["ArgMax"]:
        s4, u3 = IntType(-8, 7), IntType(0, 7)
        offset, rank = rng.integers(-3, 4, 6), rng.integers(0, 3, 6)
        return (
            cls((10,), s4),
            cls((10,), s4, pe=5),
            cls((6,), u3, pe=6),
            cls((6,), u3, offset=offset, rank=rank),
            cls((6,), s4, offset=offset, rank=rank, pe=2),
            cls((6,), s4, offset=offset, pe=3),
            cls((6,), s4, rank=rank, pe=6),
            cls((2, 4), u3, rank=np.array([1, 0, 2, 0]), pe=4),
            cls((4,), u3, offset=np.array([-9, 0, 0, -9]), pe=2),
            cls((1,), u3),
            cls((2, 1), s4, offset=np.array(5), rank=np.array(-1)),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        x = np.full((2, *self.shape), self.dtype.lo)
        x[0, ..., self.winners[0]] = self.dtype.hi
        x[1, ..., self.winners[-1]] = self.dtype.hi
        return (x,)

    def core(self, device: Device | None = None) -> "LabelSelect":
        return LabelSelect(self, device)


class LabelSelect(Core):
    """Computes an `ArgMax`, `pe` channels per cycle.

    A stage adds offsets if channels differ in them, a registered tree finds the largest key of a
    beat, and the last stage keeps the largest of a position.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: ArgMax
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        op = self.op
        m = Module()
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
        rows = rows_from_logic(m, op.columns, pipeline.step) if op.columns else {}
        key, lane = self._largest(m, self._keys(m, rows, pipeline), pipeline)

        # The last stage compares beat after beat of a position with the largest so far. It counts
        # channels by the beats that get there, not by those that come: bubbles do not count.
        arrived = pipeline.valid[-2]
        first = Signal(range(op.channels))  # channel of lane 0
        best = Signal.like(key)
        index = Signal(range(op.channels))
        last = Signal()
        m.d.comb += [last.eq(first == op.channels - op.pe), pipeline.emits.eq(last)]
        with m.If(pipeline.advance), m.If(arrived):
            m.d.sync += first.eq(Mux(last, 0, first + op.pe))
            # Not above: of equal keys, that of the lower channel stays.
            with m.If((first == 0) | (key > best)):
                m.d.sync += [best.eq(key), index.eq(first + lane)]
        # The next position overwrites the index no sooner than in the cycle that takes it.
        m.d.comb += self.o.payload[0].eq(index)
        return m

    def _keys(self, m: Module, rows: dict[Column, Value], pipeline: Pipeline) -> list[Value]:
        """The key of each lane: its rank below x plus its offset."""
        op = self.op
        rank_width = op.key_width - op.sum_type.width
        keys: list[Value] = []
        for p, columns in enumerate(op.lanes):
            offset, rank = (Const(c.entries[0], c.shape) if c.fixed else rows[c] for c in columns)
            total = Signal(op.sum_type.shape)
            m.d.comb += total.eq(self.i.payload[p] + offset)
            # Ranks decide where sums are equal, so they are the low bits of one comparison.
            key: Value = Cat((rank | Const(0, rank_width))[:rank_width], total)
            if op.sum_type.signed:
                key = key.as_signed()
            if op.adds:
                # The adders have a stage of their own: a comparator follows them.
                register = Signal(key.shape())
                with m.If(pipeline.advance):
                    m.d.sync += register.eq(key)
                key = register
            keys.append(key)
        return keys

    def _largest(self, m: Module, keys: list[Value], pipeline: Pipeline) -> tuple[Value, Value]:
        """Largest key and its lane, the lower one at ties; one register per level."""
        entries: list[tuple[Value, Value]] = [(key, Const(p)) for p, key in enumerate(keys)]
        while len(entries) > 1:
            level: list[tuple[Value, Value]] = []
            with m.If(pipeline.advance):
                for low, high in zip(entries[::2], entries[1::2], strict=False):
                    higher = high[0] > low[0]
                    key, lane = Signal.like(low[0]), Signal(range(len(keys)))
                    m.d.sync += [
                        key.eq(Mux(higher, high[0], low[0])),
                        lane.eq(Mux(higher, high[1], low[1])),
                    ]
                    level.append((key, lane))
                if len(entries) % 2:
                    key, lane = Signal.like(entries[-1][0]), Signal(range(len(keys)))
                    m.d.sync += [key.eq(entries[-1][0]), lane.eq(entries[-1][1])]
                    level.append((key, lane))
            entries = level
        return entries[0]

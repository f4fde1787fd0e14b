"""FIFO: room between a producer and a consumer with different rhythms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, stream
from amaranth.lib.wiring import Out, connect, flipped

from cores.choices import Block, Logic, Memory
from cores.cost import Count
from cores.memory.skid_buffer import SkidBuffer
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.silicon.family import silicon
from cores.stalling import Ring, Stalling
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device


@dataclass(frozen=True, eq=False)
class Buffer(Op):
    """Identity that stores up to `capacity` beats.

    Parameters
    ----------
    type : StreamType
    capacity : int
        Beats stored in all, output register included; at least 1, and 4 in block RAM.
    memory : Memory
        `Logic`: flip-flops, or LUT RAM where the device has it. `Block`: block RAM.

    Raises
    ------
    ValueError
        `capacity` is too small.
    """

    type: StreamType
    capacity: int
    memory: Memory = field(default=Logic(), kw_only=True)

    def __post_init__(self):
        least = 4 if isinstance(self.memory, Block) else 1
        if self.capacity < least:
            raise ValueError(
                f"capacity of a Buffer in {self.memory.text} must be at least {least} beats, "
                f"not {self.capacity}"
            )

    @classmethod
    def cheapest(cls, type: StreamType, capacity: int, device: Device) -> "Buffer":
        """The buffer in the memory that suits its size: block RAM once LUTs or flip-flops would be
        worth more than the blocks."""
        plain = cls(type, capacity)
        if capacity < 4:
            return plain
        block = cls(type, capacity, memory=Block())
        cells = plain.cost(device)
        share = (cells.lut + cells.mux + cells.ff) / device.luts
        blocks = block.cost(device).ram_blocks / device.block_ram.count
        return block if blocks < share else plain

    def holding(self, capacity: int, device: Device) -> "Buffer":
        return self.cheapest(self.type, capacity, device)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": self.type}

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": self.type}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.array(tensors[0], np.int64)

    @property
    def timing(self) -> Timing:
        return Timing(
            cycles=self.type.beats,
            depth=self.delay,
            stalling=self._stalling(),
            cuts_ready=self.capacity > 1,
        )

    @property
    def delay(self) -> int:
        """Cycles that a beat takes through an empty buffer."""
        if isinstance(self.memory, Block):
            return 3
        return 1 if self.capacity <= 2 else 2

    def _stalling(self) -> Stalling:
        if self.capacity == 1:
            return Stages(1).stalling
        return Ring(self.capacity - self.delay + (self.delay > 1), isinstance(self.memory, Block))

    def cost(self, device: Device) -> Count:
        width = self.type.width
        if self.capacity == 1:
            return Stages(1).cost + Count(ff=width)
        if self.capacity == 2:
            return Count(lut=width, ff=2 * width + 2)
        words = self.capacity - self.delay + 1
        pointer = (words - 1).bit_length()
        total = Count(lut=2 + 2 * pointer, ff=3 + 3 * pointer + width)
        if isinstance(self.memory, Block):
            # A ring of this depth compares its pointers and its level by carry chains.
            return total + Count(
                lut=3 * pointer,
                add=2 * pointer,
                ends=4,
                ff=2,
                ram_blocks=device.block_ram.blocks(words, width),
            )
        tall = -(-words // 16)
        if device.lutram:
            # As synthesised; beyond 16 words pointers and level are compared by carry chains.
            total += Count(lut=2 + 3 * pointer)
            if words > 16:
                total += Count(add=4 * pointer, ends=5)
            cells = silicon(device).logic.ram_cells(words, width)
            return total + Count(mux=cells + width * (tall - 1))
        # A flip-flop that only stores shares its cell with no LUT, which the price expects.
        bits = width * words
        mux = bits * 2 // 3
        return total + Count(ff=bits, lut=words + bits, mux=mux, loose=mux)

    def foldings(self, device: Device) -> Iterator["Buffer"]:
        yield replace(self, memory=Logic())
        if self.capacity >= 4:
            yield replace(self, memory=Block())

    def binding(self) -> str:
        return f"{self.capacity} beats"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["Buffer"]:
        pairs = StreamType((2, 6), IntType(-3, 3), 2)
        return (
            cls(pairs, 1),
            cls(pairs, 2),
            cls(pairs, 3),
            cls(pairs, 4),
            cls(pairs, 7),
            cls(pairs, 4, memory=Block()),
            cls(pairs, 10, memory=Block()),
            cls(StreamType((1,), IntType(0, 1)), 5),
        )

    def core(self, device: Device | None = None) -> "FIFO":
        return FIFO(self, device)


class FIFO(Core):
    """Carries a `Buffer` at one beat per cycle; from two beats on, `i.ready` is a register.

    Parameters
    ----------
    watched : bool
        Adds a register with the largest number of beats stored so far.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    high_water : Out(range(capacity + 1))
        With `watched` only.
    """

    op: Buffer
    i: stream.Interface
    o: stream.Interface
    high_water: Signal

    def __init__(self, op: Buffer, device: Device | None = None, *, watched: bool = False):
        self.watched = watched
        super().__init__(
            op, device, {"high_water": Out(range(op.capacity + 1))} if watched else None
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.op.capacity == 1:
            pipeline = Pipeline(m, Stages(1), self.o)
            m.d.comb += [pipeline.i_valid.eq(self.i.valid), self.i.ready.eq(pipeline.i_ready)]
            with m.If(pipeline.advance):
                m.d.sync += self.o.payload.eq(self.i.payload)
        elif self.op.capacity == 2:
            m.submodules.slice = part = SkidBuffer(self.op.type.layout)
            connect(m, flipped(self.i), part.i)
            connect(m, part.o, flipped(self.o))
        else:
            self._ring(m)
        if self.watched:
            self._watch(m)
        return m

    def _ring(self, m: Module) -> None:
        """A ring of words in front of the output register; block RAM adds its read register."""
        op = self.op
        block = isinstance(op.memory, Block)
        words = op.capacity - op.delay + 1
        attrs = {}
        if block:
            attrs |= {"ram_style": "block", "no_rw_check": 1}
        elif self.device is not None:
            attrs["ram_style"] = silicon(self.device).logic.RAM_STYLE
        m.submodules.ring = ring = memory.Memory(
            shape=op.type.width, depth=words, init=[], attrs=attrs
        )
        write = ring.write_port()
        read = ring.read_port(domain="comb")

        level = Signal(range(words + 1))
        room, some = Signal(init=1), Signal()
        fetch = Signal()
        pipeline = Pipeline(m, Stages(1), self.o)
        moves = pipeline.advance
        m.d.comb += [
            self.i.ready.eq(room),
            write.en.eq(self.i.valid & room),
            write.data.eq(self.i.payload),
        ]
        with m.If(write.en):
            m.d.sync += write.addr.eq(_after(write.addr, words))
        with m.If(fetch):
            m.d.sync += read.addr.eq(_after(read.addr, words))
        # `fetch` comes late, behind `ready` of the ops that follow: it only enables registers.
        with m.If(write.en ^ fetch):
            m.d.sync += [
                level.eq(Mux(write.en, level + 1, level - 1)),
                room.eq(~write.en | (level != words - 1)),
                some.eq(write.en | (level != 1)),
            ]

        data: Value = read.data
        fetched: Value = some
        if block:
            # With `no_rw_check`, yosys takes this register for the read port's own: a word is never
            # read while it is written. A synchronous port would get logic for that case.
            fetched = Signal()
            data = Signal.like(read.data, reset_less=True)
            m.d.comb += fetch.eq(some & (~fetched | moves))
            with m.If(fetch):
                m.d.sync += data.eq(read.data)
            with m.If(fetch | moves):
                m.d.sync += fetched.eq(fetch)
        else:
            m.d.comb += fetch.eq(some & moves)
        m.d.comb += pipeline.i_valid.eq(fetched)
        with m.If(fetched & moves):
            m.d.sync += self.o.payload.eq(data)

    def _watch(self, m: Module) -> None:
        """Counts what came and went."""
        stored = Signal(range(self.op.capacity + 1))
        following = Signal.like(stored)
        came, went = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += following.eq(stored + came - went)
        m.d.sync += stored.eq(following)
        with m.If(following > self.high_water):
            m.d.sync += self.high_water.eq(following)


def _after(pointer: Value, words: int) -> Value:
    return Mux(pointer == words - 1, 0, pointer + 1)

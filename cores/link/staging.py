"""Whole frames in block RAM on both sides of an accelerator.

On the link a tensor travels in *link beats*: `link_lanes` channels, packed from the lowest bit of a
little-endian word of whole bytes. Channels are innermost, as in every stream.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.link.byte_memory import ByteMemory
from cores.types import StreamType


def link_stream(of: StreamType) -> StreamType:
    """The same frame in link beats.

    As many channels as fit a byte and divide the channels; wider elements one by one.
    """
    fitting = max(1, 8 // of.dtype.width)
    lanes = max(d for d in range(1, fitting + 1) if of.channels % d == 0)
    return StreamType(of.shape, of.dtype, lanes)


def beat_bytes(link: StreamType) -> int:
    return -(-link.width // 8)


def frame_bytes(link: StreamType) -> int:
    """Bytes of one frame in link beats."""
    return link.beats * beat_bytes(link)


class FrameSource(wiring.Component):
    """Collects the bytes of a frame; plays the complete frame as a stream on request.

    Parameters
    ----------
    link : StreamType
        The frame in link beats.

    Members
    -------
    data : In(8)
    write : In(1)
        Appends `data`; not allowed when `full`.
    clear : In(1)
        Begins a new frame.
    filled : Out
        Bytes appended.
    full : Out(1)
        The frame is complete, known the cycle after; it remains so when played.
    start : In(1)
        Plays the frame from its first beat; not allowed before the previous play has ended.
    o : Out(stream.Signature(width of a link beat))
        One byte, at most, per cycle.
    """

    data: Signal
    write: Signal
    clear: Signal
    filled: Signal
    full: Signal
    start: Signal
    o: stream.Interface

    def __init__(self, link: StreamType):
        self._link = link
        super().__init__(
            {
                "data": In(8),
                "write": In(1),
                "clear": In(1),
                "filled": Out(range(frame_bytes(link) + 1)),
                "full": Out(1),
                "start": In(1),
                "o": Out(stream.Signature(link.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = frame_bytes(self._link)
        parts = beat_bytes(self._link)
        m.submodules.memory = memory = ByteMemory(size)
        head = Signal(range(size))
        playing = Signal()
        fetched = Signal()
        use = Signal()

        m.d.sync += self.full.eq(self.filled == size)
        m.d.comb += memory.write_address.eq(self.filled)
        m.d.comb += memory.write_data.eq(self.data)
        m.d.comb += memory.write.eq(self.write)
        with m.If(self.write):
            m.d.sync += self.filled.eq(self.filled + 1)
        with m.If(self.clear):
            m.d.sync += self.filled.eq(0)

        m.d.comb += memory.address.eq(head)
        m.d.comb += memory.read.eq(~fetched | use)
        with m.If(~fetched | use):
            m.d.sync += fetched.eq(playing)
            with m.If(playing):
                m.d.sync += head.eq(head + 1)
                with m.If(head == size - 1):
                    m.d.sync += head.eq(0)
                    m.d.sync += playing.eq(0)
        with m.If(self.start):
            m.d.sync += playing.eq(1)

        if parts == 1:
            m.d.comb += self.o.valid.eq(fetched)
            m.d.comb += self.o.payload.eq(memory.data)
            m.d.comb += use.eq(self.o.ready)
        else:
            low = Signal(8 * (parts - 1), reset_less=True)
            part = Signal(range(parts))
            last = part == parts - 1
            m.d.comb += self.o.valid.eq(fetched & last)
            m.d.comb += self.o.payload.eq(Cat(low, memory.data))
            m.d.comb += use.eq(self.o.ready | ~last)
            with m.If(fetched & use):
                m.d.sync += low.eq(Cat(low, memory.data)[8:])
                m.d.sync += part.eq(part + 1)
                with m.If(last):
                    m.d.sync += part.eq(0)
        return m


class FrameSink(wiring.Component):
    """Collects one frame of a stream, to be read by bytes.

    Parameters
    ----------
    link : StreamType
        The frame in link beats.

    Members
    -------
    i : In(stream.Signature(width of a link beat))
        Ready from `start` to the end of the frame, one byte per cycle.
    start : In(1)
        Drops the frame held and waits for the next.
    done : Out(1)
        A frame is complete.
    address : In
    data : Out(8)
        Byte at `address` of the previous cycle.
    """

    i: stream.Interface
    start: Signal
    done: Signal
    address: Signal
    data: Signal

    def __init__(self, link: StreamType):
        self._link = link
        super().__init__(
            {
                "i": In(stream.Signature(link.width)),
                "start": In(1),
                "done": Out(1),
                "address": In(range(frame_bytes(link))),
                "data": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = frame_bytes(self._link)
        parts = beat_bytes(self._link)
        m.submodules.memory = memory = ByteMemory(size)
        tail = Signal(range(size))
        running = Signal()
        word = Signal(8 * parts)
        part = Signal(range(parts))

        m.d.comb += memory.address.eq(self.address)
        m.d.comb += memory.read.eq(1)
        m.d.comb += self.data.eq(memory.data)
        m.d.comb += word.eq(self.i.payload)
        m.d.comb += self.i.ready.eq(running & (part == parts - 1))
        m.d.comb += memory.write_address.eq(tail)
        m.d.comb += memory.write_data.eq(word.word_select(part, 8))
        m.d.comb += memory.write.eq(running & self.i.valid)
        with m.If(memory.write):
            m.d.sync += tail.eq(tail + 1)
            m.d.sync += part.eq(part + 1)
            with m.If(self.i.ready):
                m.d.sync += part.eq(0)
            with m.If(tail == size - 1):
                m.d.sync += tail.eq(0)
                m.d.sync += running.eq(0)
                m.d.sync += self.done.eq(1)
        with m.If(self.start):
            m.d.sync += running.eq(1)
            m.d.sync += self.done.eq(0)
        return m


class LatencyMeter(wiring.Component):
    """Counts the cycles from the first beat into an accelerator to the last beat of a frame out.

    Parameters
    ----------
    beats : int
        Beats of an output frame of the accelerator.
    width : int
        Bits of the count, which stops at its highest value.

    Members
    -------
    start : In(1)
        Arms the meter for the next frame.
    enter, leave : In(1)
        A beat is transferred at the accelerator's input, or its output.
    cycles : Out(width)
        Cycle of the last output beat minus cycle of the first input beat.
    """

    start: Signal
    enter: Signal
    leave: Signal
    cycles: Signal

    def __init__(self, beats: int, *, width: int):
        super().__init__({"start": In(1), "enter": In(1), "leave": In(1), "cycles": Out(width)})
        self._beats = beats

    def elaborate(self, platform):
        m = Module()
        armed = Signal()
        running = Signal()
        left = Signal(range(self._beats))
        with m.If(self.leave):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += running.eq(0)
        with m.If(armed & self.enter):
            m.d.sync += armed.eq(0)
            m.d.sync += running.eq(1)
        with m.If(running & ~self.cycles.all()):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(self.start):
            m.d.sync += self.cycles.eq(0)
            m.d.sync += armed.eq(1)
            m.d.sync += left.eq(self._beats - 1)
        return m

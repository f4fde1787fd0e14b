"""Batches of whole frames in block RAM on both sides of an accelerator.

On the link a tensor travels in *link beats*: `link_lanes` channels, packed from the lowest bit of a
little-endian word of whole bytes. Channels are innermost, as in every stream.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from cores.link.byte_memory import ByteMemory
from cores.types import StreamType
from platforms.device import Device


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


BANK_BYTES = 512
"""Frames are gathered to batches of about this size: what surrounds the bytes on the line is then
below 7 % of them."""

MAX_BATCH = 255
SHARE = 4
"""Two banks may take this part of a device's block RAM."""


def choose_batch(
    sent: StreamType, returned: StreamType, device: Device | None, *, banks: int = 2
) -> tuple[int, int]:
    """Frames of a batch, and banks.

    Parameters
    ----------
    sent, returned : StreamType
        Input and output frame in link beats.
    device : Device or None
        Whose block RAM must suffice; enough without one.
    banks : int
        Most of them.
    """
    sizes = frame_bytes(sent), frame_bytes(returned)
    batch = max(1, min(MAX_BATCH, BANK_BYTES // max(sizes)))
    if device is not None and banks == 2:
        blocks = staging_blocks(sent, returned, device, batch, banks)
        if blocks * SHARE > device.block_ram.count:
            return batch, 1
    return batch, banks


def staging_blocks(
    sent: StreamType, returned: StreamType, device: Device, batch: int, banks: int
) -> int:
    """Block RAMs of source and sink."""
    return sum(
        device.block_ram.blocks(
            banks * bank_bytes(frame_bytes(link), batch, banks), used_bits(link)
        )
        for link in (sent, returned)
    )


def used_bits(link: StreamType) -> int:
    """Bits of a byte that a stream of whole bytes uses."""
    return min(8, link.width)


def bank_bytes(frame: int, batch: int, banks: int) -> int:
    """Bytes from bank to bank: those of a batch, or the next power of two if there are two."""
    size = frame * batch
    return size if banks == 1 else 1 << ceil_log2(size)


class FrameSource(wiring.Component):
    """Collects the bytes of a batch of frames in one bank while another plays as a stream.

    Parameters
    ----------
    link : StreamType
        A frame in link beats.
    batch : int
        Most frames of a batch.
    banks : int
        1 or 2.

    Members
    -------
    data : In(8)
    write : In(1)
        Appends `data`; not allowed when the bank is full.
    clear : In(1)
        Goes to the first byte of bank `data`.
    start : In(1)
        Plays bank `data`; not allowed before the previous play has ended.
    end : In
        Bytes to play, whole beats and at least one, modulo the range of the signal; must stay
        until all is played.
    o : Out(stream.Signature(width of a link beat))
        One byte, at most, per cycle.
    """

    data: Signal
    write: Signal
    clear: Signal
    start: Signal
    end: Signal
    o: stream.Interface

    def __init__(self, link: StreamType, *, batch: int, banks: int):
        self._link = link
        self._banks = banks
        self._bytes = bank_bytes(frame_bytes(link), batch, banks)
        super().__init__(
            {
                "data": In(8),
                "write": In(1),
                "clear": In(1),
                "start": In(1),
                "end": In(range(self._bytes)),
                "o": Out(stream.Signature(link.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parts = beat_bytes(self._link)
        m.submodules.memory = memory = ByteMemory(
            self._banks * self._bytes, width=used_bits(self._link)
        )
        tail, head = Signal.like(self.end), Signal.like(self.end)
        filling, played = Signal(), Signal()
        playing = Signal()
        fetched = Signal()
        use = Signal()
        behind = Signal.like(head)

        m.d.comb += memory.write_address.eq(_address(tail, filling, self._banks))
        m.d.comb += memory.write_data.eq(self.data)
        m.d.comb += memory.write.eq(self.write)
        with m.If(self.write):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.clear):
            m.d.sync += tail.eq(0)
            m.d.sync += filling.eq(self.data[0])

        m.d.comb += memory.address.eq(_address(head, played, self._banks))
        # `fetched`: the memory's register holds a byte of the batch. It moves on when there is none
        # or when it is used, which is the ready of a pipeline of one stage.
        m.d.comb += memory.read.eq(~fetched | use)
        m.d.comb += behind.eq(head + 1)
        with m.If(~fetched | use):
            m.d.sync += fetched.eq(playing)
            with m.If(playing):
                m.d.sync += head.eq(behind)
                with m.If(behind == self.end):
                    m.d.sync += playing.eq(0)
        with m.If(self.start):
            m.d.sync += playing.eq(1)
            m.d.sync += head.eq(0)
            m.d.sync += played.eq(self.data[0])

        if parts == 1:
            m.d.comb += self.o.valid.eq(fetched)
            m.d.comb += self.o.payload.eq(memory.data)
            m.d.comb += use.eq(self.o.ready)
        else:
            # A beat of several bytes: all but the last wait here, the last one comes from the
            # memory.
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
    """Collects the frames of a batch in one bank, while another is read by bytes.

    Parameters
    ----------
    link : StreamType
        A frame in link beats.
    batch : int
        Most frames of a batch.
    banks : int
        1 or 2.

    Members
    -------
    i : In(stream.Signature(width of a link beat))
        Ready from `start` to the end of the batch, one byte per cycle.
    bank : In(1)
    start : In(1)
        Drops what is held in `bank` and waits for a batch.
    end : In
        Its bytes, modulo the range of the signal; must stay until `done`.
    done : Out(1)
        The batch is complete.
    rewind : In(1)
        Goes to the first byte of `bank`.
    next : In(1)
        Goes to the next byte.
    data : Out(8)
        The byte, two cycles after.
    """

    i: stream.Interface
    bank: Signal
    start: Signal
    end: Signal
    done: Signal
    rewind: Signal
    next: Signal
    data: Signal

    def __init__(self, link: StreamType, *, batch: int, banks: int):
        self._link = link
        self._banks = banks
        self._bytes = bank_bytes(frame_bytes(link), batch, banks)
        super().__init__(
            {
                "i": In(stream.Signature(link.width)),
                "bank": In(1),
                "start": In(1),
                "end": In(range(self._bytes)),
                "done": Out(1),
                "rewind": In(1),
                "next": In(1),
                "data": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parts = beat_bytes(self._link)
        m.submodules.memory = memory = ByteMemory(
            self._banks * self._bytes, width=used_bits(self._link)
        )
        tail, head = Signal.like(self.end), Signal.like(self.end)
        filled, shown = Signal(), Signal()
        running = Signal()
        word = Signal(8 * parts)
        part = Signal(range(parts))
        behind = Signal.like(tail)

        m.d.comb += memory.address.eq(_address(head, shown, self._banks))
        m.d.comb += memory.read.eq(1)
        m.d.comb += self.data.eq(memory.data)
        with m.If(self.next):
            m.d.sync += head.eq(head + 1)
        with m.If(self.rewind):
            m.d.sync += head.eq(0)
            m.d.sync += shown.eq(self.bank)

        m.d.comb += word.eq(self.i.payload)
        # The beat stays at the input while its bytes are written one by one, and is taken with the
        # last.
        m.d.comb += self.i.ready.eq(running & (part == parts - 1))
        m.d.comb += memory.write_address.eq(_address(tail, filled, self._banks))
        m.d.comb += memory.write_data.eq(word.word_select(part, 8))
        m.d.comb += memory.write.eq(running & self.i.valid)
        m.d.comb += behind.eq(tail + 1)
        with m.If(memory.write):
            m.d.sync += tail.eq(behind)
            m.d.sync += part.eq(part + 1)
            with m.If(self.i.ready):
                m.d.sync += part.eq(0)
            # The address wraps at the end of a full bank of a power of two bytes, and `end` is then
            # 0 too: comparing behind the increment needs no bit more.
            with m.If(behind == self.end):
                m.d.sync += running.eq(0)
                m.d.sync += self.done.eq(1)
        with m.If(self.start):
            m.d.sync += running.eq(1)
            m.d.sync += tail.eq(0)
            m.d.sync += filled.eq(self.bank)
            m.d.sync += self.done.eq(0)
        return m


def _address(offset: Signal, bank: Signal, banks: int) -> Value:
    return Cat(offset, bank) if banks == 2 else offset


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
        # Output beats of the first frame of a batch; those of the others find `running` at 0.
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

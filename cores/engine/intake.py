"""Where the elements of a frame go: bytes of words, positions in whole words."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from cores.engine.layer import BYTE
from cores.types import IntType


class Intake(Component):
    """Follows the elements of a frame; always ready.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels.
    dtype : IntType
    excess : int
        Subtracted from every element.
    start, words, address_bits : int
        First word of the frame, words of a position, and bits of an address.

    Members
    -------
    i : In(stream)
        Ready is for the user to give.
    last : Out(1)
        The next element is the last of the frame.
    address, bytes, word : Out
        Of the element at `i`.
    """

    i: stream.Interface
    last: Signal
    address: Signal
    bytes: Signal
    word: Signal

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: IntType,
        *,
        excess: int,
        start: int,
        words: int,
        address_bits: int,
    ):
        self.shape, self.dtype, self.excess = shape, dtype, excess
        self.start, self.words = start, words
        super().__init__(
            {
                "i": In(stream.Signature(dtype.shape)),
                "last": Out(1),
                "address": Out(address_bits),
                "bytes": Out(4),
                "word": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        height, width, channels = self.shape
        channel = Signal(range(max(channels, 4)))
        position = Signal(range(height * width))
        word = Signal.like(self.address)
        word_ends, position_ends = Signal(), Signal()
        element = Signal(BYTE.shape)
        m.d.comb += [
            self.i.ready.eq(1),
            position_ends.eq(channel == channels - 1),
            word_ends.eq(position_ends | (channel[:2] == 3)),
            self.last.eq(position_ends & (position == height * width - 1)),
            element.eq(self.i.payload - self.excess),
            self.address.eq(word + self.start),
            self.word.eq(element.as_unsigned().replicate(4)),
            self.bytes.eq(1 << channel[:2]),
        ]
        with m.If(self.i.valid):
            m.d.sync += channel.eq(Mux(position_ends, 0, channel + 1))
            m.d.sync += word.eq(word + word_ends)
            with m.If(position_ends):
                m.d.sync += position.eq(position + 1)
                if gap := self.words - -(-channels // 4):
                    m.d.sync += word.eq(word + 1 + gap)
            with m.If(self.last):
                m.d.sync += [position.eq(0), word.eq(0)]
        return m

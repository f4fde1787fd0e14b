"""Instruments at an accelerator's own ports: counters, a source of patterns, a checksum."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cores.types import IntType, StreamType

TAPS = (0, 1, 2, 22)
DEGREE = 32
SKIPPED = 64

PROBE = wiring.Signature(
    {
        "restart": Out(1),
        "run": Out(1),
        "target": Out(32),
        "stream": Out(8),
        "clear": Out(1),
        "done": In(1),
        "cycles": In(32),
        "frames_in": In(32),
        "frames_out": In(16),
        "stalls": In(32),
        "shift": Out(1),
        "time": In(33),
        "times": In(2),
        "checksum": In(32),
    }
)
"""Between the link and a `Probe`.

restart : begins a job: clears what is measured of one
run : the job's frames are patterns, and nothing comes back
target : `frames_in` after the last frame of the patterns
stream, clear : boundary whose stalls are counted; begins the count
done : all frames of patterns have left
cycles : since the reset
frames_in, frames_out : since the reset; modulo the range of the signal
shift, time, times : cycles of the last output beats of frames of the job, counted from the first
    input beat, one behind the other by `shift`: that of the first frame, if there were three or
    more, of the last but one, if there were two or more, and of the last; frames, up to 3; bit 32
    of a time stands still
checksum : see `hwgen/host/pattern.py`
"""


class Probe(wiring.Component):
    """Passes streams to and from an accelerator, and measures.

    Parameters
    ----------
    input, output : StreamType
        Of the accelerator's ports.
    edges : int
        Streams inside the accelerator whose stalls can be counted.
    time_bits : int
        Times stand still when they need more.

    Members
    -------
    link : In(PROBE)
    i : In(stream)
    o : Out(stream)
        To the accelerator.
    i_result : In(stream)
        From the accelerator.
    o_result : Out(stream)
    edge_stalls : In(edges)
        Valid and not ready, of each stream inside.
    """

    link: Any
    i: stream.Interface
    o: stream.Interface
    i_result: stream.Interface
    o_result: stream.Interface
    edge_stalls: Signal

    def __init__(self, input: StreamType, output: StreamType, *, edges: int, time_bits: int = 32):
        self._time_bits = time_bits
        self._input = input
        self._output = output
        self._edges = edges
        super().__init__(
            {
                "link": In(PROBE),
                "i": In(stream.Signature(input.width)),
                "o": Out(stream.Signature(input.width)),
                "i_result": In(stream.Signature(output.width)),
                "o_result": Out(stream.Signature(output.width)),
                "edge_stalls": In(edges),
            }
        )

    def elaborate(self, platform):
        m = Module()
        link = self.link
        more = Signal()
        frame_in, frame_out = Signal(), Signal()
        self._patterns(m, link, more)
        following = Signal(32)
        m.d.comb += following.eq(link.frames_in + 1)
        with m.If(frame_in & (following == link.target)):
            m.d.sync += more.eq(0)
        with m.If(link.restart):
            m.d.sync += more.eq(1)

        enter = self.o.valid & self.o.ready
        leave = self.i_result.valid & self.i_result.ready
        _count_beats(m, enter, frame_in, self._input.beats)
        _count_beats(m, leave, frame_out, self._output.beats)
        m.d.sync += link.cycles.eq(link.cycles + 1)
        with m.If(frame_in):
            m.d.sync += link.frames_in.eq(following)
        m.d.sync += link.frames_out.eq(link.frames_out + frame_out)
        # 16 bits are enough: never are 2^16 frames inside an accelerator.
        m.d.sync += link.done.eq(~more & (link.frames_in[:16] == link.frames_out))
        with m.If(link.restart):
            m.d.sync += link.done.eq(0)
        self._times(m, link, enter, frame_out)
        self._stalls(m, link)
        with m.If(leave):
            m.d.sync += link.checksum.eq(_checksum_next(link.checksum, self.i_result.payload))
        with m.If(link.restart):
            m.d.sync += link.checksum.eq(0)
        return m

    def _patterns(self, m: Module, link: Any, more: Value) -> None:
        """Switches between the link and the source of patterns."""
        lanes, dtype = self._input.elements, self._input.dtype
        bits, _ = lane_code(dtype)
        # At least the 32 stages of the polynomial; a wider word is further bits of the same
        # sequence.
        length = max(DEGREE, lanes * bits)
        sequence = _sequence(length)
        # Set at the restart, not when power comes on: that would cost gates.
        state = Signal(length, reset_less=True)
        seed = sum(bit << k for k, bit in enumerate(sequence))
        word = Cat(*(_lane(dtype, state[k * bits : (k + 1) * bits]) for k in range(lanes)))
        parity = Cat(*(state[length - DEGREE + tap] for tap in TAPS)).xor()
        m.d.comb += [
            self.o.payload.eq(Mux(link.run, word, self.i.payload)),
            self.o.valid.eq(Mux(link.run, more, self.i.valid)),
            self.i.ready.eq(self.o.ready & ~link.run),
            self.o_result.payload.eq(self.i_result.payload),
            self.o_result.valid.eq(self.i_result.valid & ~link.run),
            self.i_result.ready.eq(self.o_result.ready | link.run),
        ]
        # Only one bit is new per beat. Words overlap by all bits but one, which is enough to test
        # with and a jump ahead by a whole word would need a gate for every bit.
        with m.If(self.o.ready):
            m.d.sync += state.eq(Cat(state[1:], parity))
        with m.If(link.restart):
            m.d.sync += state.eq(seed)

    def _times(self, m: Module, link: Any, enter: Value, frame_out: Value) -> None:
        started = Signal()
        bits = self._time_bits
        elapsed, last, before, shown = (
            Signal(bits + 1, name=name, reset_less=True)
            for name in ("elapsed", "last", "before", "shown")
        )
        # The highest bit says that the count has overflowed; from then on it stands still.
        following = Signal(bits + 1)
        m.d.comb += following.eq(elapsed + (started & ~elapsed[bits]))
        m.d.comb += [link.time[:bits].eq(shown), link.time[32].eq(shown[bits])]
        m.d.sync += elapsed.eq(following)
        with m.If(enter):
            m.d.sync += started.eq(1)
        # A chain of three: the newest time in `last`, the one before in `before`, the first in
        # `shown`.
        with m.If(frame_out | link.shift):
            m.d.sync += [last.eq(following), before.eq(last)]
        # The first frame's time stays where it has arrived with the third.
        with m.If((frame_out & (link.times == 2)) | link.shift):
            m.d.sync += shown.eq(before)
        with m.If(frame_out & (link.times != 3)):
            m.d.sync += link.times.eq(link.times + 1)
        with m.If(link.restart):
            m.d.sync += [elapsed.eq(0), started.eq(0), link.times.eq(0)]

    def _stalls(self, m: Module, link: Any) -> None:
        boundaries = Cat(
            self.o.valid & ~self.o.ready,
            self.i_result.valid & ~self.i_result.ready,
            self.edge_stalls,
        )
        # A register beside each stream: they are all over the chip.
        waiting = Signal(len(boundaries), reset_less=True)
        # `waiting` and `stalled` are a cycle late each, so the count is cleared for two cycles:
        # what comes from before the change of the stream does not count.
        stalled, cleared = Signal(), Signal()
        m.d.sync += [waiting.eq(boundaries), cleared.eq(link.clear)]
        m.d.sync += stalled.eq(waiting.bit_select(link.stream, 1))
        m.d.sync += link.stalls.eq(link.stalls + stalled)
        with m.If(link.clear | cleared):
            m.d.sync += [stalled.eq(0), link.stalls.eq(0)]


def lane_code(dtype: IntType) -> tuple[int, bool]:
    """Bits of a lane of patterns, and whether they are a word in two's complement."""
    bits = dtype.levels.bit_length() - 1
    half = 1 << bits >> 1
    return bits, bits > 0 and dtype.lo <= -half and half - 1 <= dtype.hi


def _lane(dtype: IntType, bits: Value) -> Value:
    """The word of an element for bits of the pattern."""
    if not len(bits):
        return C(dtype.lo, dtype.shape).as_unsigned()
    value = bits.as_signed() if lane_code(dtype)[1] else bits + dtype.lo
    return (value & (1 << dtype.width) - 1)[: dtype.width]


def _sequence(length: int) -> list[int]:
    bits = [1] * DEGREE
    while len(bits) < SKIPPED + length:
        bits.append(sum(bits[len(bits) - DEGREE + tap] for tap in TAPS) & 1)
    return bits[SKIPPED:]


def _count_beats(m: Module, beat: Value, frame: Signal, beats: int) -> None:
    """`frame` with the last beat of each frame."""
    if beats == 1:
        m.d.comb += frame.eq(beat)
        return
    count = Signal(range(beats))
    m.d.comb += frame.eq(beat & (count == beats - 1))
    with m.If(beat):
        m.d.sync += count.eq(count + 1)
    with m.If(frame):
        m.d.sync += count.eq(0)


def _checksum_next(total: Value, word: Value) -> Value:
    shifted = Cat(C(0, 1), total[: DEGREE - 1])
    for tap in TAPS:
        shifted = shifted ^ (total[DEGREE - 1] << tap)
    for at in range(0, len(word), DEGREE):
        shifted = shifted ^ word[at : at + DEGREE]
    return shifted[:DEGREE]

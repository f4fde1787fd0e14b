"""Packets of the host link: checks each request, acts on it and replies."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from cores.link.framing import CRC_INIT, TOKEN, crc16_next
from cores.link.packets import MAX_PAYLOAD, NAK, RESULT_HEADER, NakCode, Request


class Kind(enum.Enum, shape=unsigned(3)):
    """What the controller is working on."""

    UNKNOWN = 0
    INFO = 1
    PING = 2
    RESET = 3
    DATA = 4
    INFER = 5


class _Registers:
    """Signals shared by the phases of a request."""

    def __init__(self, out_bytes: int):
        self.n = Signal(8, reset_less=True)  # byte of the packet being received, checked or sent
        # Cycles since n changed: 1 with `fetched`, 2 and more with `ready` too.
        self.fetched = Signal()
        self.ready = Signal()
        self.advance = Signal()
        self.restart = Signal()
        # Comparisons of n, known with `fetched`.
        self.first = Signal(reset_less=True)
        self.second = Signal(reset_less=True)
        self.at_end = Signal(reset_less=True)
        self.in_result = Signal(reset_less=True)
        # Byte n, received or to be sent, and whether nothing is sent there; known with `ready`.
        self.byte = Signal(8, reset_less=True)
        self.stop = Signal(reset_less=True)
        # A reply is being sent, and not yet its CRC.
        self.sending = Signal()
        self.replying = Signal()
        self.closing = Signal()  # the byte to be sent is one of the CRC
        self.kind = Signal(Kind, reset_less=True)
        self.refused = Signal(reset_less=True)
        self.code = Signal(NakCode, reset_less=True)
        self.running = Signal()
        self.finished = Signal()  # the result is there; a cycle late
        self.crc = Signal(16, init=CRC_INIT, reset_less=True)
        self.crc_step = Signal()
        self.crc_high = Signal()  # which half of the CRC is wanted
        self.crc_byte = Signal(8)
        # Sequence number of the last request that acted, and whether it was INFER.
        self.last_request = Signal(9, reset_less=True)
        self.last_known = Signal()
        self.repeated = Signal(reset_less=True)
        self.same = Signal(reset_less=True)  # offset bytes so far equal the bytes filled
        self.zero = Signal(reset_less=True)  # offset bytes so far are zero
        self.position = Signal(range(out_bytes + 1), reset_less=True)
        self.sent_all = Signal(reset_less=True)
        self.result = Signal(reset_less=True)


class Controller(wiring.Component):
    """Sequences one request at a time; a counter walks over the packet, three cycles a byte.

    Replies are functions of the state that the request has produced, so a request that comes twice
    with the same sequence number acts once and is answered twice. While a frame runs, requests
    other than DATA and INFER are answered as usual.

    Parameters
    ----------
    info : int
        Bytes of the INFO payload, found at `address` 258 and above.
    in_bytes, out_bytes : int
        Bytes of an input frame and of an output frame.
    latency_bits : int
        At most 32.

    Members
    -------
    pending, malformed, too_long, length, trim, release, address, data
        The packet received; see `PacketBuffer`.
    o : Out(stream.Signature(TOKEN))
        Replies.
    byte : Out(8)
        The byte to be written into the input frame.
    clear_frame, write, filled, full
        The input frame; see `FrameSource`.
    start : Out(1)
        Plays the frame and collects the result.
    done, result_address, result_data
        The output frame; see `FrameSink`.
    cycles : In(latency_bits)
        Latency of the last frame.
    reset_frame : Out(1)
        Resets the accelerator and everything staged.
    """

    pending: Signal
    malformed: Signal
    too_long: Signal
    length: Signal
    trim: Signal
    release: Signal
    address: Signal
    data: Signal
    o: stream.Interface
    byte: Signal
    clear_frame: Signal
    write: Signal
    filled: Signal
    full: Signal
    start: Signal
    done: Signal
    result_address: Signal
    result_data: Signal
    cycles: Signal
    reset_frame: Signal

    def __init__(self, *, info: int, in_bytes: int, out_bytes: int, latency_bits: int):
        self._info = info
        self._out_bytes = out_bytes
        super().__init__(
            {
                "pending": In(1),
                "malformed": In(1),
                "too_long": In(1),
                "length": In(8),
                "trim": Out(1),
                "release": Out(1),
                "address": Out(9),
                "data": In(8),
                "o": Out(stream.Signature(TOKEN)),
                "byte": Out(8),
                "clear_frame": Out(1),
                "write": Out(1),
                "filled": In(range(in_bytes + 1)),
                "full": In(1),
                "start": Out(1),
                "done": In(1),
                "result_address": Out(range(out_bytes)),
                "result_data": In(8),
                "cycles": In(latency_bits),
                "reset_frame": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        r = _Registers(self._out_bytes)
        # Byte 2 of INFO is the first of the constant half of the buffer.
        constant = r.replying & (r.kind == Kind.INFO) & (r.n[1:] != 0)
        m.d.comb += self.address.eq(Cat(r.n, constant))
        m.d.comb += self.result_address.eq(r.position)
        m.d.comb += self.byte.eq(r.byte)
        m.d.comb += self.o.payload.data.eq(r.byte)
        m.d.comb += self.o.valid.eq(r.ready & r.sending & ~(r.replying & r.stop))

        m.d.comb += r.advance.eq(r.ready & (self.o.ready | ~self.o.valid))
        m.d.sync += r.fetched.eq(~r.advance & ~r.restart)
        m.d.sync += r.ready.eq(r.fetched & ~r.advance & ~r.restart)
        m.d.sync += r.n.eq(r.n + r.advance)
        m.d.sync += [r.first.eq(r.n == 0), r.second.eq(r.n == 1), r.at_end.eq(r.n == self.length)]
        m.d.sync += r.in_result.eq(r.n >= 2 + RESULT_HEADER)
        m.d.sync += r.sent_all.eq(r.position == self._out_bytes)
        self._byte(m, r)
        self._stop(m, r)

        m.d.comb += r.crc_byte.eq(Mux(r.crc_high, r.crc[8:], r.crc[:8]))
        with m.If(r.crc_step):
            m.d.sync += r.crc.eq(crc16_next(r.crc, r.byte))
        with m.If(r.restart):
            m.d.sync += r.n.eq(0)
            m.d.sync += r.crc.eq(CRC_INIT)

        m.d.sync += [self.release.eq(0), self.start.eq(0), self.reset_frame.eq(0)]
        with m.If(self.start):
            m.d.sync += r.running.eq(1)
        m.d.sync += r.finished.eq(r.running & self.done)

        with m.FSM():
            with m.State("IDLE"):
                self._idle(m, r)
            # The check walks to the CRC, two bytes before the end of the packet.
            for state, following in (("TRIM-1", "TRIM-2"), ("TRIM-2", "CHECK")):
                with m.State(state):
                    m.d.comb += self.trim.eq(1)
                    m.d.comb += r.restart.eq(1)
                    m.next = following
            with m.State("CHECK"):
                self._check(m, r)
            with m.State("CHECK-HIGH"):
                m.d.comb += r.crc_high.eq(1)
                with m.If(r.ready):
                    m.next = "ACT"
                    with m.If(r.byte != r.crc_byte):
                        self._refuse(m, r)
            with m.State("ACT"):
                self._act(m, r)
            with m.State("COMMIT"):
                self._commit(m, r)
            with m.State("OFFSET"):
                self._offset(m, r)
            with m.State("PLACE"):
                m.d.comb += self.clear_frame.eq(r.zero)
                m.d.sync += r.code.eq(NakCode.OFFSET)
                m.next = "WRITE"
                with m.If(~r.zero & ~r.same):
                    m.d.sync += r.last_known.eq(0)
                    self._refuse(m, r)
            with m.State("WRITE"):
                self._write(m, r)
            with m.State("OPEN"):
                m.d.comb += r.restart.eq(1)
                m.d.sync += [r.sending.eq(1), r.replying.eq(1)]
                m.next = "REPLY"
            with m.State("REPLY"):
                self._reply(m, r)
            for state, following in (("CRC-LOW", "CRC-HIGH"), ("CRC-HIGH", "END")):
                with m.State(state):
                    m.d.comb += r.closing.eq(1)
                    m.d.comb += r.crc_high.eq(state == "CRC-HIGH")
                    with m.If(r.ready & self.o.ready):
                        m.next = following
            with m.State("END"):
                m.d.comb += self.o.payload.end.eq(1)
                with m.If(r.ready & self.o.ready):
                    m.d.sync += r.sending.eq(0)
                    m.next = "IDLE"
                    with m.If(~r.result):
                        m.d.sync += self.release.eq(1)
                    with m.Elif(~r.sent_all):
                        m.next = "OPEN"
        return m

    def _refuse(self, m: Module, r: _Registers):
        m.d.sync += r.refused.eq(1)
        m.next = "OPEN"

    def _idle(self, m: Module, r: _Registers):
        m.d.comb += r.restart.eq(1)
        m.d.sync += [r.refused.eq(0), r.result.eq(0), r.position.eq(0)]
        m.d.sync += r.code.eq(Mux(self.too_long, NakCode.TOO_LONG, NakCode.DAMAGED))
        with m.If(r.finished):
            m.d.sync += r.running.eq(0)
            m.d.sync += r.result.eq(1)
            m.next = "OPEN"
        with m.Elif(self.pending & ~self.release):
            with m.If(self.too_long | self.malformed):
                self._refuse(m, r)
            with m.Else():
                m.next = "TRIM-1"

    def _check(self, m: Module, r: _Registers):
        with m.If(r.ready):
            with m.If(r.first):
                m.d.sync += r.kind.eq(Kind.UNKNOWN)
                with m.Switch(r.byte):
                    for request in Request:
                        with m.Case(request):
                            m.d.sync += r.kind.eq(Kind[request.name])
            with m.If(r.second):
                m.d.sync += r.repeated.eq(r.last_known & (self._request(r) == r.last_request))
            with m.If(~r.at_end):
                m.d.comb += r.crc_step.eq(1)
            with m.Elif(r.byte == r.crc_byte):
                m.next = "CHECK-HIGH"
            with m.Else():
                self._refuse(m, r)

    def _request(self, r: _Registers):
        return Cat(r.byte, r.kind == Kind.INFER)

    def _act(self, m: Module, r: _Registers):
        m.d.comb += r.restart.eq(1)
        m.d.sync += r.same.eq(1)
        m.d.sync += r.zero.eq(1)
        m.d.sync += r.code.eq(NakCode.BUSY)
        m.next = "OPEN"
        with m.Switch(r.kind):
            with m.Case(Kind.UNKNOWN):
                m.d.sync += r.code.eq(NakCode.UNKNOWN)
                self._refuse(m, r)
            with m.Case(Kind.RESET):
                m.d.sync += self.reset_frame.eq(1)
                m.d.sync += r.running.eq(0)
                m.d.sync += r.last_known.eq(0)
            with m.Case(Kind.DATA):
                with m.If(~r.repeated):
                    m.next = "COMMIT"
                    with m.If(r.running):
                        self._refuse(m, r)
            with m.Case(Kind.INFER):
                with m.If(r.repeated):
                    m.d.sync += self.release.eq(1)
                    m.d.sync += r.result.eq(1)
                    # The result of the frame that still runs will be the answer.
                    with m.If(r.running):
                        m.next = "IDLE"
                with m.Elif(r.running):
                    self._refuse(m, r)
                with m.Elif(~self.full):
                    m.d.sync += r.code.eq(NakCode.INCOMPLETE)
                    self._refuse(m, r)
                with m.Else():
                    m.next = "COMMIT"

    def _commit(self, m: Module, r: _Registers):
        with m.If(r.ready & r.second):
            m.d.sync += r.last_request.eq(self._request(r))
            m.d.sync += r.last_known.eq(1)
            m.next = "OFFSET"
            with m.If(r.kind == Kind.INFER):
                m.d.sync += self.start.eq(1)
                m.d.sync += self.release.eq(1)
                m.next = "IDLE"

    def _offset(self, m: Module, r: _Registers):
        m.d.sync += r.code.eq(NakCode.SHORT)
        with m.If(r.ready):
            m.d.sync += r.same.eq(r.same & (r.byte == _byte_from(2, self.filled, r.n)))
            m.d.sync += r.zero.eq(r.zero & (r.byte == 0))
            with m.If(r.at_end):
                m.d.sync += r.last_known.eq(0)
                self._refuse(m, r)
            with m.Elif(r.n[:2] == 1):
                m.next = "PLACE"

    def _write(self, m: Module, r: _Registers):
        with m.If(r.ready):
            with m.If(r.at_end):
                m.next = "OPEN"
            with m.Elif(self.full):
                m.d.comb += self.clear_frame.eq(1)
                m.d.sync += r.last_known.eq(0)
                self._refuse(m, r)
            with m.Else():
                m.d.comb += self.write.eq(1)

    def _reply(self, m: Module, r: _Registers):
        with m.If(r.ready & r.stop):
            m.d.sync += r.replying.eq(0)
            m.next = "CRC-LOW"
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += r.crc_step.eq(1)
            with m.If(r.result & r.in_result):
                m.d.sync += r.position.eq(r.position + 1)

    def _stop(self, m: Module, r: _Registers):
        """Whether a reply ends before byte n."""
        with m.If(r.refused):
            m.d.sync += r.stop.eq(r.n == 3)
        with m.Elif(r.result):
            m.d.sync += r.stop.eq(r.sent_all | (r.n == 2 + MAX_PAYLOAD))
        with m.Else():
            with m.Switch(r.kind):
                with m.Case(Kind.PING):
                    m.d.sync += r.stop.eq(r.at_end)
                with m.Case(Kind.INFO):
                    m.d.sync += r.stop.eq(r.n == 2 + self._info)
                with m.Default():
                    m.d.sync += r.stop.eq(r.n[1])

    def _byte(self, m: Module, r: _Registers):
        """Byte n of a refusal, of a result, or of the packet buffer; or of the CRC."""
        m.d.sync += r.byte.eq(self.data)
        with m.If(r.replying & r.first):
            m.d.sync += r.byte[7].eq(1)
        with m.If(r.refused & ~r.n[0]):
            m.d.sync += r.byte.eq(Mux(r.n[1], r.code, NAK))
        with m.Elif(r.result):
            self._result_byte(m, r)
        with m.If(r.closing):
            m.d.sync += r.byte.eq(r.crc_byte)

    def _result_byte(self, m: Module, r: _Registers):
        one_packet = self._out_bytes <= MAX_PAYLOAD - RESULT_HEADER
        with m.Switch(r.n[:4]):
            with m.Case(0):
                m.d.sync += r.byte.eq(Request.INFER | 0x80)
            with m.Case(1):
                m.d.sync += r.byte.eq(r.last_request)
            with m.Case(2):
                m.d.sync += r.byte.eq(0)
            with m.Case(3, 4, 5, 6):
                m.d.sync += r.byte.eq(_byte_from(3, self.cycles, r.n))
            with m.Case(7, 8, 9, 10):
                first = C(0, 8) if one_packet else r.position
                m.d.sync += r.byte.eq(_byte_from(3, first, r.n))
        with m.If(r.in_result):
            m.d.sync += r.byte.eq(self.result_data)


def _byte_from(start: int, word: Value, n: Signal) -> Value:
    """Byte n - start, lowest first, of a word of at most 32 bits, for n - start in 0..3."""
    parts = [*word, *C(0, 32 - len(word))]
    order = [(k - start) % 4 for k in range(4)]
    return Cat(*(Cat(*parts[8 * k : 8 * k + 8]) for k in order)).word_select(n[:2], 8)

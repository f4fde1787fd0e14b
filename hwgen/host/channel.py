"""Requests and replies over a line that may lose or damage them.

Requests that act are numbered and sent ahead as far as the device's credits go. What is lost is
sent again from the first request without an answer; the device never acts twice on one number. A
deadline begins anew with every packet that comes, and counts the time that bytes take on the line.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cores.link.packets import MAX_PAYLOAD, RESPONSE, NakCode, Type
from hwgen.errors import HwgenError
from hwgen.host.protocol import NAK_TEXT, FrameError, Packet
from hwgen.host.transport import LinkClosedError, Transport

ATTEMPTS = 4
"""Silences in a row after which a device counts as gone."""

FRUITLESS = 32
"""Repetitions in a row without any progress after which a line counts as unusable."""

LATENCY_S = 0.05
"""What operating system and USB may add to a reply; more than that is a slow device."""

SLACK = 2
"""Multiple of the time that a device should take before it is asked again."""

LINE_OVERHEAD = 7
"""Bytes of a frame besides its payload: type, number, CRC, two of COBS, delimiter."""

_ANSWERED_LATER = (Type.INFER, Type.RUN)
_DAMAGE = (NakCode.DAMAGED, NakCode.TOO_LONG)
_LOST = (NakCode.OFFSET, NakCode.INCOMPLETE, NakCode.STALE, NakCode.NOT_LOADED)


class LinkError(HwgenError):
    """The device did not answer, or answered what it must not."""

    status = 1


class RefusedError(LinkError):
    """The device refused a request."""

    def __init__(self, request: Type, code: NakCode):
        super().__init__(f"the device refused {request.name}: {NAK_TEXT[code]}")
        self.code = code


class LostError(RefusedError):
    """The device no longer holds what was sent before: it was reset or lost its power."""


@dataclass(eq=False)
class Request:
    """A request that acts.

    Parameters
    ----------
    type : Type
    payload : bytes
    take : callable
        Takes the payload of each reply in turn; says whether that completes the answer.
    reply_bytes : int
        Payload of all replies.
    busy_s : float
        Time that the device needs before its first reply.
    """

    type: Type
    payload: bytes = b""
    take: Callable[[bytes], bool] = lambda payload: True
    reply_bytes: int = 0
    busy_s: float = 0.0
    sequence: int = -1
    sent: bool = False
    repeated: bool = False

    @property
    def frame(self) -> bytes:
        return Packet(self.type, self.sequence, self.payload).encode()


class Channel:
    """The host's end of a link.

    Parameters
    ----------
    transport : Transport
    baud : int
    patience_s : float
        Time that a reply may take beyond its time on the line and in the device.

    Attributes
    ----------
    credits : int
        Requests that may wait in the device.
    retries : int
        Requests sent again so far.
    slowness : float
        How many times slower than its clock and baud rate the device is: 1, or that of an
        emulation.
    """

    def __init__(self, transport: Transport, baud: int, *, patience_s: float):
        self.credits = 1
        self.retries = 0
        self.slowness = 1.0
        self._transport = transport
        self._baud = baud
        self._patience_s = patience_s
        self._received = bytearray()
        self._sequence = self._question = 0
        self._line_free = transport.now()
        self._allowance = 0.0
        self._deadline: float | None = None
        self._silences = 0
        self._fruitless = 0
        self._missing = 0
        self._busy = False

    def close(self) -> None:
        self._transport.close()

    def now(self) -> float:
        """Seconds of the transport's clock."""
        return self._transport.now()

    def reset(self) -> None:
        """Resets the device; nothing that was sent before is answered after.

        Raises
        ------
        LinkError
        """
        self.ask(Type.RESET)
        # Whatever an earlier host left on the line comes before these bytes.
        nonce = os.urandom(8)
        while self.ask(Type.PING, nonce) != nonce:
            pass

    def ask(self, kind: Type, payload: bytes = b"") -> bytes:
        """Sends a request that may come at any time, and returns the payload of its reply.

        Raises
        ------
        RefusedError
        LinkError
            No valid reply.
        """
        found: list[bytes] = []
        request = Request(kind, payload, lambda reply: not found.append(reply), MAX_PAYLOAD)
        request.sequence = self._number() if kind == Type.RESET else self._question
        self._question = (self._question + 1) % 256
        window = deque([request])
        self._begin()
        start = 0.0
        while window:
            self._send_ahead(window)
            start = self._line_free
            self._listen(window)
        self._measure(self._transport.now() - start, len(payload) + len(found[0]))
        return found[0]

    def run(self, source: Callable[[], Request | None]) -> None:
        """Sends requests in order, and returns once all are answered.

        Parameters
        ----------
        source : callable
            The next request; None if there is none, or none before another answer.

        Raises
        ------
        LostError
            The device was reset meanwhile: reset it, and begin again with what is not answered.
        RefusedError
        LinkError
            No valid reply.
        """
        self._begin()
        window: deque[Request] = deque()
        while True:
            self._send_ahead(window)
            while self._credit(window) and (request := source()) is not None:
                request.sequence = self._number()
                window.append(request)
                self._send_ahead(window)
            if not window:
                return
            self._listen(window)

    def run_all(self, requests: Iterable[Request]) -> None:
        """`run` for requests that are all there."""
        waiting = iter(requests)
        self.run(lambda: next(waiting, None))

    def _begin(self) -> None:
        self._silences = self._fruitless = self._missing = 0
        self._busy = False
        self._deadline = None

    def _number(self) -> int:
        number = self._sequence
        self._sequence = (self._sequence + 1) % 256
        return number

    def _credit(self, window: deque[Request]) -> bool:
        """Whether the device has room for one more request after those sent."""
        waiting = 0
        for request in window:
            # With nothing before it, INFER or RUN has been taken and waits nowhere.
            if request.sent and (waiting or request.type not in _ANSWERED_LATER):
                waiting += 1
        return waiting < self.credits

    def _send_ahead(self, window: deque[Request]) -> None:
        for request in window:
            if not request.sent:
                if not self._credit(window):
                    return
                # The delimiter in front ends whatever noise the device has seen.
                behind = any(r.sent for r in window) and not request.repeated
                self._send(request, request.frame if behind else b"\0" + request.frame)

    def _send(self, request: Request, frame: bytes) -> None:
        try:
            self._transport.write(frame)
        except LinkClosedError as error:
            raise LinkError(f"the link closed during {request.type.name}: {error}") from error
        request.sent = True
        self._line_free = max(self._line_free, self._transport.now()) + self._line_s(len(frame))

    def _line_s(self, count: int) -> float:
        return 10 * count / self._baud * self.slowness

    def _allowance_s(self, window: deque[Request]) -> float:
        """Time from the end of the last request on the line to the next packet at the latest."""
        sent = [request for request in window if request.sent]
        line = sum(len(r.payload) + r.reply_bytes + 2 * LINE_OVERHEAD for r in sent)
        busy = window[0].busy_s * self.slowness
        return SLACK * (self._line_s(line) + busy) + self._patience_s

    def _measure(self, seconds: float, count: int) -> None:
        """Learns from a question how fast the device is."""
        line = 10 * (count + LINE_OVERHEAD) / self._baud
        self.slowness = max(self.slowness, (seconds - LATENCY_S) / line)

    def _listen(self, window: deque[Request]) -> None:
        """Waits for one packet, or for the deadline, and draws the conclusions."""
        if self._deadline is None:
            self._allowance = self._allowance_s(window)
            self._deadline = max(self._line_free, self._transport.now()) + self._allowance
        try:
            frame = self._frame(self._deadline)
        except LinkClosedError as error:
            raise LinkError(f"the link closed during {window[0].type.name}: {error}") from error
        if frame is None:
            self._silent(window)
            return
        try:
            reply = Packet.decode(frame)
        except FrameError:
            self._missed(window)
            return
        if reply.type == Type.NAK and reply.payload:
            self._refused(window, reply)
            return
        for request in window:
            if (request.type | RESPONSE, request.sequence) == (reply.type, reply.sequence):
                self._acted_before(window, request)
                self._begin()
                if request.take(reply.payload):
                    window.remove(request)
                return

    def _silent(self, window: deque[Request]) -> None:
        self._silences += 1
        if self._silences == ATTEMPTS:
            if self._busy:
                raise RefusedError(window[0].type, NakCode.BUSY)
            raise LinkError(
                f"no valid reply to {window[0].type.name} in {ATTEMPTS} attempts of "
                f"{self._allowance:.2f} s"
            )
        self._go_back(window, window[0])

    def _acted_before(self, window: deque[Request], last: Request) -> None:
        """A request acts only after all before it: their acknowledgements need not come."""
        for request in list(window):
            if request is last:
                return
            if request.type not in _ANSWERED_LATER:
                window.remove(request)

    def _refused(self, window: deque[Request], nak: Packet) -> None:
        try:
            code = NakCode(nak.payload[0])
        except ValueError:
            self._missed(window)
            return
        if code in _DAMAGE:
            self._missed(window)
            return
        request = next((r for r in window if r.sent and r.sequence == nak.sequence), None)
        if request is None:
            return
        if code == NakCode.BUSY:
            self._busy = True
            return
        if code in _LOST:
            raise LostError(request.type, code)
        if code != NakCode.ORDER:
            raise RefusedError(request.type, code)
        expected = nak.payload[1] if len(nak.payload) > 1 else -1
        first = next((r for r in window if r.sequence == expected), None)
        if first is None:
            raise LostError(request.type, code)
        self._silences = 0
        # Replies keep the order of requests: after this one none is on its way.
        if request is [r for r in window if r.sent][-1]:
            self._go_back(window, first)

    def _missed(self, window: deque[Request]) -> None:
        """A request or a reply was damaged; whose is known once all that wait have answered."""
        sent = [request for request in window if request.sent]
        # INFER and RUN with nothing before them have been taken, unless they came last.
        while len(sent) > 1 and sent[0].type in _ANSWERED_LATER:
            sent.pop(0)
        self._missing += 1
        if self._missing >= len(sent):
            self._silences = 0
            self._go_back(window, sent[0])

    def _go_back(self, window: deque[Request], first: Request) -> None:
        """Marks a request and all behind it as not sent."""
        self._fruitless += 1
        if self._fruitless == FRUITLESS:
            raise LinkError(
                f"no progress with {first.type.name} in {FRUITLESS} attempts: the line damages "
                "too many packets"
            )
        self._missing = 0
        self._deadline = None
        behind = False
        for request in window:
            behind |= request is first
            if behind and request.sent:
                request.sent = False
                request.repeated = True
                self.retries += 1

    def _frame(self, deadline: float) -> bytes | None:
        """The next frame that is not empty, or None at the deadline."""
        while True:
            while (end := self._received.find(0)) >= 0:
                frame = bytes(self._received[:end])
                del self._received[: end + 1]
                if frame:
                    return frame
            left = deadline - self._transport.now()
            data = self._transport.read(4096, left) if left > 0 else b""
            if not data:
                # The rest of a frame will not come; it must not spoil the next.
                self._received.clear()
                return None
            self._received += data

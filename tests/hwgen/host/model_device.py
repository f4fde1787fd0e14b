"""A device of the link protocol as a transport, without hardware: what a driver is tested with."""

import struct
from collections import deque
from dataclasses import dataclass, field

from cores.link.packets import RESPONSE, WINDOW, NakCode, Register, Type
from hwgen.host.manifest import Manifest, Port
from hwgen.host.protocol import Feature, FrameError, Info, Packet

ELEMENT = Port(
    shape=(2,), elem="int64", int_shape=(2,), dtype="u8", link_lanes=1, lanes=1, steps=()
)
MANIFEST = Manifest(
    model="toy",
    model_hash="0011223344556677",
    build_id="8899aabbccddeeff",
    board="none",
    device="none",
    clock_mhz=1.0,
    baud=1_000_000,
    inputs={"x": ELEMENT},
    outputs={"y": ELEMENT},
    cycles_per_frame=10,
    latency_cycles=20,
    streams=("input", "output", "middle"),
)
INFO = Info(
    model_hash=bytes.fromhex(MANIFEST.model_hash),
    build_id=bytes.fromhex(MANIFEST.build_id),
    clk_hz=1_000_000,
    in_bytes=2,
    out_bytes=2,
    cycles_per_frame=10,
    latency_cycles=20,
    generator=(0, 1, 0),
    credits=2,
    features=Feature.RUN,
    batch_frames=4,
    banks=2,
)
LATENCY = 33
SEQUENCED = (Type.DATA, Type.INFER, Type.RUN, Type.CSR_WRITE, Type.WEIGHTS)


@dataclass
class Job:
    """An INFER or RUN, and the replies that it will have."""

    request: Packet
    replies: list[bytes]
    done: bool = False


@dataclass
class ModelDevice:
    """Adds 1 to every byte of a frame. Acts when the host reads, one request at a time.

    Parameters
    ----------
    scripts : dict of int to list of callable
        By request type, functions of (packet, good replies) to bytes, used up in order.

    Attributes
    ----------
    requests : list of Packet
        All that came undamaged.
    most_waiting : int
        Highest number of requests that waited at a time.
    """

    info: Info = INFO
    scripts: dict[int, list] = field(default_factory=dict)
    weights: bytes = b""
    clock: float = 0.0
    closed: bool = False
    requests: list[Packet] = field(default_factory=list)
    most_waiting: int = 0
    result_bytes: int = 231

    def __post_init__(self):
        self.scripts = {kind: list(steps) for kind, steps in self.scripts.items()}
        self.received = bytearray()
        self.waiting: deque[Packet | NakCode] = deque()
        self.outgoing = bytearray()
        self.power_on()

    def power_on(self):
        self.expected = 0
        self.image = b""
        self.reset()

    def reset(self):
        self.batch = b""
        self.jobs: list[Job] = []
        self.stream = self.stalls = 0

    def write(self, data):
        for byte in data:
            if byte:
                self.received.append(byte)
                continue
            if self.received:
                try:
                    packet = Packet.decode(bytes(self.received))
                    self.requests.append(packet)
                except FrameError:
                    packet = NakCode.DAMAGED
                self.waiting.append(packet)
            self.received.clear()
        while self.waiting and self.waits_nowhere(self.waiting[0]):
            self.act()
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def read(self, count, timeout):
        while self.waiting and not self.outgoing:
            self.act()
        if not self.outgoing:
            self.finish()
        if not self.outgoing:
            self.clock += timeout
        data = bytes(self.outgoing[:count])
        del self.outgoing[:count]
        return data

    def now(self):
        return self.clock

    def close(self):
        self.closed = True

    def count(self, kind):
        return sum(packet.type == kind for packet in self.requests)

    @staticmethod
    def waits_nowhere(packet):
        return isinstance(packet, Packet) and packet.type in (Type.INFER, Type.RUN)

    def finish(self):
        """The oldest job that runs ends."""
        job = next((job for job in self.jobs if not job.done), None)
        if job is not None:
            job.done = True
            self.answer(job)

    def answer(self, job):
        self.reply(job.request, *job.replies)

    def reply(self, request, *payloads):
        data = b"".join(
            Packet(request.type | RESPONSE, request.sequence, payload).encode()
            for payload in payloads
        )
        self.send(request, data)

    def send(self, request, data):
        if self.scripts.get(request.type):
            data = self.scripts[request.type].pop(0)(request, data)
        self.outgoing += data

    def refuse(self, packet, code):
        self.send(packet, Packet(Type.NAK, packet.sequence, bytes([code, self.expected])).encode())

    def act(self):
        packet = self.waiting.popleft()
        if isinstance(packet, NakCode):
            self.outgoing += Packet(Type.NAK, 0, bytes([packet, self.expected])).encode()
            return
        if packet.type == Type.RESET:
            self.reset()
            self.expected = (packet.sequence + 1) % 256
            self.reply(packet, b"")
        elif packet.type == Type.INFO:
            self.reply(packet, self.info.pack())
        elif packet.type == Type.PING:
            self.reply(packet, packet.payload)
        elif packet.type == Type.CSR_READ:
            values = {Register.STREAM: self.stream, Register.STALLS: self.stalls}
            register = packet.payload[0]
            self.reply(packet, values.get(register, 100 + register).to_bytes(4, "little"))
        elif packet.type not in SEQUENCED:
            self.refuse(packet, NakCode.UNKNOWN)
        elif packet.sequence == self.expected:
            self.expected = (self.expected + 1) % 256
            code = self.take(packet)
            if code is not None:
                self.expected = packet.sequence
                self.refuse(packet, code)
        elif (self.expected - packet.sequence) % 256 in range(1, WINDOW + 1):
            self.repeat(packet)
        else:
            self.refuse(packet, NakCode.ORDER)

    def repeat(self, packet):
        if packet.type not in (Type.INFER, Type.RUN):
            self.reply(packet, b"")
            return
        job = next((job for job in self.jobs if job.request.sequence == packet.sequence), None)
        if job is None:
            self.refuse(packet, NakCode.STALE)
        elif job.done:
            self.answer(job)

    def take(self, packet) -> NakCode | None:
        match packet.type:
            case Type.DATA:
                return self.data(packet)
            case Type.INFER:
                return self.infer(packet)
            case Type.RUN:
                return self.run(packet)
            case Type.WEIGHTS:
                offset = int.from_bytes(packet.payload[:4], "little")
                if offset not in (0, len(self.image)):
                    return NakCode.OFFSET
                self.image = self.image[:offset] + packet.payload[4:]
            case Type.CSR_WRITE:
                if packet.payload[0] != Register.STREAM:
                    return NakCode.ADDRESS
                self.stream, self.stalls = int.from_bytes(packet.payload[1:], "little"), 0
        self.reply(packet, b"")
        return None

    def data(self, packet) -> NakCode | None:
        if sum(not job.done for job in self.jobs) >= self.info.banks:
            return NakCode.BUSY
        offset = int.from_bytes(packet.payload[:4], "little")
        if offset not in (0, len(self.batch)):
            return NakCode.OFFSET
        batch = self.batch[:offset] + packet.payload[4:]
        if len(batch) > self.info.batch_frames * self.info.in_bytes:
            return NakCode.OFFSET
        self.batch = batch
        # A third batch takes the bank of the first.
        self.jobs = self.jobs[-self.info.banks :]
        self.reply(packet, b"")
        return None

    def infer(self, packet) -> NakCode | None:
        if len(self.image) < self.info.weight_bytes:
            return NakCode.NOT_LOADED
        if not self.batch or len(self.batch) % self.info.in_bytes:
            return NakCode.INCOMPLETE
        result = bytes((byte + 1) % 256 for byte in self.batch)
        replies = [
            bytes([0]) + struct.pack("<II", LATENCY, at) + result[at : at + self.result_bytes]
            for at in range(0, len(result), self.result_bytes)
        ]
        self.batch = b""
        self.jobs = [*self.jobs, Job(packet, replies)][-2:]
        return None

    def run(self, packet) -> NakCode | None:
        if any(not job.done for job in self.jobs):
            return NakCode.BUSY
        (frames,) = struct.unpack("<I", packet.payload)
        cycles = 20 + 10 * (frames - 1)
        self.jobs = [Job(packet, [struct.pack("<BQII", 0, cycles, frames, 77 * frames)])]
        return None

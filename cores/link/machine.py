"""Ports and variables of the link's sequencer, and what its program must know."""

from dataclasses import dataclass
from enum import IntEnum

from cores.link.assembler import Input, Variable


class InputPort:
    """What can be read; of values of several bytes, the lowest."""

    CRC = Input(0)
    TAIL = Input(2)
    RESULT = Input(3)
    TIME = Input(4)
    # Of a `Probe`.
    CYCLES = Input(8)
    FRAMES_IN = Input(12)
    STALLS = Input(16)
    CHECKSUM = Input(20)
    FRAMES_OUT = Input(24)
    FLAGS = Input(26)


PORTS = 8
PORTS_WITH_PROBE = 27

OVERRUN = 1
SATURATED = 2
TIMES = 12
THREE_TIMES = 12
ONE_TIME = 4
"""Of `Port.FLAGS`: bytes were lost; the time shown stands still; frames of the job, up to 3."""


class Strobe(IntEnum):
    """What can be written; see `ReceiveRing`, `TransmitRing` and the staging."""

    CRC_BEGIN = 0
    CRC = 1
    APPEND = 2
    PATCH = 3
    PUBLISH = 4
    MARK = 5
    FREE = 6
    BACK = 7
    ERASE = 8
    SLOT = 9
    FILL = 10  # an empty batch in the bank given
    STAGE = 11
    JOB = 12  # the next byte of the job register
    PLAY = 13  # the job, in the bank given
    READ = 14  # the result in the bank given, from its first byte
    RESET = 15  # the accelerator and all that is staged or measured
    RESTART = 16  # the accelerator
    RUN = 17
    STOP = 18
    STREAM = 19
    SHIFT = 20
    WEIGHT = 21
    LOADED = 22  # whether


class State(IntEnum):
    """Of a bank."""

    EMPTY = 0
    HELD = 1  # the result is there
    QUEUED = 2
    RUNNING = 3


class V:
    """Where the variables are; of several bytes, the lowest."""

    # Of each bank.
    state = Variable(0, True)
    number = Variable(1, True)  # sequence number of its INFER
    due = Variable(2, True)  # its result is to be sent
    end = Variable(3, True)  # bytes in, 3
    size = Variable(6, True)  # bytes out, 3
    latency = Variable(9, True)  # 4
    # Of the frame being received.
    byte = Variable(32)
    begun = Variable(33)
    left = Variable(34)
    length = Variable(35)
    long = Variable(36)
    silence = Variable(37)  # 3
    # Of the request.
    kind = Variable(40)
    sequence = Variable(41)
    n = Variable(42)
    expected = Variable(43)
    # Of the reply.
    code = Variable(44)
    place = Variable(45)
    low = Variable(46)
    high = Variable(47)
    event = Variable(48)  # it answers no request now
    # Of the batch being filled.
    open = Variable(49)
    fill = Variable(50)  # 3
    new = Variable(53)  # 3
    out = Variable(56)  # 3
    # Of the jobs.
    jobs = Variable(59)  # batches queued or running
    running = Variable(60)
    turn = Variable(61)  # bank of the next batch to run, or of the one that runs
    # Of the result being sent.
    sending = Variable(62)
    bank = Variable(63)
    sent = Variable(64)  # 3
    rest = Variable(67)  # 3
    # Of RUN.
    patterns = Variable(70)  # a `State`
    run_number = Variable(71)
    run_due = Variable(72)
    # Of the last job, in cycles; from `saturated` on also the report of RUN.
    first = Variable(73)  # 4, first beat in to last beat out of the first frame
    interval = Variable(77)  # 4, between the last two frames
    saturated = Variable(81)
    last = Variable(82)  # 8, first beat in to last beat out of the last frame
    frames = Variable(90)  # 4
    checksum = Variable(94)  # 4
    # Of registers.
    value = Variable(98)  # 4
    stream = Variable(102)
    # Of the weights.
    loaded = Variable(103)
    weights = Variable(104)  # 4


INFO_AT = 112
"""Address of the INFO payload among the variables; it ends with the memory."""

MAX_INFO = 256 - INFO_AT


@dataclass(frozen=True)
class LinkLayout:
    """What the program must know of the link.

    Parameters
    ----------
    in_bytes, out_bytes : int
        Of a frame.
    batch : int
        Most frames of a batch.
    banks : int
        1 or 2 batches at once.
    source_bytes, sink_bytes : int
        Bytes of the job register for the ends of a batch.
    info : int
        Bytes of the INFO payload.
    probe : bool
        There is a `Probe`, and so RUN and registers.
    streams : int
        Boundaries whose stalls can be counted.
    weight_bytes : int
        Image of the weights; 0 where none is loaded.
    """

    in_bytes: int
    out_bytes: int
    batch: int
    banks: int
    source_bytes: int
    sink_bytes: int
    info: int
    probe: bool = False
    streams: int = 0
    weight_bytes: int = 0

    @property
    def offset_bytes(self) -> int:
        """Bytes of every number of bytes in a batch."""
        return -(-(self.batch * max(self.in_bytes, self.out_bytes)).bit_length() // 8)

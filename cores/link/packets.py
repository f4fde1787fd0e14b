"""Numbers of the link protocol, which `hwgen/host/protocol.py` explains to the host."""

from enum import IntEnum

MAX_PAYLOAD = 240
OVERHEAD = 4
"""Bytes of a packet that are not payload: type, sequence number, CRC."""

RESPONSE = 0x80
"""Added to the type of a request in its reply."""

WINDOW = 128
"""Sequenced requests before the one expected that may come again."""

RESULT_HEADER = 9
"""Bytes of a RESULT's payload before its data: status, latency, offset."""

NAK = 0x7F
"""Type byte of a refusal; the payload is a code and the sequence number expected."""


class Request(IntEnum):
    """Type byte of a request; its reply has the same type with the highest bit set.

    In ascending order."""

    INFO = 0x01
    PING = 0x02
    RESET = 0x03
    DATA = 0x10
    INFER = 0x11
    RUN = 0x12
    CSR_READ = 0x20
    CSR_WRITE = 0x21
    WEIGHTS = 0x22


class NakCode(IntEnum):
    """Why a request was refused."""

    DAMAGED = 1
    TOO_LONG = 2
    UNKNOWN = 3
    SHORT = 4
    INCOMPLETE = 5
    OFFSET = 6
    BUSY = 7
    ORDER = 8
    STALE = 9
    NOT_LOADED = 10
    ADDRESS = 11

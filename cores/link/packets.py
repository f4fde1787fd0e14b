"""Numbers of the link's protocol, for the device's program and the host's driver alike.

What they mean on the line is said in `hwgen/host/protocol.py`. This module imports nothing of this
tree: the driver uses it where the rest of `cores` cannot be imported.
"""

from enum import IntEnum

MAX_PAYLOAD = 240
OVERHEAD = 4
"""Bytes of a packet that are not payload: type, sequence number, CRC."""

RESPONSE = 0x80
"""Added to the type of a request in its reply."""

WINDOW = 128
"""Numbers before the expected one whose requests are repeats."""

OFFSET_BYTES = 4
"""Of the payload of DATA and WEIGHTS, before the data."""

RESULT_HEADER = 9
"""Bytes of a RESULT's payload before its data: status, latency, offset."""


class Type(IntEnum):
    """Type byte of a request, or of a refusal, which is a reply only."""

    INFO = 0x01
    PING = 0x02
    RESET = 0x03
    DATA = 0x10
    INFER = 0x11
    RUN = 0x12
    CSR_READ = 0x20
    CSR_WRITE = 0x21
    WEIGHTS = 0x22
    NAK = 0x7F


class NakCode(IntEnum):
    """Why the device refused a request."""

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


class Register(IntEnum):
    """Addresses for CSR_READ; only STREAM can be written, which clears STALLS."""

    CYCLES = 0
    FRAMES_IN = 1
    FRAMES_OUT = 2
    LATENCY = 3
    INTERVAL = 4
    STALLS = 5
    STREAM = 6
    STATUS = 7

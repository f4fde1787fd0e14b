"""Packets of the link between a host and an accelerator, and how tensors travel in them.

A frame on the line is COBS(packet) and a zero byte; a packet is type u8, sequence number u8,
payload of at most 240 bytes, CRC-16/CCITT-FALSE of all before it. Numbers are little-endian.

===== ========= ============================ =================================================
type  name      payload of the request       payload of the reply, whose type has 0x80 added
===== ========= ============================ =================================================
0x01  INFO      none                         `Info`
0x02  PING      any bytes                    the same bytes
0x03  RESET     none                         none
0x10  DATA      offset u32, bytes            none
0x11  INFER     none                         RESULT: status u8 (0), latency_cycles u32, offset u32,
                                             bytes; as many packets as the outputs need
0x12  RUN       frames u32                   status u8 (1: `cycles` stopped at its highest value),
                                             cycles u64, frames u32, checksum u32
0x20  CSR_READ  address u8                   value u32
0x21  CSR_WRITE address u8, value u32        none
0x22  WEIGHTS   offset u32, bytes            none
0x7F  NAK       (a reply only)               code u8 (`NakCode`), expected u8
===== ========= ============================ =================================================

**Order.** INFO, PING and CSR_READ may come at any time, under any number. RESET is always taken; it
resets the accelerator and all that is staged, and the device then expects the next number. DATA,
INFER, RUN, CSR_WRITE and WEIGHTS act only under the number that the device expects, 0 after power
comes on, one more after each that acted. One of the `WINDOW` numbers before that is a repeat: it
does not act again but is answered again, INFER and RUN by their result as soon as it is there, or
by STALE if it is no longer held. Under any other number they are refused by ORDER, so a host goes
back to the first request without an answer. `credits` requests may wait for an answer; an INFER or
RUN no longer counts once all before it are answered.

**Frames.** DATA appends to a batch of up to `batch_frames` frames; its offset is the number of
bytes that came before, or 0 to begin the batch anew. INFER commits the whole frames that came. With
two banks one batch fills while another runs, and a second INFER waits its turn; without a free bank
DATA is refused by BUSY. The DATA of batch k + 2 may be sent once all of result k has come: until
then its INFER can be repeated. The results of a batch follow one another; `offset` counts their
bytes.

**RUN** feeds that many frames of a pattern made on the device, at the full width of the
accelerator; see `hwgen.host.pattern`. `cycles` is from the first beat in to the last beat out.

**WEIGHTS** are 16-bit words in the order of the image; the offset is the number of bytes that came
before, or 0 to begin anew. INFER and RUN are refused until the whole image has come.

On the link, `link_lanes` neighbouring channels (the largest divisor of the channels that fits 8
bits, or 1) form a link beat: packed from the lowest bit, first channel lowest, in the fewest whole
bytes, lowest byte first, unused bits 0. Tensors are row-major with channels last.
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from enum import IntFlag
from math import prod

import numpy as np
from cobs import cobs

from cores.link.packets import MAX_PAYLOAD, NakCode

PROTOCOL = (2, 0)
MAGIC = b"NNFA"


class Feature(IntFlag):
    """What a device can do besides frames."""

    RUN = 1
    """RUN and the registers."""
    WEIGHTS = 2


NAK_TEXT = {
    NakCode.DAMAGED: "the packet came damaged",
    NakCode.TOO_LONG: f"the payload is longer than {MAX_PAYLOAD} bytes",
    NakCode.UNKNOWN: "the packet type is unknown to this device",
    NakCode.SHORT: "the packet is shorter than its type needs",
    NakCode.INCOMPLETE: "INFER came before the whole input frame",
    NakCode.OFFSET: "the packet does not continue what came before, or exceeds its room",
    NakCode.BUSY: "a batch is running and there is no other bank",
    NakCode.ORDER: "it is not the request that the device expects next",
    NakCode.STALE: "its result is no longer held",
    NakCode.NOT_LOADED: "the weights must be loaded first",
    NakCode.ADDRESS: "there is no such register",
}


class FrameError(ValueError):
    """Bytes that are not a well-formed frame."""


@dataclass(frozen=True)
class Packet:
    """A packet without its CRC."""

    type: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The frame on the line, delimiter included."""
        body = bytes([self.type, self.sequence]) + self.payload
        return cobs.encode(body + struct.pack("<H", crc_hqx(body, 0xFFFF))) + b"\0"

    @classmethod
    def decode(cls, frame: bytes) -> "Packet":
        """Reads a frame without its delimiter.

        Raises
        ------
        FrameError
        """
        try:
            packet = cobs.decode(frame)
        except cobs.DecodeError as error:
            raise FrameError("frame must be valid COBS") from error
        if len(packet) < 4:
            raise FrameError(f"packet must have at least 4 bytes, not {len(packet)}")
        body, crc = packet[:-2], struct.unpack("<H", packet[-2:])[0]
        if crc != crc_hqx(body, 0xFFFF):
            raise FrameError(f"CRC must be {crc_hqx(body, 0xFFFF):#06x}, not {crc:#06x}")
        return cls(body[0], body[1], body[2:])


_NO_FEATURE = Feature(0)
_INFO = struct.Struct("<4s2B3B8s8s5IBIHBI")


@dataclass(frozen=True)
class Info:
    """What a device says about itself.

    Parameters
    ----------
    model_hash, build_id : bytes
        8 bytes each; see `hwgen.host.manifest.Manifest`.
    clk_hz : int
    in_bytes, out_bytes : int
        Bytes of an input frame and of an output frame on the link.
    cycles_per_frame, latency_cycles : int
        As scheduled; the latency from the first input beat to the last output beat.
    generator : tuple of int
        Version of hwgen.
    protocol : tuple of int
        Major and minor version of the link protocol.
    credits : int
        Requests the device can hold.
    features : Feature
    batch_frames, banks : int
        Frames of a batch at most, and batches that the device holds.
    weight_bytes : int
        Size of the weights' image; 0 where the bitstream holds them.
    """

    model_hash: bytes
    build_id: bytes
    clk_hz: int
    in_bytes: int
    out_bytes: int
    cycles_per_frame: int
    latency_cycles: int
    generator: tuple[int, int, int]
    protocol: tuple[int, int] = PROTOCOL
    credits: int = 1
    features: Feature = _NO_FEATURE
    batch_frames: int = 1
    banks: int = 1
    weight_bytes: int = 0

    def pack(self) -> bytes:
        return _INFO.pack(
            MAGIC,
            *self.protocol,
            *self.generator,
            self.model_hash,
            self.build_id,
            self.clk_hz,
            self.in_bytes,
            self.out_bytes,
            self.cycles_per_frame,
            self.latency_cycles,
            self.credits,
            self.features,
            self.batch_frames,
            self.banks,
            self.weight_bytes,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> "Info":
        """Reads an INFO reply.

        Raises
        ------
        ValueError
            Not an accelerator, or another major version of the protocol.
        """
        if payload[:4] != MAGIC:
            raise ValueError(f"INFO must begin with {MAGIC!r}, not {payload[:4]!r}")
        if len(payload) < 6 or payload[4] != PROTOCOL[0]:
            spoken = ".".join(map(str, payload[4:6])) or "an unknown one"
            raise ValueError(f"the device must speak protocol version {PROTOCOL[0]}, not {spoken}")
        if len(payload) < _INFO.size:
            raise ValueError(f"INFO must have {_INFO.size} bytes, not {len(payload)}")
        fields = _INFO.unpack(payload[: _INFO.size])
        major, minor, *generator = fields[1:6]
        model_hash, build_id, clk_hz, in_bytes, out_bytes, interval, latency = fields[6:13]
        return cls(
            model_hash=model_hash,
            build_id=build_id,
            clk_hz=clk_hz,
            in_bytes=in_bytes,
            out_bytes=out_bytes,
            cycles_per_frame=interval,
            latency_cycles=latency,
            generator=(generator[0], generator[1], generator[2]),
            protocol=(major, minor),
            credits=fields[13],
            features=Feature(fields[14]),
            batch_frames=fields[15],
            banks=fields[16],
            weight_bytes=fields[17],
        )


@dataclass(frozen=True)
class WireFormat:
    """How the integers of a tensor become bytes on the link.

    Parameters
    ----------
    shape : tuple of int
        Of one frame, channels last.
    lo, hi : int
        Range of the elements; two's complement if `lo` is negative.
    link_lanes : int
        Channels of a link beat.
    """

    shape: tuple[int, ...]
    lo: int
    hi: int
    link_lanes: int

    @property
    def width(self) -> int:
        """Bits of one element."""
        if self.lo < 0:
            return max((~self.lo).bit_length(), self.hi.bit_length()) + 1
        return max(1, self.hi.bit_length())

    @property
    def beat_bytes(self) -> int:
        return -(-self.link_lanes * self.width // 8)

    @property
    def frame_bytes(self) -> int:
        return prod(self.shape) // self.link_lanes * self.beat_bytes

    def pack(self, frames: np.ndarray) -> list[bytes]:
        """Bytes of each frame.

        Parameters
        ----------
        frames : int array, (N, *shape)

        Raises
        ------
        ValueError
            Shape or range is not the format's.
        """
        if frames.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"frames must have shape (N, {wanted}), not {frames.shape}")
        if frames.size and not (self.lo <= frames.min() and frames.max() <= self.hi):
            raise ValueError(
                f"integers must lie within {self.lo}..{self.hi}, not {frames.min()}..{frames.max()}"
            )
        beats = prod(self.shape) // self.link_lanes
        lanes = frames.astype(np.int64).reshape(len(frames), beats, self.link_lanes)
        mask = (1 << self.width) - 1
        words = np.zeros(lanes.shape[:2], np.int64)
        for lane in range(self.link_lanes):
            words |= (lanes[:, :, lane] & mask) << (lane * self.width)
        parts = [words >> (8 * k) & 0xFF for k in range(self.beat_bytes)]
        return [row.tobytes() for row in np.stack(parts, axis=-1).astype(np.uint8)]

    def unpack(self, data: bytes) -> np.ndarray:
        """The int64 array of one frame; the inverse of `pack`.

        Raises
        ------
        ValueError
            The number of bytes is not that of a frame.
        """
        if len(data) != self.frame_bytes:
            raise ValueError(f"a frame must have {self.frame_bytes} bytes, not {len(data)}")
        parts = np.frombuffer(data, np.uint8).astype(np.int64).reshape(-1, self.beat_bytes)
        words = sum(parts[:, k] << (8 * k) for k in range(self.beat_bytes))
        mask = (1 << self.width) - 1
        sign = 1 << (self.width - 1) if self.lo < 0 else 0
        lanes = [words >> (k * self.width) & mask for k in range(self.link_lanes)]
        return ((np.stack(lanes, axis=-1) ^ sign) - sign).reshape(self.shape)

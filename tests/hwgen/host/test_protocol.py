import re

import numpy as np
import pytest

from cores.link.packets import Type
from cores.link.staging import frame_bytes, link_stream
from cores.types import IntType, StreamType
from hwgen.host import protocol
from hwgen.host.protocol import Feature, FrameError, Info, Packet, WireFormat

INFO = Info(
    model_hash=bytes(range(8)),
    build_id=bytes(range(8, 16)),
    clk_hz=24_000_000,
    in_bytes=0x0102,
    out_bytes=3,
    cycles_per_frame=4,
    latency_cycles=5,
    generator=(0, 1, 2),
    credits=2,
    features=Feature.RUN | Feature.WEIGHTS,
    batch_frames=0x0106,
    banks=2,
    weight_bytes=0x07080900,
)


def test_types_are_those_that_the_table_of_the_protocol_lists():
    rows = re.findall(r"^(0x\w\w)  (\w+) ", protocol.__doc__, re.M)
    assert [(name, int(number, 16)) for number, name in rows] == [(t.name, t) for t in Type]


def test_a_frame_by_hand():
    # CRC-16/CCITT-FALSE of 02 07 00 is 0x3B6B.
    frame = bytes([3, 0x02, 0x07, 3, 0x6B, 0x3B, 0])
    assert Packet(2, 7, b"\0").encode() == frame
    assert Packet.decode(frame[:-1]) == Packet(2, 7, b"\0")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"\x09ab", r"^frame must be valid COBS$"),
        (b"\x03ab", r"^packet must have at least 4 bytes, not 2$"),
        (b"\x03\x02\x07\x03\x6b\x3a", r"^CRC must be 0x3b6b, not 0x3a6b$"),
    ],
)
def test_rejects_damaged_frames(frame, message):
    with pytest.raises(FrameError, match=message):
        Packet.decode(frame)


def test_info_by_hand_and_back():
    packed = INFO.pack()
    assert packed.hex(" ") == (
        "4e 4e 46 41 02 00 00 01 02 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f "
        "00 36 6e 01 02 01 00 00 03 00 00 00 04 00 00 00 05 00 00 00 02 03 00 00 00 06 01 02 "
        "00 09 08 07"
    )
    assert Info.unpack(packed) == INFO
    assert Info.unpack(packed + b"added in a later minor version") == INFO


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", r"^INFO must begin with b'NNFA', not b''$"),
        (b"XXXX" + INFO.pack()[4:], r"^INFO must begin with b'NNFA', not b'XXXX'$"),
        (b"NNFA\x01\x00", r"^the device must speak protocol version 2, not 1\.0$"),
        (b"NNFA", r"^the device must speak protocol version 2, not an unknown one$"),
        (INFO.pack()[:-1], r"^INFO must have 57 bytes, not 56$"),
    ],
)
def test_rejects_other_devices(payload, message):
    with pytest.raises(ValueError, match=message):
        Info.unpack(payload)


def test_three_bit_channels_two_to_a_byte():
    wire = WireFormat((4,), 0, 7, 2)
    assert wire.pack(np.array([[1, 2, 7, 5], [0, 4, 3, 0]])) == [
        bytes([0b010_001, 0b101_111]),
        bytes([0b100_000, 0b000_011]),
    ]


def test_wide_signed_channels_lowest_byte_first():
    wire = WireFormat((2,), -4096, 4095, 1)
    assert wire.pack(np.array([[-1, 0x0234]])) == [bytes([0xFF, 0x1F, 0x34, 0x02])]
    assert wire.unpack(bytes([0xFF, 0x1F, 0x34, 0x02])).tolist() == [-1, 0x0234]


@pytest.mark.parametrize("shape", [(1,), (6,), (3, 5), (2, 2, 16)])
@pytest.mark.parametrize(
    "dtype", ["u1", "s2", "-3..3", "u4", "s7", "u8", "s9", "s16", "u24", "s33"]
)
def test_wire_format_of_every_width_is_undone(shape, dtype):
    link = link_stream(StreamType(shape, IntType.parse(dtype)))
    wire = WireFormat(shape, link.dtype.lo, link.dtype.hi, link.lanes)
    assert (wire.width, wire.frame_bytes) == (link.dtype.width, frame_bytes(link))
    x = np.random.default_rng(0).integers(wire.lo, wire.hi, (5, *shape), endpoint=True)
    x[0], x[1] = wire.lo, wire.hi
    for frame, data in zip(x, wire.pack(x), strict=True):
        assert len(data) == wire.frame_bytes
        assert np.array_equal(wire.unpack(data), frame)


@pytest.mark.parametrize(
    ("channels", "dtype", "lanes"),
    [(784, "u1", 8), (10, "u1", 5), (7, "u1", 7), (11, "u1", 1), (6, "u3", 2), (9, "u4", 1)],
)
def test_link_lanes_are_the_largest_divisor_that_fits_a_byte(channels, dtype, lanes):
    assert link_stream(StreamType((channels,), IntType.parse(dtype), channels)).lanes == lanes


def test_wire_format_rejects_other_shapes_ranges_and_sizes():
    wire = WireFormat((2,), -3, 3, 2)
    with pytest.raises(ValueError, match=r"^frames must have shape \(N, 2\), not \(1, 3\)$"):
        wire.pack(np.zeros((1, 3), int))
    with pytest.raises(ValueError, match=r"^integers must lie within -3\.\.3, not -4\.\.1$"):
        wire.pack(np.array([[-4, 1]]))
    with pytest.raises(ValueError, match=r"^a frame must have 1 bytes, not 2$"):
        wire.unpack(b"ab")

import pytest

from cores.types import IntType, StreamType, depthwise


@pytest.mark.parametrize(
    ("lo", "hi", "width", "signed"),
    [
        (0, 0, 1, False),
        (0, 1, 1, False),
        (0, 15, 4, False),
        (0, 16, 5, False),
        (3, 5, 3, False),
        (-1, 0, 1, True),
        (-1, 1, 2, True),
        (-8, 7, 4, True),
        (-8, 8, 5, True),
        (-9, 0, 5, True),
    ],
)
def test_width_and_sign_follow_from_the_range(lo, hi, width, signed):
    dtype = IntType(lo, hi)
    assert (dtype.width, dtype.signed) == (width, signed)
    assert dtype.shape.width == width and dtype.shape.signed == signed


@pytest.mark.parametrize("text", ["u1", "u4", "s1", "s8", "-7..7", "3..5", "0..16", "-9..-2"])
def test_text_form_is_read_back(text):
    assert str(IntType.parse(text)) == text


def test_range_of_a_word_has_its_short_name():
    assert str(IntType.parse("-128..127")) == "s8"


def test_rejects_text_that_is_no_type():
    with pytest.raises(
        ValueError, match=r"^integer type must be like 'u4', 's8' or '-7..7', not 'int8'$"
    ):
        IntType.parse("int8")


def test_rejects_an_empty_range():
    with pytest.raises(ValueError, match=r"^IntType range must have lo <= hi, not 3\.\.2$"):
        IntType(3, 2)


def test_ranges_unite_and_hold():
    a, b = IntType(-3, 4), IntType(0, 9)
    assert a.union(b) == IntType(-3, 9)
    assert a.union(b).holds(b) and not a.holds(b)


def test_beats_of_a_stream():
    stream = StreamType((5, 4, 6), IntType(0, 7), lanes=3, pixels=2)
    assert (stream.channels, stream.positions) == (6, 20)
    assert (stream.elements, stream.beats, stream.width) == (6, 20, 18)
    assert str(stream) == "u3[5x4x6] lanes=3 pixels=2"
    assert stream.with_lanes(1).beats == 60


def test_one_tap_and_one_group_are_dense():
    assert depthwise(9, 8, 4) == "depthwise:9:4"
    assert depthwise(9, 8, 8) == depthwise(1, 8, 4) == "dense"


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((), {}, r"stream shape must have at least one axis, all positive, not \(\)"),
        ((3, 0), {}, r"stream shape must have at least one axis, all positive, not \(3, 0\)"),
        ((6,), {"lanes": 4}, r"lanes must divide the 6 channels of a stream, not 4"),
        ((6,), {"lanes": 0}, r"lanes must divide the 6 channels of a stream, not 0"),
        (
            (4,),
            {"order": "depthwise"},
            r"order of a stream must be 'dense' or like 'depthwise:9:4', not 'depthwise'",
        ),
        (
            (4,),
            {"order": "depthwise:3:2"},
            r"order depthwise:3:2 must have groups of 3 taps of 2 channels, which 4 .* are not",
        ),
        ((3, 6), {"pixels": 2}, r"pixels must divide the 3 positions of a stream, not 2"),
    ],
)
def test_rejects_streams_that_do_not_divide(shape, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        StreamType(shape, IntType(0, 1), **options)

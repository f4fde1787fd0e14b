import numpy as np
import pytest

from cores.beats import from_beats, from_words, to_beats, to_words
from cores.types import IntType, StreamType


def test_channels_are_innermost_and_pixels_share_a_beat():
    # Positions 0..3 of four channels; two positions and two channels to a beat.
    tensor = np.arange(16).reshape(1, 4, 4)
    stream = StreamType((4, 4), IntType(0, 15), lanes=2, pixels=2)
    assert to_beats(tensor, stream)[0].tolist() == [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
        [8, 9, 12, 13],
        [10, 11, 14, 15],
    ]


@pytest.mark.parametrize("lanes", [1, 2, 3, 6])
@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_beats_are_read_back(lanes, pixels):
    stream = StreamType((2, 4, 6), IntType(-8, 7), lanes, pixels)
    tensor = np.random.default_rng(0).integers(-8, 8, (3, *stream.shape))
    beats = to_beats(tensor, stream)
    assert beats.shape == (3, stream.beats, stream.elements)
    assert (from_beats(beats, stream) == tensor).all()


def test_lane_0_is_in_the_low_bits():
    stream = StreamType((3,), IntType(-4, 3), 3)
    assert to_words(np.array([[[-1, 0, 2]]]), stream) == [0b010_000_111]


@pytest.mark.parametrize("dtype", [IntType(0, 1), IntType(-1, 0), IntType(-70, 3), IntType(0, 200)])
def test_words_are_read_back(dtype):
    stream = StreamType((24,), dtype, 12)
    beats = np.random.default_rng(1).integers(dtype.lo, dtype.hi + 1, (5, 2, 12))
    words = to_words(beats, stream)
    assert max(words) < 1 << stream.width
    assert (from_words(words, stream).reshape(5, 2, 12) == beats).all()


def test_no_words_make_no_beats():
    assert from_words([], StreamType((4,), IntType(0, 1), 2)).shape == (0, 2)


def test_rejects_a_tensor_of_another_shape():
    message = r"^tensor must have the shape \(frames, \*\(4,\)\) of its stream, not \(2, 3\)$"
    with pytest.raises(ValueError, match=message):
        to_beats(np.zeros((2, 3), int), StreamType((4,), IntType(0, 1)))


def test_rejects_values_outside_the_range():
    message = r"^tensor must lie within 0\.\.1 of its stream, not -1\.\.0$"
    with pytest.raises(ValueError, match=message):
        to_beats(np.array([[0, -1]]), StreamType((2,), IntType(0, 1)))


def test_depthwise_order_has_all_taps_of_a_group_in_turn():
    # Two taps of four channels, two channels at once: tap 0 of channels 0 and 1, tap 1 of them, ...
    stream = StreamType((8,), IntType(0, 7), 2, order="depthwise:2:2")
    tensor = np.arange(8)[None]
    beats = to_beats(tensor, stream)
    assert beats.tolist() == [[[0, 1], [4, 5], [2, 3], [6, 7]]]
    assert (from_beats(beats, stream) == tensor).all()


@pytest.mark.parametrize("lanes", [1, 3, 6, 12])
def test_lanes_do_not_change_the_depthwise_order(lanes):
    stream = StreamType((2, 12), IntType(0, 31), lanes, order="depthwise:3:2")
    tensor = np.arange(24).reshape(1, 2, 12)
    beats = to_beats(tensor, stream)
    assert (beats.ravel() == to_beats(tensor, stream.with_lanes(1)).ravel()).all()
    assert (from_beats(beats, stream) == tensor).all()

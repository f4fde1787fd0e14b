"""Tensors to beats and back: the order in which a stream carries the elements of a frame."""

from collections.abc import Iterable, Sequence

import numpy as np

from cores.types import StreamType


def to_beats(tensor: np.ndarray, stream: StreamType) -> np.ndarray:
    """Elements of each beat, int64 of shape ``(frames, beats, elements)``, lane 0 of pixel 0 first.

    Parameters
    ----------
    tensor : int array, (frames, *stream.shape)

    Raises
    ------
    ValueError
        Shape or range is not the stream's.
    """
    tensor = np.asarray(tensor)
    if tensor.shape[1:] != stream.shape:
        raise ValueError(
            f"tensor must have the shape (frames, *{stream.shape}) of its stream, "
            f"not {tensor.shape}"
        )
    if tensor.size and not (stream.dtype.lo <= tensor.min() and tensor.max() <= stream.dtype.hi):
        raise ValueError(
            f"tensor must lie within {stream.dtype.lo}..{stream.dtype.hi} of its stream, "
            f"not {tensor.min()}..{tensor.max()}"
        )
    groups = stream.positions // stream.pixels
    folded = (
        tensor[..., _places(stream)]
        .astype(np.int64)
        .reshape(len(tensor), groups, stream.pixels, stream.channels // stream.lanes, stream.lanes)
    )  # [frame][pixel group][pixel][beat][lane]
    return folded.transpose(0, 1, 3, 2, 4).reshape(len(tensor), stream.beats, stream.elements)


def from_beats(beats: np.ndarray, stream: StreamType) -> np.ndarray:
    """The tensor, ``(frames, *stream.shape)``, that `to_beats` turns into `beats`."""
    beats = np.asarray(beats)
    groups = stream.positions // stream.pixels
    folded = beats.reshape(
        len(beats), groups, stream.channels // stream.lanes, stream.pixels, stream.lanes
    )  # [frame][pixel group][beat][pixel][lane]
    tensor = folded.transpose(0, 1, 3, 2, 4).reshape(len(beats), *stream.shape)
    return tensor[..., np.argsort(_places(stream))]


def to_words(beats: np.ndarray, stream: StreamType) -> list[int]:
    """The payload of each beat as an unsigned integer, element 0 in the low bits.

    Parameters
    ----------
    beats : int array, (..., elements)
        Leading axes are run together.
    """
    width = stream.dtype.width
    mask = (1 << width) - 1
    words = []
    for row in np.asarray(beats).reshape(-1, stream.elements).tolist():
        word = 0
        for element in reversed(row):
            word = word << width | element & mask
        words.append(word)
    return words


def from_words(words: Iterable[int], stream: StreamType) -> np.ndarray:
    """Elements of each payload, int64 of shape ``(words, elements)``; the inverse of `to_words`."""
    width = stream.dtype.width
    mask = (1 << width) - 1
    sign = 1 << width - 1 if stream.dtype.signed else 0
    rows: list[Sequence[int]] = [
        [((word >> width * e & mask) ^ sign) - sign for e in range(stream.elements)]
        for word in words
    ]
    return np.array(rows, np.int64).reshape(-1, stream.elements)


def _places(stream: StreamType) -> np.ndarray:
    """Channel of each element of a position, in the order of the stream."""
    taps, group = stream.taps
    places = np.arange(stream.channels).reshape(taps, -1, group)  # [tap][channel group][channel]
    return places.transpose(1, 0, 2).ravel()

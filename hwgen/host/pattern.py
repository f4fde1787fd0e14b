"""What a device feeds itself in RUN, and the checksum of what comes out.

Both are defined here; `cores/link/probe.py` is the hardware.
"""

from collections.abc import Iterable

import numpy as np

TAPS = (0, 1, 2, 22)
"""x^32 + x^22 + x^2 + x + 1, a primitive polynomial."""

DEGREE = 32
SKIPPED = 64
"""Bits of the sequence before the first beat: the sequence begins with 32 ones."""


def pattern_bits(count: int) -> np.ndarray:
    """The first bits of the pattern, uint8.

    Bit n of the sequence is the parity of bits n - 32, n - 31, n - 30 and n - 10; the first 32 are
    1, and the pattern begins at bit 64.
    """
    bits = np.ones(SKIPPED + count, np.uint8)
    for n in range(DEGREE, len(bits)):
        bits[n] = sum(bits[n - DEGREE + tap] for tap in TAPS) & 1
    return bits[SKIPPED:]


def lane_code(lo: int, hi: int) -> tuple[int, bool]:
    """Bits of a lane, and whether they are a word in two's complement.

    A lane has the most bits whose words are no more than its values: floor(log2(hi - lo + 1)). They
    are in two's complement if `lo` is negative and the range holds every such word; else they count
    up from `lo`.
    """
    bits = (hi - lo + 1).bit_length() - 1
    half = 1 << bits >> 1
    return bits, bits > 0 and lo <= -half and half - 1 <= hi


def pattern(lo: int, hi: int, lanes: int, beats: int) -> np.ndarray:
    """Beats of the pattern.

    Beat t takes the bits from t on, lane 0 first, lowest bit first.

    Parameters
    ----------
    lo, hi : int
        Range of the accelerator's input.
    lanes : int
        Elements of a beat of its port.

    Returns
    -------
    int64 array, (beats, lanes)
    """
    bits, signed = lane_code(lo, hi)
    sequence = pattern_bits(beats + bits * lanes).astype(np.int64)
    at = np.arange(beats)[:, np.newaxis] + bits * np.arange(lanes)
    words = sum((sequence[at + k] << k for k in range(bits)), np.zeros((beats, lanes), np.int64))
    if signed:
        sign = 1 << bits - 1
        return (words ^ sign) - sign
    return words + lo


def checksum(words: Iterable[int]) -> int:
    """The checksum of output beats.

    The register begins at 0 and is multiplied by x modulo x^32 + x^22 + x^2 + x + 1 before each
    beat; the beat's bits are added to it modulo 2, bit i to bit i mod 32.

    Parameters
    ----------
    words : iterable of int
        Beats of the accelerator's output port in order, each as a non-negative number: two's
        complement elements, lane 0 in the low bits.
    """
    feedback = sum(1 << tap for tap in TAPS)
    full = (1 << DEGREE) - 1
    total = 0
    for word in words:
        total = (total << 1) ^ (total >> (DEGREE - 1) and feedback)
        while word:
            total ^= word & full
            word >>= DEGREE
        total &= full
    return total


def as_words(beats: np.ndarray, width: int) -> list[int]:
    """Beats (beats, lanes) of integers as the words that `checksum` takes.

    Parameters
    ----------
    width : int
        Bits of a lane.
    """
    mask = (1 << width) - 1
    return [
        sum((int(value) & mask) << lane * width for lane, value in enumerate(beat))
        for beat in beats
    ]

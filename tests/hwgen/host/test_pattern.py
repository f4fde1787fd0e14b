import numpy as np
import pytest

from hwgen.host.pattern import as_words, checksum, lane_code, pattern, pattern_bits


def test_bits_follow_their_rule_and_do_not_soon_come_again():
    bits = pattern_bits(5000)
    n = np.arange(32, 5000)
    assert np.array_equal(bits[n], bits[n - 32] ^ bits[n - 31] ^ bits[n - 30] ^ bits[n - 10])
    words = {tuple(bits[k : k + 32]) for k in range(4900)}
    assert len(words) == 4900
    assert 0.47 < bits.mean() < 0.53


def test_the_first_bits_by_hand():
    # 32 ones; the sum of four ones is 0 for 10 bits, then of three ones and a zero 1, ...
    everything = [1] * 32
    while len(everything) < 64 + 8:
        everything.append(everything[-32] ^ everything[-31] ^ everything[-30] ^ everything[-10])
    assert everything[32:48] == [0] * 10 + [1] * 6
    assert pattern_bits(8).tolist() == everything[64:]


@pytest.mark.parametrize(
    ("lo", "hi", "code"),
    [
        (0, 15, (4, False)),
        (0, 14, (3, False)),
        (-8, 7, (4, True)),
        (-7, 7, (3, True)),
        (-3, 0, (2, False)),
        (-1, 0, (1, True)),
        (2, 9, (3, False)),
        (5, 5, (0, False)),
        (-100, 30, (7, False)),
    ],
)
def test_lanes_take_all_bits_that_are_legal(lo, hi, code):
    assert lane_code(lo, hi) == code
    values = pattern(lo, hi, 3, 4000)
    bits, signed = code
    low = -(1 << bits - 1) if signed else lo
    assert values.min() == low >= lo
    assert values.max() == low + (1 << bits) - 1 <= hi


def test_beats_take_bits_one_by_one_and_lanes_side_by_side():
    bits = pattern_bits(20)
    found = pattern(0, 7, 2, 3)
    for t in range(3):
        for lane in range(2):
            at = t + 3 * lane
            assert found[t, lane] == bits[at] + 2 * bits[at + 1] + 4 * bits[at + 2]


def test_checksum_by_hand():
    assert checksum([]) == 0
    assert checksum([5]) == 5
    assert checksum([5, 3]) == 10 ^ 3
    # The highest bit comes back as 2^22 + 2^2 + 2 + 1.
    assert checksum([1 << 31, 0]) == 0x00400007
    # Bits from 32 on fall on the lowest.
    assert checksum([(3 << 32) | 1]) == 2
    assert checksum([1 << 64 | 1 << 33]) == 3


def test_words_have_lane_zero_lowest_in_twos_complement():
    assert as_words(np.array([[1, -1], [-8, 7]]), 4) == [0xF1, 0x78]

"""Integer grids: exact real numbers as integers times a common scale."""

from collections.abc import Iterable, Sequence
from math import gcd

from hwgen.numerics.exact import Real

WIDTH = 16
"""Bits of the widest integers that a grid may need."""


def common_scale(values: Iterable[Real], width: int = WIDTH) -> Real | None:
    """The largest scale of which every value is an integer multiple that fits `width` bits.

    None if the ratio of two values is not known to be rational or the integers are too wide; 1 if
    all values are zero.
    """
    unit: Real | None = None
    numerator, denominator, largest = 0, 1, 0.0
    limit = 1 << width
    for value in values:
        if value.is_rational and value.sign() == 0:
            continue
        unit = value if unit is None else unit
        ratio = value / unit
        if not ratio.is_rational:
            return None
        fraction = abs(ratio.fraction)
        numerator = gcd(numerator * fraction.denominator, fraction.numerator * denominator)
        denominator = denominator * fraction.denominator
        shared = gcd(numerator, denominator)
        numerator, denominator = numerator // shared, denominator // shared
        largest = max(largest, float(fraction))
        if largest * denominator >= limit * numerator:
            return None
    if unit is None:
        return Real.of(1)
    return abs(unit) * numerator / denominator


def multiples(values: Sequence[Real], scale: Real) -> list[int] | None:
    """Each value divided by `scale`, if all are integers."""
    found = []
    for value in values:
        ratio = (value / scale).q
        if ratio is None or ratio.q != 1:
            return None
        found.append(int(ratio.p))
    return found


def level_grid(levels: Sequence[Sequence[Real]]) -> tuple[Real, list[Real], list[list[int]]] | None:
    """A grid for the levels of several channels: one scale, a bias per channel, and the integers.

    The bias is zero where the levels are multiples of the scale, unless only two levels occur:
    those become 0 and 1.
    """
    differences = [x - channel[0] for channel in levels for x in channel[1:]]
    scale = common_scale(differences)
    if scale is None:
        return None
    whole = [multiples(channel, scale) for channel in levels]
    two = max(len({*numbers}) if numbers else 0 for numbers in whole) <= 2
    if not two and all(numbers is not None for numbers in whole):
        numbers = [found for found in whole if found is not None]
        if max(abs(n) for found in numbers for n in found) < 1 << WIDTH:
            return scale, [Real.of(0)] * len(levels), numbers
    biases, results = [], []
    for channel in levels:
        bias = min(channel)
        numbers = multiples([x - bias for x in channel], scale)
        assert numbers is not None
        biases.append(bias)
        results.append(numbers)
    return scale, biases, results

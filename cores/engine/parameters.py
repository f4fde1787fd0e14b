"""Slopes and offsets of an engine's layers: digits of one width, and words of the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cores.engine.layer import BYTE, Layer
from cores.types import IntType

WORD = 32
DIGITS = range(8, 16)
"""Bits of a slope that may be multiplied at once."""
MOST_BITS = 52
"""Of a slope."""
MOST_TOP = 32
"""Bits of an offset beside the highest digit."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """Slopes and offsets of all layers with one shift.

    A row has a word for each digit, the lowest first: the digit, and above it what is added beside
    its products. What the last word has no room for is in one more.

    Parameters
    ----------
    layers : sequence of Layer

    Raises
    ------
    ValueError
        A slope or an offset is too large.
    """

    layers: Sequence[Layer]

    @cached_property
    def _scale(self) -> tuple[int, int, int]:
        """Bits of a digit, digits of a slope, and the shift, which takes them all but the highest
        away. Two digits at least, so that a word of results is written before the next is there;
        as few as there can be, and these as narrow as they can be."""
        rescales = [layer.rescale for layer in self.layers if layer.rescale is not None]
        least = max((each.shift for each in rescales), default=0)
        steepest = max((max(each.slopes) << least - each.shift for each in rescales), default=0)
        found = []
        for digit in DIGITS:
            for count in range(2, MOST_BITS // digit + 1):
                shift = max(least, digit * (count - 1))
                if steepest << shift - least < 1 << digit * count:
                    found.append((count, digit, shift))
                    break
        if not found:
            raise ValueError(
                f"slopes of a sequence must be below {1 << DIGITS[0]} and take at most "
                f"{MOST_BITS} bits, not {steepest} / 2**{least}"
            )
        count, digit, shift = min(found)
        return digit, count, shift

    @property
    def digit(self) -> int:
        """Bits that are multiplied at once."""
        return self._scale[0]

    @property
    def count(self) -> int:
        """Digits of a slope."""
        return self._scale[1]

    @property
    def shift(self) -> int:
        """Of all layers."""
        return self._scale[2]

    @property
    def remaining_shift(self) -> int:
        """What is left to shift behind the highest digit."""
        return self.shift - self.digit * (self.count - 1)

    @cached_property
    def tops(self) -> IntType:
        """What is added beside the highest digit.

        Raises
        ------
        ValueError
            An offset has more bits than stand beside the highest digit.
        """
        low = self.digit * (self.count - 1)
        offsets = [
            self._row(layer, row)[1] >> low for layer in self.layers for row in range(layer.rows)
        ]
        found = IntType(min(-1, *offsets), max((1 << self.digit) - 1, *offsets))
        if found.width > MOST_TOP:
            raise ValueError(
                f"offsets of a sequence must have at most {MOST_TOP + low} bits, not "
                f"{found.width + low}"
            )
        return IntType.bits(found.width, signed=True)

    @property
    def more(self) -> int:
        """Bits of the highest offset in a word of their own."""
        return max(0, self.tops.width - (WORD - self.digit))

    @property
    def row_words(self) -> int:
        return self.count + (self.more > 0)

    @property
    def lowest_tie_bits(self) -> list[int | None]:
        """Of each layer in which ties go to even: the lowest bit of the remainder that must not be
        set at a tie."""
        found: list[int | None] = []
        for layer in self.layers:
            if layer.rescale is None or not layer.rescale.late:
                found.append(None)
                continue
            late = layer.rescale.late.bit_length() - 1
            found.append(late + self.shift - layer.rescale.shift if late else 0)
        return found

    def words(self, layer: Layer, rows: Sequence[int]) -> list[int]:
        """Of some rows of a layer; those behind its last one are 0."""
        found = []
        for row in rows:
            slope, offset = self._row(layer, row) if row < layer.rows else (0, 0)
            mask = (1 << self.digit) - 1
            for k in range(self.count):
                part = offset >> self.digit * k
                beside = part & mask if k < self.count - 1 else part
                word = slope >> self.digit * k & mask | beside << self.digit
                found.append(word & (1 << WORD) - 1)
            if self.more:
                top = offset >> self.digit * (self.count - 1)
                found.append(top >> WORD - self.digit & (1 << WORD) - 1)
        return found

    def _row(self, layer: Layer, row: int) -> tuple[int, int]:
        """Slope and offset with the common shift; a sum that stays as it is has the slope 1 in the
        highest digit."""
        if layer.rescale is None:
            low = self.digit * (self.count - 1)
            return 1 << low, layer.bias[row] << low
        up = self.shift - layer.rescale.shift
        slope, offset = layer.rescale.slopes[row] << up, layer.rescale.offsets[row] << up
        return slope, offset + slope * (BYTE.lo if layer.largest else 0)

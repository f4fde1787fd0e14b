"""Weights as the words of a memory, one for each step, without the bits that never change."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Value


@dataclass(frozen=True, eq=False)
class WeightWords:
    """The weights of all steps.

    Parameters
    ----------
    codes : int64 array, (steps, lanes)
        Weights as stored, non-negative; the first lane is in the lowest bits of a word.
    width : int
        Bits of each; 0 if the unit that multiplies holds the weights itself.
    """

    codes: np.ndarray
    width: int

    @property
    def bits(self) -> int:
        """Of the weights of a step."""
        return self.codes.shape[1] * self.width

    @cached_property
    def _changing(self) -> np.ndarray:
        """Bits of each lane that are not the same in all steps."""
        return np.bitwise_or.reduce(self.codes) ^ np.bitwise_and.reduce(self.codes)

    @property
    def stored(self) -> int:
        """Bits of a word of the memory."""
        return int(self._positions.sum())

    @property
    def words(self) -> list[int]:
        """What the memory holds for each step."""
        bits = (self.codes[:, :, None] >> np.arange(self.width)).astype(np.uint8) & 1
        kept = bits[:, self._positions]
        rows = np.packbits(kept, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in rows]

    def weights(self, word: Value) -> Value:
        """The weights of a step, all bits, from a word of the memory."""
        stored = iter(word)
        same = self.codes[0][:, None] >> np.arange(self.width) & 1
        changing = self._positions
        return Cat(
            next(stored) if changes else Const(int(bit), 1)
            for changes, bit in zip(changing.ravel(), same.ravel(), strict=True)
        )

    @property
    def _positions(self) -> np.ndarray:
        """Whether a bit changes, (lanes, width)."""
        return (self._changing[:, None] >> np.arange(self.width) & 1).astype(bool)

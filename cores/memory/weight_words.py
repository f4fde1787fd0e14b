"""Weights as the words of a memory, one for each step, without the bits that never change."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Const, Value

from cores.fields.frozen import of_array


@dataclass(frozen=True, eq=False)
class WeightWords:
    """The weights of all steps: a step has those of one group of rows and one of columns.

    Parameters
    ----------
    codes : int64 array, (groups, rows, beats, columns)
        Weights as stored, non-negative; steps take the beats of a group in turn. The first column
        of the first row is in the lowest bits of a word.
    width : int
        Bits of each; 0 if the unit that multiplies holds the weights itself.
    """

    codes: np.ndarray
    width: int

    @property
    def bits(self) -> int:
        """Of the weights of a step."""
        _, rows, _, columns = self.codes.shape
        return rows * columns * self.width

    @property
    def stored(self) -> int:
        """Bits of a word of the memory."""
        return int(self._positions.sum())

    @property
    def words(self) -> list[int]:
        """What the memory holds for each step."""
        _, rows, _, columns = self.codes.shape
        codes = self.codes.swapaxes(1, 2).reshape(-1, rows * columns)
        bits = (codes[:, :, None] >> np.arange(self.width)).astype(np.uint8) & 1
        kept = bits[:, self._positions]
        packed = np.packbits(kept, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def weights(self, word: Value) -> Value:
        """The weights of a step, all bits, from a word of the memory."""
        stored = iter(word)
        same = self.codes[0, :, 0].reshape(-1, 1) >> np.arange(self.width) & 1
        changing = self._positions
        return Cat(
            next(stored) if changes else Const(int(bit), 1)
            for changes, bit in zip(changing.ravel(), same.ravel(), strict=True)
        )

    @property
    def _positions(self) -> np.ndarray:
        """Whether a bit changes, (lanes, width)."""
        return (_changing(self.codes)[:, None] >> np.arange(self.width) & 1).astype(bool)


@of_array
def _changing(codes: np.ndarray) -> np.ndarray:
    """Bits of each lane that are not the same in all steps."""
    once = np.bitwise_or.reduce(codes, axis=(0, 2)) ^ np.bitwise_and.reduce(codes, axis=(0, 2))
    return once.ravel()

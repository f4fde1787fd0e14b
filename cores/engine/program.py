"""What an engine needs to know about each layer, as constants: loops, addresses, images of
weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from cores.engine.layer import BYTE, Layer

ADDRESS_BITS = 14
"""Of both memories: words of 32 bits."""
PLACE_BITS = 9
"""Of a coordinate, in two's complement."""
LEVELS = 8
"""What a step can be followed by: the same word, the next word, the next kernel column, kernel
row, group of channels, output column, output row, tile."""
DIGIT = 8
"""Bits of a slope that are multiplied at once."""
MOST_DIGITS = 6
TOP_OFFSET = 24
"""Bits of an offset beside the highest digit."""


def words(channels: int) -> int:
    """Memory words of one position."""
    return -(-channels // 4)


@dataclass(frozen=True, eq=False)
class Instruction:
    """One layer on an engine.

    Parameters
    ----------
    layer : Layer
    lanes : int
        Rows computed at once; depthwise, four of them.
    source, target : int
        First word of what comes in, and of what goes out.
    source_words : int
        Words of a position that comes in.
    """

    layer: Layer
    lanes: int
    source: int
    target: int
    source_words: int

    @property
    def groups(self) -> int:
        """Words of a position that a tile makes."""
        return self.lanes // 4

    @property
    def tiles(self) -> int:
        return -(-self.layer.rows // self.lanes)

    @property
    def target_words(self) -> int:
        """Words of a position that goes out."""
        return self.tiles * self.groups

    @property
    def counts(self) -> tuple[int, ...]:
        """Turns of the loops of a tile: channel, kernel column and row, group, output column and
        row."""
        layer = self.layer
        (ky, kx), (height, width, _) = layer.kernel, layer.out_shape
        channels, groups = (1, self.groups) if layer.depthwise else (layer.shape[2], 1)
        return channels, kx, ky, groups, width, height

    @property
    def steps(self) -> int:
        """Of one pass: the sum of one position."""
        channels, kx, ky, *_ = self.counts
        return channels * kx * ky

    @property
    def results(self) -> int:
        """Of one pass."""
        return 4 if self.layer.depthwise else self.lanes

    @property
    def passes(self) -> int:
        """Of one tile."""
        _, _, _, groups, width, height = self.counts
        return groups * width * height

    @property
    def start(self) -> tuple[int, int, int]:
        """Address, column and row of the first element; outside of the image where it is padded."""
        (top, _), (left, _) = self.layer.pads
        back = (top * self.layer.shape[1] + left) * self.source_words
        return self.source - back, -left, -top

    @cached_property
    def moves(self) -> np.ndarray:
        """How address, column and row change with each level: int64 (LEVELS, 3)."""
        layer, per = self.layer, self.source_words
        width = layer.shape[1]
        channels, kx, ky, groups, columns, rows = self.counts
        tile = self.groups if layer.depthwise else 0
        strides = np.array(
            [
                (1, 0, 0),
                (layer.dilations[1] * per, layer.dilations[1], 0),
                (layer.dilations[0] * width * per, 0, layer.dilations[0]),
                (1, 0, 0),
                (layer.strides[1] * per, layer.strides[1], 0),
                (layer.strides[0] * width * per, 0, layer.strides[0]),
                (tile, 0, 0),
            ]
        )
        last = np.array([words(channels) - 1, kx - 1, ky - 1, groups - 1, columns - 1, rows - 1])
        back = np.cumsum(np.vstack([np.zeros(3, np.int64), strides[:-1] * last[:, None]]), axis=0)
        return np.vstack([np.zeros(3, np.int64), strides - back])

    @property
    def weight_words(self) -> int:
        """Words of a tile's weights in the image."""
        if self.layer.uniform:
            return 1
        per_step = 1 if self.layer.depthwise else self.groups
        return self.weight_rows * per_step

    @property
    def weight_rows(self) -> int:
        """Steps of a tile with weights of their own."""
        if self.layer.uniform:
            return 1
        return self.layer.taps * (self.groups if self.layer.depthwise else self.counts[0])

    def weights(self, tile: int) -> np.ndarray:
        """Of a tile in the order of the image: uint8 (weight_words, 4)."""
        layer = self.layer
        rows = layer.weights[tile * self.lanes : (tile + 1) * self.lanes]
        flat = rows.reshape(len(rows), -1)
        padded = np.zeros((self.lanes, flat.shape[1]), np.int64)
        padded[: len(rows)] = flat
        if layer.uniform:
            return np.full((1, 4), int(layer.weights[0, 0])).astype(np.uint8)
        if layer.depthwise:
            ordered = padded.reshape(self.groups, 4, -1).transpose(0, 2, 1)
        else:
            ordered = padded.T
        return ordered.reshape(-1, 4).astype(np.uint8)

    def digits(self, tile: int, count: int, shift: int) -> list[int]:
        """Slopes and offsets of a tile: words of a digit and what is added beside it, the lowest
        digit of each row first.

        Parameters
        ----------
        tile, count : int
            `count` is the digits of a slope.
        shift : int
            That of all layers.
        """
        layer, found = self.layer, []
        low = DIGIT * (count - 1)
        for row in range(tile * self.lanes, (tile + 1) * self.lanes):
            slope = offset = 0
            if row < layer.rows and layer.rescale is None:
                slope, offset = 1 << low, layer.bias[row] << low
            elif row < layer.rows and layer.rescale is not None:
                up = shift - layer.rescale.shift
                slope, offset = layer.rescale.slopes[row] << up, layer.rescale.offsets[row] << up
                offset += slope * (BYTE.lo if layer.largest else 0)
            for digit in range(count):
                part = offset >> DIGIT * digit
                if digit < count - 1:
                    part &= (1 << DIGIT) - 1
                elif not -(1 << TOP_OFFSET - 1) <= part < 1 << TOP_OFFSET - 1:
                    raise ValueError(
                        f"{layer.name}: bias {offset >> low} of row {row} must have at most "
                        f"{TOP_OFFSET} bits"
                    )
                number = slope >> DIGIT * digit & (1 << DIGIT) - 1
                found.append(number | (part & (1 << TOP_OFFSET) - 1) << DIGIT)
        return found


@dataclass(frozen=True, eq=False)
class Program:
    """Layers in the order of their execution.

    Parameters
    ----------
    layers : sequence of Layer
    lanes : int

    Raises
    ------
    ValueError
        A memory of the engine cannot hold what a layer needs.
    """

    layers: Sequence[Layer]
    lanes: int

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """Each reads where its predecessor has written: at the beginning and at the end of the
        memory by turns."""
        found: list[Instruction] = []
        most, size, source, per = 1 << ADDRESS_BITS, self.frame_words, 0, words(self.first[2])
        for layer, (used, made) in zip(self.layers, self._sizes, strict=True):
            if used + made > most:
                raise ValueError(
                    f"{layer.name}: what comes in and goes out takes {used} + {made} words of "
                    f"4 bytes, more than the {most} of the engine's memory"
                )
            target = size - made if made and source == 0 else 0
            found.append(Instruction(layer, self.lanes, source, target, per))
            source, per = target, found[-1].target_words
        return tuple(found)

    @property
    def first(self) -> tuple[int, int, int]:
        """Height, width and channels of what comes in."""
        return self.layers[0].shape

    @cached_property
    def _sizes(self) -> list[tuple[int, int]]:
        """Words that each layer reads and writes."""
        found, per = [], words(self.first[2])
        for number, layer in enumerate(self.layers):
            after = Instruction(layer, self.lanes, 0, 0, per).target_words
            made = prod(layer.out_shape[:2]) * after if number < len(self.layers) - 1 else 0
            found.append((prod(layer.shape[:2]) * per, made))
            per = after
        return found

    @property
    def frame_words(self) -> int:
        """Of the memory between the layers."""
        return max(map(sum, self._sizes))

    @cached_property
    def _scale(self) -> tuple[int, int]:
        """Digits of a slope, and the shift of all layers, which takes them all but the highest
        away. Two digits at least, so that a word is written before the next is there."""
        rescales = [layer.rescale for layer in self.layers if layer.rescale is not None]
        least = max((each.shift for each in rescales), default=0)
        steepest = max((max(each.slopes) << least - each.shift for each in rescales), default=0)
        widest = max(
            (max(map(abs, each.offsets)) << least - each.shift for each in rescales), default=0
        )
        for digits in range(2, MOST_DIGITS + 1):
            shift = max(least, DIGIT * (digits - 1))
            steep = steepest << shift - least < 1 << DIGIT * digits
            if steep and widest << shift - least < 1 << DIGIT * (digits - 1) + TOP_OFFSET - 2:
                return digits, shift
        raise ValueError(
            f"slopes of a sequence must be below {1 << DIGIT} and take at most {MOST_DIGITS} "
            f"digits of {DIGIT} bits, not {steepest} / 2**{least}; offsets at most "
            f"{DIGIT * (MOST_DIGITS - 1) + TOP_OFFSET - 1} bits, not {widest} / 2**{least}"
        )

    @property
    def digit_count(self) -> int:
        return self._scale[0]

    @property
    def shift(self) -> int:
        """Of all layers."""
        return self._scale[1]

    @property
    def remaining_shift(self) -> int:
        """What is left to shift behind the highest digit."""
        return self.shift - DIGIT * (self.digit_count - 1)

    @property
    def parameter_words(self) -> int:
        """Of the slopes and offsets of a tile."""
        return self.lanes * self.digit_count

    @cached_property
    def image(self) -> np.ndarray:
        """What the weight memory holds, in the order in which it is read: uint32."""
        parts: list[np.ndarray] = []
        for each in self.instructions:
            for tile in range(each.tiles):
                parts.append(np.ascontiguousarray(each.weights(tile)).view("<u4").ravel())
                parts.append(np.array(each.digits(tile, self.digit_count, self.shift), np.uint32))
        return np.concatenate(parts)

"""What an engine needs to know about each layer, as constants: loops, addresses, images of
weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod

import numpy as np

from cores.engine.allocation import KeptTensor, busiest, place
from cores.engine.layer import Layer
from cores.engine.parameters import Parameters
from cores.types import IntType

PLACE_BITS = 9
"""Of a coordinate, in two's complement."""
LEVELS = 8
"""What a step can be followed by: the same word, the next word, the next kernel column, kernel
row, group of channels, output column, output row, tile."""


def tile_rows(rows: int, lanes: int) -> int:
    """A multiple of 4: as many rows in each tile as the fewest tiles allow."""
    tiles = -(-rows // lanes)
    return 4 * -(-rows // (4 * tiles))


def words(channels: int, lanes: int) -> int:
    """Memory words of one position: those of whole tiles."""
    rows = tile_rows(channels, lanes)
    return -(-channels // rows) * rows // 4


@dataclass(frozen=True, eq=False)
class Instruction:
    """One layer on an engine.

    Parameters
    ----------
    layer : Layer
    most : int
        Lanes of the engine.
    sources : tuple of int
        First word of each tensor that comes in.
    target : int
        First word of what goes out.
    """

    layer: Layer
    most: int
    sources: tuple[int, ...]
    target: int

    @property
    def lanes(self) -> int:
        """Rows of a tile, computed at once; depthwise, four of them."""
        return tile_rows(self.layer.rows, self.most)

    @property
    def groups(self) -> int:
        """Words of a position that a tile makes."""
        return self.lanes // 4

    @property
    def tiles(self) -> int:
        return -(-self.layer.rows // self.lanes)

    @property
    def source_words(self) -> int:
        """Words of a position that comes in."""
        return words(self.layer.shape[2], self.most)

    @property
    def target_words(self) -> int:
        """Words of a position that goes out."""
        return words(self.layer.rows, self.most)

    @property
    def counts(self) -> tuple[int, ...]:
        """Turns of the loops of a tile: channel, kernel column and row, group, output column and
        row. Of joined tensors a column is a tensor, and a row a digit of their factors."""
        layer = self.layer
        (ky, kx), (height, width, _) = layer.kernel, layer.out_shape
        if layer.joins:
            ky, kx = layer.bytes.shape[1:]
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
        return self.sources[0] - back, -left, -top

    @cached_property
    def moves(self) -> np.ndarray:
        """How address, column and row change with each level: int64 (LEVELS, 3)."""
        layer, per = self.layer, self.source_words
        width = layer.shape[1]
        channels, kx, ky, groups, columns, rows = self.counts
        tile = self.groups if layer.depthwise else 0
        (down, right), apart = layer.dilations, self.sources[-1] - self.sources[0]
        strides = np.array(
            [
                (1, 0, 0),
                (apart, 0, 0) if layer.joins else (right * per, right, 0),
                (0, 0, 0) if layer.joins else (down * width * per, 0, down),
                (1, 0, 0),
                (layer.strides[1] * per, layer.strides[1], 0),
                (layer.strides[0] * width * per, 0, layer.strides[0]),
                (tile, 0, 0),
            ]
        )
        last = np.array([-(-channels // 4) - 1, kx - 1, ky - 1, groups - 1, columns - 1, rows - 1])
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
        return self.steps * (self.groups if self.layer.depthwise else 1)

    def weights(self, tile: int) -> np.ndarray:
        """Of a tile in the order of the image: uint8 (weight_words, 4)."""
        layer = self.layer
        rows = layer.bytes[tile * self.lanes : (tile + 1) * self.lanes]
        flat = rows.reshape(len(rows), -1)
        padded = np.zeros((self.lanes, flat.shape[1]), np.int64)
        padded[: len(rows)] = flat
        if layer.uniform:
            return np.full((1, 4), int(layer.bytes.flat[0])).astype(np.uint8)
        if layer.depthwise:
            ordered = padded.reshape(self.groups, 4, -1).transpose(0, 2, 1)
        else:
            ordered = padded.T
        return ordered.reshape(-1, 4).astype(np.uint8)

    def rows(self, tile: int) -> range:
        """Of a tile, also those behind the last one of the layer."""
        return range(tile * self.lanes, (tile + 1) * self.lanes)


@dataclass(frozen=True, eq=False)
class Program:
    """Layers in the order of their execution.

    Parameters
    ----------
    layers : sequence of Layer
    lanes : int
    most : int
        Words of 4 bytes that each memory may have.

    Raises
    ------
    ValueError
        A memory of the engine cannot hold what a layer needs.
    """

    layers: Sequence[Layer]
    lanes: int
    most: int

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """Each reads where those before it have written.

        Raises
        ------
        ValueError
            What is kept at the same time exceeds the memory.
        """
        starts, size = self._places
        if size > self.most:
            number, needed = busiest(self._tensors)
            kept = f"{needed} words of 4 bytes"
            if needed <= self.most:
                kept += f", and all tensors one beside the other {size}"
            raise ValueError(
                f"{self.layers[number].name}: what is kept while it runs must fit the "
                f"{self.most} words of the engine's memory, but takes {kept}"
            )
        return tuple(
            Instruction(
                layer,
                self.lanes,
                tuple(starts[number + 1 - back] for back in layer.takes),
                starts[number + 1],
            )
            for number, layer in enumerate(self.layers)
        )

    @cached_property
    def _places(self) -> tuple[list[int], int]:
        return place(self._tensors)

    @property
    def starts(self) -> list[int]:
        """First word of the frame, and of what each layer makes."""
        return self._places[0]

    @property
    def first(self) -> tuple[int, int, int]:
        """Height, width and channels of what comes in."""
        return self.layers[0].shape

    @cached_property
    def _tensors(self) -> list[KeptTensor]:
        """The frame, and what each layer makes."""
        shapes = [self.first, *(layer.out_shape for layer in self.layers)]
        last = [0] * len(shapes)
        for number, layer in enumerate(self.layers):
            for back in layer.takes:
                last[number + 1 - back] = number
        found = []
        for number, shape in enumerate(shapes):
            made = number - 1
            over: tuple[int, ...] = ()
            if made >= 0 and self.layers[made].joins:
                over = tuple(number - back for back in self.layers[made].takes)
            size = prod(shape[:2]) * words(shape[2], self.lanes)
            if number == len(shapes) - 1:
                size = 0
            found.append(KeptTensor(size, made, max(last[number], made), over))
        return found

    @property
    def frame_words(self) -> int:
        """Of the memory between the layers."""
        return self._places[1]

    @property
    def address_bits(self) -> int:
        """Of the memory between the layers."""
        return max(1, (self.frame_words - 1).bit_length())

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.layers)

    @cached_property
    def sums(self) -> IntType:
        """Of what the lanes add up."""
        return reduce(IntType.union, (layer.sums for layer in self.layers))

    @property
    def weight_rows(self) -> int:
        """Steps whose weights the engine keeps at hand."""
        return max(each.weight_rows for each in self.instructions)

    @property
    def places(self) -> list[int]:
        """Digits of all slopes of a tile of each layer."""
        return [each.lanes * self.parameters.count for each in self.instructions]

    @property
    def tile_words(self) -> list[int]:
        """Of the image, for a tile of each layer."""
        per = self.parameters.row_words
        return [each.weight_words + each.lanes * per for each in self.instructions]

    @cached_property
    def image(self) -> np.ndarray:
        """What the weight memory holds, in the order in which it is read: uint32."""
        parts: list[np.ndarray] = []
        for each in self.instructions:
            for tile in range(each.tiles):
                parts.append(np.ascontiguousarray(each.weights(tile)).view("<u4").ravel())
                parts.append(
                    np.array(self.parameters.words(each.layer, each.rows(tile)), np.uint32)
                )
        return np.concatenate(parts)

"""Where a layer's operands are, as loops over its image say."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from cores.engine.layer import Layer
from cores.engine.program import Program
from cores.engine.walk import Walk
from tests.cores.engine.parts import run

RNG = np.random.default_rng(3)


def layer(shape: tuple[int, int, int], *weights: int, **options) -> Layer:
    """Weights of this shape: (rows, taps, channels) or, depthwise, (channels, taps)."""
    numbers = RNG.integers(-9, 10, weights)
    return Layer("layer", shape, numbers, bias=(0,) * weights[0], **options)


LAYERS = {
    "strides and padding": layer(
        (4, 3, 6), 4, 6, 6, kernel=(3, 2), strides=(2, 1), pads=((1, 1), (0, 0))
    ),
    "dilation": layer((5, 1, 3), 4, 2, 3, kernel=(2, 1), dilations=(3, 1)),
    "depthwise": layer((2, 3, 8), 8, 4, kernel=(2, 2)),
}


def operands(each: Layer, lanes: int) -> Iterator[tuple[int, int, int, int]]:
    """Row, column, word and byte of each step of the first tile, row and column possibly outside
    of the image; of a depthwise layer a word has four channels, and a tile `lanes` of them."""
    (top, _), (left, _) = each.pads
    groups, channels = (lanes // 4, 1) if each.depthwise else (1, each.shape[2])
    height, width, _ = each.out_shape
    loops = product(*map(range, (height, width, groups, *each.kernel, channels)))
    for y, x, group, ky, kx, channel in loops:
        row = y * each.strides[0] + ky * each.dilations[0] - top
        column = x * each.strides[1] + kx * each.dilations[1] - left
        yield row, column, group + channel // 4, channel % 4


@pytest.mark.parametrize("each", LAYERS.values(), ids=LAYERS)
def test_every_step_finds_its_operand(each):
    program = Program((each,), lanes=4, most=256)
    (instruction,) = program.instructions
    part, places, bytes_, wanted = Walk(program), [], [], []
    for row, column, word, byte in operands(each, 4):
        inside = 0 <= row < each.shape[0] and 0 <= column < each.shape[1]
        place = (row * each.shape[1] + column) * instruction.source_words + word
        wanted.append((instruction.sources[0] + place if inside else None, byte))

    async def bench(ctx):
        ctx.set(part.enter, 1)
        await ctx.tick()
        ctx.set(part.enter, 0)
        for n in range(len(wanted) + 1):
            if n:  # the address of a step is there in the next cycle
                places.append(ctx.get(part.address) if ctx.get(part.inside) else None)
            ctx.set(part.step, n < len(wanted))
            if n < len(wanted):
                bytes_.append(ctx.get(part.byte))
                assert ctx.get(part.ends_tile) == (n == len(wanted) - 1)
            await ctx.tick()

    run(part, bench)
    assert list(zip(places, bytes_, strict=True)) == wanted

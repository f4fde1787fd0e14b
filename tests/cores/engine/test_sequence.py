import re
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from cores import conformance
from cores.choices import Logic, Spram
from cores.engine.layer import BYTE, Layer, Rescale
from cores.engine.parameters import Parameters
from cores.engine.sequence import LANES, LayerSequence
from cores.sim import run
from cores.types import IntType
from platforms.devices import device

OP = LayerSequence.examples(np.random.default_rng(0))[0]


@pytest.mark.parametrize(("name", "most"), [("ecp5-25f", 16), ("up5k", 16), ("hx8k", 64)])
@pytest.mark.long
def test_lanes_that_are_folded_compute_the_same(name, most):
    x = conformance.random_inputs(OP, 2, seed=8)[0]
    folded = list(OP.foldings(device(name)))
    assert [each.lanes for each in folded] == [lanes for lanes in LANES if lanes <= most]
    for each in folded:
        assert (run(each, [x]).outputs["o"] == OP.compute(x)).all()


def test_by_hand():
    # Two pixels of two channels, padded by a pixel of sevens; then the sum of all of it.
    weights = np.array([[[1, 2], [3, -4]]])
    first = Layer(
        "first", (1, 2, 2), weights, kernel=(1, 2), pads=((0, 0), (1, 0)), fill=7,
        rescale=Rescale((1,), (1,), 1, BYTE),
    )  # fmt: skip
    last = Layer("last", (1, 2, 1), np.array([[[10], [1]]]), kernel=(1, 2), bias=(100,))
    op = LayerSequence((2, 2), BYTE, (first, last), (1,))
    # 7 + 14 + 3 * 5 - 4 * 6 = 12, halved and rounded: 6. 5 + 12 + 3 * 8 - 4 * 1 = 37: 19.
    x = np.array([[[5, 6], [8, 1]]])
    assert op.compute(x).tolist() == [[6 * 10 + 19 + 100]]
    assert run(op, [x]).outputs["o"].tolist() == [[179]]


def test_a_layer_is_a_sum_over_every_tap():
    rng = np.random.default_rng(1)
    layer = OP.layers[0]
    x = rng.integers(-128, 128, (1, *layer.shape))
    found = replace(layer, rescale=None, bias=(0,) * 6).compute(x)[0]
    for y, x0, row in np.ndindex(found.shape):
        total = 0
        for ky, kx in np.ndindex(3, 2):
            at = (2 * y + ky - 1, x0 + kx)
            inside = 0 <= at[0] < 4 and 0 <= at[1] < 3
            total += layer.weights[row, 2 * ky + kx, 0] * (x[0][at][0] if inside else -7)
        assert found[y, x0, row] == total


@pytest.mark.long
def test_ties_go_to_even():
    # Three quarters in three digits, some rows missing every tie by a little; then halves up, and
    # to even. By hand: 2 is 3/2 up to 2, 6 is 9/2 down to 4; where a tie is missed, 5.
    ones = np.ones((4, 1), np.int64)
    near = tuple((2 << 24) + more for more in (0, 1, 1 << 12, 5))
    quarters = Rescale((3 << 24,) * 4, near, 26, BYTE, late=1)
    up, even = (Rescale((1,) * 4, (1,) * 4, 1, BYTE, late=late) for late in (0, 1))
    layers = tuple(
        Layer(name, (1, 16, 4), ones, rescale=rescale)
        for name, rescale in (("quarters", quarters), ("up", up), ("even", even))
    )
    assert layers[0].compute(np.full((1, 1, 16, 4), 6))[0, 0, 0].tolist() == [4, 5, 5, 5]
    assert layers[0].compute(np.full((1, 1, 16, 4), 2))[0, 0, 0].tolist() == [2, 2, 2, 2]
    x = np.repeat(np.arange(-32, 32).reshape(4, 1, 16, 1), 4, axis=-1)
    for count in (1, 3):
        op = LayerSequence((1, 16, 4), BYTE, layers[:count], (1, 16, 4), lanes=4)
        assert (run(op, [x]).outputs["o"] == op.compute(x)).all()


@pytest.mark.long
def test_the_same_bits_need_not_tell_ties_in_every_layer():
    # Means of 6 by a rounded sixth, whose ties leave a remainder; halves, whose ties leave none.
    ones = np.ones((4, 1), np.int64)
    sixth = Rescale((683,) * 4, (2304,) * 4, 12, BYTE, late=512)
    half = Rescale((1,) * 4, (1,) * 4, 1, BYTE, late=1)
    x = np.repeat(np.arange(-32, 32).reshape(4, 1, 16, 1), 4, axis=-1)
    for rescales in ((sixth, half), (half, sixth)):
        layers = tuple(Layer("mean", (1, 16, 4), ones, rescale=each) for each in rescales)
        op = LayerSequence((1, 16, 4), BYTE, layers, (1, 16, 4), lanes=4)
        assert (op.compute(x) == layers[1].compute(layers[0].compute(x))).all()
        assert (layers[0].compute(x) == np.rint(x / (6 if rescales[0] is sixth else 2))).all()
        assert (run(op, [x]).outputs["o"] == op.compute(x)).all()


def _after_loading(op: LayerSequence, image: bytes, x: np.ndarray) -> list[int]:
    """Results of one frame, computed by an engine that loads this image."""
    core = op.core()
    results: list[int] = []

    async def bench(ctx):
        ctx.set(core.weights.valid, 1)
        for half in np.frombuffer(image, "<u2").tolist():
            ctx.set(core.weights.payload, half)
            await ctx.tick()
        ctx.set(core.weights.valid, 0)
        ctx.set(core.i.valid, 1)
        ctx.set(core.o.ready, 1)
        for element in x.ravel().tolist():
            ctx.set(core.i.payload[0], element)
            await ctx.tick()
        ctx.set(core.i.valid, 0)
        while len(results) < op.outputs["o"].beats:
            *_, payload, valid = await ctx.tick().sample(core.o.payload[0], core.o.valid)
            if valid:
                results.append(payload)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def test_the_image_can_be_loaded():
    op = replace(OP, memory=Spram())
    assert not OP.image
    x = conformance.random_inputs(op, 1, seed=9)[0]
    wanted = op.compute(x)[0].tolist()
    assert _after_loading(op, op.image, x) == wanted
    assert _after_loading(op, bytes(len(op.image)), x) != wanted


def test_the_memory_must_suit_the_device():
    op = OP
    with pytest.raises(ValueError, match=r"^memory of LayerSequence must be spram on up5k, whose"):
        op.core(device("up5k"))
    with pytest.raises(ValueError, match=r"^memory of LayerSequence must be block or spram, not"):
        replace(op, memory=Logic())


def test_estimates_of_hard_blocks_are_whole():
    op = OP
    count = op.cost(device("up5k"))
    assert (count.spram, count.dsp) == (4, 8)
    assert op.cost(device("ecp5-25f")).spram == 0


FITTING = Rescale((1,), (0,), 0, BYTE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"weights": np.full((1, 1, 2), 128)},
            "layer: weights must lie within s8, not 128..128",
        ),
        ({"fill": 200}, "layer: padding must hold a number of s8, not 200"),
        (
            {"weights": np.ones((1, 2, 2), int)},
            "layer: weights must have the shape (1, 1, 2), not (1, 2, 2)",
        ),
        (
            {"rescale": Rescale((-1,), (0,), 0, BYTE)},
            "layer: slopes must not be negative: negate the weights",
        ),
        (
            {"rescale": Rescale((), (), 0, BYTE)},
            "layer: what follows the sums must have 1 rows, not 0",
        ),
        (
            {"kernel": (1, 4), "weights": np.ones((1, 4, 2), int)},
            "layer: the kernel (1, 4) must fit (1, 3, 2)",
        ),
    ],
)
def test_a_layer_that_does_not_suit_is_refused(change, message):
    fields = {"weights": np.ones((1, 1, 2), int), "rescale": FITTING} | change
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Layer("layer", (1, 3, 2), **fields)


def _plain(shape: tuple[int, int, int], rows: int, **fields) -> Layer:
    rescale = Rescale((1,) * rows, (0,) * rows, 0, BYTE)
    weights = np.ones((rows, 1, shape[2]), int)
    return Layer("layer", shape, **({"weights": weights, "rescale": rescale} | fields))


@pytest.mark.parametrize(
    ("layer", "lanes", "message"),
    [
        (_plain((1, 3, 2), 1), 5, "lanes of LayerSequence must be 4, 8, 16, 32 or 64, not 5"),
        (
            _plain((1, 3, 2), 9),
            4,
            "layer: the last layer must have one position or at most 4 rows, not 3 positions of 9",
        ),
        (
            _plain((1, 300, 2), 1),
            4,
            "layer: an image must be at most 255 high and wide with its padding, not 300",
        ),
        (
            _plain((1, 1, 300), 300),
            4,
            "weights of LayerSequence take 92400 bytes, more than the 65536 of the engine's memory",
        ),
        (
            _plain((200, 200, 2), 1),
            4,
            (
                "layer: what is kept while it runs must fit the 16384 words of the engine's "
                "memory, but takes 40000 words of 4 bytes"
            ),
        ),
        (
            _plain((1, 1, 2), 1, rescale=Rescale((300_000_000,), (0,), 3, BYTE)),
            4,
            (
                "slopes of a sequence must be below 256 and take at most 52 bits, not "
                "300000000 / 2**3"
            ),
        ),
        (
            _plain((1, 1, 2), 1, rescale=None, bias=(1 << 31,)),
            4,
            "offsets of a sequence must have at most 40 bits, not 41",
        ),
    ],
)
def test_a_sequence_that_the_engine_cannot_hold_is_refused(layer, lanes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LayerSequence(layer.shape, BYTE, (layer,), layer.out_shape, lanes=lanes, memory=Spram())


def test_block_ram_may_hold_more_than_single_port_ram():
    layer = _plain((1, 1, 300), 300)
    op = LayerSequence(layer.shape, BYTE, (layer,), layer.out_shape)
    assert op.image_words > 1 << 14
    assert [each.lanes for each in op.foldings(device("ecp5-85f"))] == [4, 8, 16, 32, 64]
    with pytest.raises(
        ValueError, match=r"^weights of LayerSequence take \d+ bytes, more than the"
    ):
        list(op.foldings(device("up5k")))
    with pytest.raises(
        ValueError, match=r"must fit the 131072 words of the engine's memory, but takes \d+ words"
    ):
        frame = _plain((230, 230, 16), 1)
        LayerSequence(frame.shape, BYTE, (frame,), frame.out_shape)


def test_offsets_may_be_wider_than_a_word_of_the_image():
    # Sums far from 0 brought back to 8 bits, by other offsets in each row; two tiles.
    dtype, weights = IntType(-128, -100), np.full((6, 1, 16), 127)
    offsets = tuple((3600 + 40 * row << 21) + row for row in range(6))
    wide = Layer("wide", (1, 2, 16), weights, rescale=Rescale((1 << 15,) * 6, offsets, 21, BYTE))
    last = Layer(
        "last", (1, 2, 6), np.eye(4, 12, dtype=int).reshape(4, 2, 6), kernel=(1, 2), bias=(0,) * 4
    )
    op = LayerSequence((2, 16), dtype, (wide, last), (4,), lanes=4)
    assert op.program.parameters.more == 2
    x = np.random.default_rng(4).integers(-128, -99, (9, 2, 16))
    assert len(np.unique(op.compute(x))) > 9
    assert (run(op, [x]).outputs["o"] == op.compute(x)).all()


@pytest.mark.parametrize(
    ("slope", "shift", "found"),
    [
        (300, 20, (8, 2, 20)),
        (1 << 15, 16, (8, 2, 16)),
        (1 << 16, 16, (9, 2, 16)),
        ((1 << 26) - 1, 30, (13, 2, 30)),
        (1 << 28, 30, (15, 2, 30)),
        (1 << 30, 30, (11, 3, 30)),
        (3, 0, (8, 2, 8)),
    ],
)
def test_slopes_have_as_few_and_as_narrow_digits_as_they_can(slope, shift, found):
    layer = _plain((1, 1, 2), 1, rescale=Rescale((slope,), (0,), shift, BYTE))
    parameters = Parameters((layer,))
    assert (parameters.digit, parameters.count, parameters.shift) == found


def test_layers_must_follow_each_other():
    layer = _plain((1, 3, 2), 2)
    with pytest.raises(ValueError, match=r"^layer: takes \(1, 2, 2\), but \(1, 3, 2\) comes in$"):
        LayerSequence((1, 3, 2), BYTE, (layer, _plain((1, 2, 2), 2)), (2, 2))
    raw = Layer("raw", (1, 3, 2), np.ones((2, 1, 2), int), bias=(0, 0))
    with pytest.raises(ValueError, match=r"^raw: must make numbers of s8, not -256..254, as"):
        LayerSequence((1, 3, 2), BYTE, (raw, layer), (3, 2))
    with pytest.raises(
        ValueError, match=r"^input of LayerSequence must be of 8 bits, not 0\.\.256$"
    ):
        LayerSequence((1, 3, 2), IntType(0, 256), (layer,), (3, 2))

import numpy as np
import pytest

from cores.types import StreamType
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow
from tests.hwgen.integer.instances import FILL, IMAGE, WINDOWS, tensor

X = np.array([[[1, -1], [2, -2], [3, -3]]])  # one frame, 3 positions, 2 channels
UNDER = np.array([[[7, 8, 1, -1], [2, -2, 3, -3]]])


def test_windows_on_a_worked_example():
    fill = np.array([7, 8])
    strided = IntWindow((2,), (2,), (1,), ((1, 0),), fill)
    assert strided.compute(X).tolist() == UNDER.tolist()
    apart = IntWindow((2,), (1,), (2,), ((0, 1),), fill)
    assert apart.compute(X).tolist() == [[[1, -1, 3, -3], [2, -2, 7, 8]]]
    cut = IntWindow((1,), (1,), (1,), ((-1, 1),), fill)
    assert cut.compute(X).tolist() == [[[2, -2], [3, -3], [7, 8]]]


def test_reductions_on_a_worked_example():
    assert IntReduce("max", 2).compute(UNDER).tolist() == [[[7, 8], [3, -2]]]
    assert IntReduce("sum", 2).compute(UNDER).tolist() == [[[8, 7], [5, -5]]]
    assert IntTotal().compute(X).tolist() == [[6, -6]]
    assert IntTotal("max").compute(X).tolist() == [[3, -1]]


@pytest.mark.parametrize("seed", range(40))
def test_windows_are_what_a_loop_over_positions_and_taps_finds(seed):
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    space = tuple(rng.integers(3, 7, axes).tolist())
    kernel, strides, dilations = (tuple(rng.integers(1, top, axes).tolist()) for top in (4, 4, 3))
    # Elements are cut off one end or both; what is left must have room for the kernel.
    least = [max(0, d * (k - 1) + 1 - n) for n, k, d in zip(space, kernel, dilations, strict=True)]
    before = rng.integers(-2, 5, axes).tolist()
    pads = tuple(
        (b, max(int(rng.integers(-2, 5)), more - b)) for b, more in zip(before, least, strict=True)
    )
    fill = rng.integers(-9, 10, 2)
    x = rng.integers(-99, 100, (2, *space, 2))
    op = IntWindow(kernel, strides, dilations, pads, fill)
    found = op.compute(x)
    assert found.shape[1:-1] == op.out_space(space)
    for at in np.ndindex(found.shape[1:-1]):
        for k, tap in enumerate(np.ndindex(kernel)):
            place = tuple(
                o * s + t * d - p[0]
                for o, s, t, d, p in zip(at, strides, tap, dilations, pads, strict=True)
            )
            inside = all(0 <= i < n for i, n in zip(place, space, strict=True))
            wanted = x[:, *place] if inside else np.tile(fill, (2, 1))
            assert np.array_equal(found[:, *at, 2 * k : 2 * k + 2], wanted)


def test_positions_that_the_stride_skips_leave_no_padding_behind():
    # kernel 1, stride 2 on 3 elements with one behind: the padding is never under the kernel
    op = IntWindow((1,), (2,), (1,), ((0, 1),), np.array([9]))
    assert op.result_type(tensor([0], [1], (3,))).hi.tolist() == [1]


def test_windows_come_in_the_order_that_is_asked_for():
    stream = [StreamType(IMAGE.shape, IMAGE.dtype)]
    op = IntWindow((2, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), FILL)
    assert op.lower(stream).order == "dense"
    assert op.lower_by_channel(stream).order == "depthwise"


@pytest.mark.parametrize(
    ("op", "kind", "message"),
    [
        (
            IntWindow((2,), (1,), (1,), ((0, 0),), FILL),
            IMAGE,
            r"^kernel must have one entry per spatial axis, 2, not 1$",
        ),
        (
            IntWindow((3, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), FILL),
            IMAGE,
            r"^kernel must fit the padded input \(2, 2\), not be \(3, 1\)$",
        ),
        (
            IntWindow((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), np.zeros(3, int)),
            IMAGE,
            r"^fill must have the shape \(2,\) for this input, not \(3,\)$",
        ),
        (IntTotal("min"), IMAGE, r"^fn must be max or sum, not min$"),
        (IntReduce("min", 2), WINDOWS, r"^fn must be max or sum, not min$"),
        (IntReduce("max", 3), WINDOWS, r"^channels must be a multiple of the 3 taps, not 4$"),
    ],
)
def test_fields_must_fit_the_input(op, kind, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(kind)

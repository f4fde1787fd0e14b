from itertools import product

import numpy as np
import pytest

from cores.types import IntType
from hwgen.integer.joins import IntAdd, IntConcat
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat, IntReshape
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from hwgen.integer.steps import IntArgMax, IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow


def tensor(lo, hi, space=()) -> IntTensor:
    return IntTensor((*space, len(lo)), np.array(lo), np.array(hi))


def every_input(x: IntTensor) -> np.ndarray:
    lo, hi = (np.broadcast_to(end, x.shape).reshape(-1).tolist() for end in (x.lo, x.hi))
    axes = [range(a, b + 1) for a, b in zip(lo, hi, strict=True)]
    return np.array(list(product(*axes))).reshape(-1, *x.shape)


def assert_range_is_reached(op, *kinds: IntTensor) -> None:
    """Over every combination of inputs."""
    frames = [every_input(kind) for kind in kinds]
    if len(frames) == 2:
        frames = [frames[0].repeat(len(frames[1]), 0), np.tile(frames[1].T, len(frames[0])).T]
    y = op.compute(*frames)
    found = op.result_type(*kinds)
    assert found.shape == y.shape[1:]
    y = y.reshape(-1, y.shape[-1])
    assert found.lo.tolist() == y.min(axis=0).tolist()
    assert found.hi.tolist() == y.max(axis=0).tolist()


def random_op(rng: np.random.Generator):
    match rng.integers(2):
        case 0:
            return IntMatMul(rng.integers(-3, 4, (4, 3)), rng.integers(-5, 6, 4))
        case _:
            count = int(rng.integers(0, 4))
            starts = np.sort(rng.integers(-3, 5, (3, count)), axis=1)
            return IntStep(starts, rng.integers(-9, 10, (3, count + 1)))


@pytest.mark.parametrize("seed", range(40))
def test_ranges_are_exactly_those_that_inputs_reach(seed):
    rng = np.random.default_rng(seed)
    lo = rng.integers(-2, 1, 3)
    assert_range_is_reached(random_op(rng), tensor(lo, lo + rng.integers(0, 4, 3)))


X = tensor([-1, 2], [1, 2], (2, 2))
FILL = np.array([3, 0])
WINDOWS = tensor([-1, 0, -2, 1], [1, 1, -1, 2])  # two taps of two channels


@pytest.mark.parametrize(
    "op",
    [
        IntWindow((2, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), FILL),
        IntWindow((1, 2), (2, 1), (1, 1), ((0, 0), (1, 0)), FILL),
        IntWindow((2, 2), (1, 2), (2, 1), ((1, 1), (0, 2)), FILL),
        IntWindow((1, 1), (1, 1), (1, 1), ((1, 0), (0, 1)), FILL),
        IntWindow((1, 1), (2, 1), (1, 1), ((2, 0), (0, 0)), FILL),
        IntWindow((3, 1), (1, 1), (1, 1), ((2, 0), (0, 0)), FILL),
        IntTotal(),
        IntTotal("max"),
        IntWeigh(((3, 1), (2, 5))),
        IntCrop((0, 1, 1), (2, 2, 2), (1, 1, 1)),
        IntCrop((0, 0, 0), (2, 2, 2), (2, 1, 1)),
        IntRepeat((2, 1)),
        IntDilate((1, 3), FILL),
        IntDilate((1, 1), FILL),
        IntReshape((8,)),
        IntReshape((2, 4)),
        IntReshape((8, 1)),
    ],
)
def test_ranges_of_spatial_ops_are_exactly_those_that_inputs_reach(op):
    assert_range_is_reached(op, X)


@pytest.mark.parametrize(
    "op",
    [
        IntReduce("max", 2),
        IntReduce("sum", 2),
        IntDepthwise(np.array([[1, -2], [0, 3]]), np.array([5, -1])),
        IntDepthwise(np.array([[1, -2], [0, 3], [-1, -1], [2, 2]]), np.array([5, -1, 0, 0])),
    ],
)
def test_ranges_over_taps_are_exactly_those_that_inputs_reach(op):
    assert_range_is_reached(op, WINDOWS)


@pytest.mark.parametrize(
    "op", [IntAdd(np.array([[2, 1], [-3, 0]]), np.array([1, -7])), IntConcat()]
)
def test_ranges_of_joins_are_exactly_those_that_inputs_reach(op):
    assert_range_is_reached(op, tensor([-1, 2], [1, 4]), tensor([0, -2], [1, 1]))


def test_positions_that_the_stride_skips_leave_no_padding_behind():
    # kernel 1, stride 2 on 3 elements with one behind: the padding is never under the kernel
    op = IntWindow((1,), (2,), (1,), ((0, 1),), np.array([9]))
    assert op.result_type(tensor([0], [1], (3,))).hi.tolist() == [1]


def test_the_dtype_is_the_union_of_the_channels():
    assert tensor([0, -3], [5, 1]).dtype == IntType(-3, 5)


def test_argmax_gives_one_channel():
    found = IntArgMax(np.zeros(3, int), np.zeros(3, int)).result_type(tensor([0] * 3, [1] * 3))
    assert (found.shape, found.lo.tolist(), found.hi.tolist()) == ((1,), [0], [2])


@pytest.mark.parametrize(
    ("op", "kinds", "message"),
    [
        (
            IntMatMul(np.zeros((2, 3), int), np.zeros(2, int)),
            [tensor([0], [1])],
            r"^weights must have the shape \(2, 1\) for this input, not \(2, 3\)$",
        ),
        (
            IntWindow((2,), (1,), (1,), ((0, 0),), FILL),
            [X],
            r"^kernel must have one entry per spatial axis, 2, not 1$",
        ),
        (
            IntWindow((3, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), FILL),
            [X],
            r"^kernel must fit the padded input \(2, 2\), not be \(3, 1\)$",
        ),
        (
            IntDilate((1, 2), np.zeros(3, int)),
            [X],
            r"^fill must have the shape \(2,\) for this input, not \(3,\)$",
        ),
        (IntTotal("min"), [X], r"^fn must be max or sum, not min$"),
        (IntReduce("min", 2), [WINDOWS], r"^fn must be max or sum, not min$"),
        (
            IntReduce("max", 3),
            [WINDOWS],
            r"^channels must be a multiple of the 3 taps, not 4$",
        ),
        (
            IntDepthwise(np.zeros((3, 2), int), np.zeros(3, int)),
            [WINDOWS],
            r"^rows must be a multiple of the 2 channels, not 3$",
        ),
        (
            IntAdd(np.ones((2, 2), int), np.zeros(2, int)),
            [X, WINDOWS],
            r"^inputs must have one shape, not \(2, 2, 2\), \(4,\)$",
        ),
        (
            IntConcat(),
            [X, WINDOWS],
            r"^inputs must have the same positions, not the shapes \(2, 2, 2\), \(4,\)$",
        ),
        (
            IntCrop((0, 0, 0), (2, 3, 2), (1, 1, 1)),
            [X],
            (
                r"^starts, stops and steps must cut a part out of \(2, 2, 2\), not be "
                r"\(0, 0, 0\), \(2, 3, 2\) and \(1, 1, 1\)$"
            ),
        ),
        (
            IntWeigh(((1, 1), (1,))),
            [X],
            r"^weights must have the shape \(2, 2\) for this input, not \(2, 1\)$",
        ),
        (
            IntWeigh(((1, 1), (1, 0))),
            [X],
            r"^weights must be positive, not \(\(1, 1\), \(1, 0\)\)$",
        ),
        (
            IntReshape((3, 3)),
            [X],
            r"^shape must have as many elements as \(2, 2, 2\), not be \(3, 3\)$",
        ),
    ],
)
def test_fields_must_fit_the_input(op, kinds, message):
    with pytest.raises(ValueError, match=message):
        op.result_type(*kinds)

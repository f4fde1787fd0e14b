import json
from fractions import Fraction

import numpy as np
import pytest

from hwgen.host.edges import apply, real


def run(steps, x):
    return apply(json.loads(json.dumps(steps)), np.asarray(x))


def quantise(scale, zero_point=0.0, lo=-8, hi=7, rounding="HALF_EVEN", round_first=False):
    return {
        "op": "quantise",
        "args": [-1],
        "scale": real(np.asarray(scale)),
        "zero_point": real(np.asarray(zero_point)),
        "lo": lo,
        "hi": hi,
        "rounding": rounding,
        "round_first": round_first,
    }


INT = {"op": "int64", "args": [0]}


def test_no_steps_change_nothing():
    x = np.arange(6).reshape(2, 3)
    assert apply([], x) is x


def test_quantise_rounds_then_clips_to_int64():
    y = run([quantise(0.5), INT], [[0.25, 0.75, -0.25, 99.0, -99.0]])
    assert y.tolist() == [[0, 2, 0, 7, -8]]
    assert y.dtype == np.int64


def test_an_odd_zero_point_moves_ties_unless_rounded_first():
    # FACTS: z = 1 and x/s = 0.5, 1.5, 2.5 give 1, 3, 3 rounded first and 2, 2, 4 with z inside.
    x = [[0.5, 1.5, 2.5]]
    assert run([quantise(1.0, 1.0, round_first=True), INT], x).tolist() == [[1, 3, 3]]
    assert run([quantise(1.0, 1.0), INT], x).tolist() == [[2, 2, 4]]


def test_scale_per_channel_broadcasts_against_a_sample():
    y = run([quantise([[1.0], [0.5]]), INT], [[[1.0, 2.0], [1.0, 2.0]]])
    assert y.tolist() == [[[1, 2], [2, 4]]]


def test_step_counts_starts_at_or_below():
    step = {"op": "step", "args": [-1], "starts": [[0.5, 2.0]], "values": [[-1, 0, 7]], "axis": 0}
    assert run([step, INT], [[0.4], [0.5], [2.0]]).tolist() == [[-1], [0], [7]]


def test_step_per_channel_takes_its_own_row():
    step = {
        "op": "step",
        "args": [-1],
        "starts": [[0], [10]],
        "values": [[0, 1], [5, 6]],
        "axis": 1,
    }
    assert run([step, INT], [[[3, 3], [3, 30]]]).tolist() == [[[1, 5], [1, 6]]]


def test_affine_is_rounded_once_to_float32():
    # 3 * (1/3 to 106 bits) is 1 to float32 and beyond; -1 leaves less than 2^-100.
    third = 1 / 3
    rest = float(Fraction(1, 3) - Fraction(third))
    scale = real(np.array([third]), np.array([rest]))
    affine = {
        "op": "affine",
        "args": [-1],
        "scale": scale,
        "bias": real(np.array([-1.0])),
        "axis": 0,
    }
    y = run([affine, {"op": "float32", "args": [0]}], [[3]])
    assert y.dtype == np.float32
    assert abs(float(y[0, 0])) < 2.0**-100


def test_take_transpose_and_reshape_move_elements():
    x = np.arange(6).reshape(1, 2, 3)
    steps = [
        {"op": "transpose", "args": [-1], "perm": [1, 0]},
        {"op": "take", "args": [0], "index": [5, 0], "shape": [2]},
        {"op": "reshape", "args": [1], "shape": [2, 1]},
        {"op": "int64", "args": [2]},
    ]
    assert run(steps, x).tolist() == [[[5], [0]]]


def test_a_step_can_use_two_earlier_ones():
    steps = [
        {"op": "unary", "args": [-1], "fn": "sigmoid"},
        {"op": "binary", "args": [-1, 0], "fn": "mul"},
    ]
    assert run(steps, [[0.0, 2.0]])[0].tolist() == [0.0, 2.0 / (1 + np.exp(-2.0))]


def test_constants_align_with_the_last_axes_of_a_sample():
    steps = [
        {"op": "constant", "args": [], "value": real(np.array([10.0, 20.0]))},
        {"op": "binary", "args": [0, -1], "fn": "sub"},
    ]
    assert run(steps, [[[1.0, 2.0]], [[3.0, 4.0]]]).tolist() == [[[9.0, 18.0]], [[7.0, 16.0]]]


def test_argmax_takes_the_lowest_index_and_sees_the_low_part():
    steps = [{"op": "argmax", "args": [-1], "axis": 0, "keepdims": True, "largest": True}]
    assert run([*steps, INT], [[1.0, 3.0, 3.0]]).tolist() == [[1]]
    least = [{**steps[0], "largest": False, "keepdims": False}]
    assert run([*least, INT], [[2.0, 1.0, 1.0]]).tolist() == [1]
    big = 2**60  # neighbours that one float64 cannot tell apart
    assert run([*steps, INT], [[big, big + 1]]).tolist() == [[1]]


def test_softmax_does_not_overflow():
    steps = [{"op": "softmax", "args": [-1], "axis": 0}]
    assert run(steps, [[1000.0, 1000.0]]).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_inputs_must_be_finite(bad):
    with pytest.raises(ValueError, match=r"^input array must be finite, it holds NaN or infinity$"):
        run([quantise(1.0)], [[bad]])

import numpy as np
import pytest

from hwgen.tensor.moves import Concat, Pad, Slice
from tests.hwgen.frontend.agreement import agrees, kinds, refusal, whole
from tests.onnx_models import Maker

X = np.random.default_rng(5).integers(-8, 9, (1, 4, 5, 6)).astype(np.float32)
SPELLED = ["Binary"] * 4 + ["Concat"] + ["Binary"] * 2
"""Two divisions and zero points before the joint, one of each behind it."""


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concat(tmp_path, axis):
    maker = Maker(X.shape)
    other = maker.node("Neg", "x")
    constant = maker.constant(whole(*X.shape))
    maker.node("Concat", other, "x", constant, name="c", axis=axis)
    assert agrees(maker, tmp_path, X).by_name["c"].op == Concat(axis % 4)


def test_concat_of_one_tensor_is_none(tmp_path):
    maker = Maker(X.shape)
    maker.node("Concat", maker.node("Neg", "x"), axis=1)
    assert kinds(agrees(maker, tmp_path, X)) == ["Unary"]


@pytest.mark.parametrize(("other", "ops"), [(0.5, ["Concat"]), (0.25, SPELLED)])
def test_integers_of_one_grid_stay_on_it_when_joined(tmp_path, other, ops):
    """Integers of two grids are joined as integers."""
    maker = Maker(X.shape)
    zero = maker.constant(np.int8(1))
    parts = [
        maker.node("QuantizeLinear", maker.node(kind, "x"), maker.constant(scale), zero)
        for kind, scale in (("Neg", 0.5), ("Abs", other))
    ]
    y = maker.node("Concat", *parts, axis=1)
    maker.node("DequantizeLinear", y, maker.constant(0.5), zero)
    graph = agrees(maker, tmp_path, X)
    assert kinds(graph) == ["Unary", "Quant"] * 2 + ops


@pytest.mark.parametrize(
    ("opset", "axis", "sizes", "attributes", "count"),
    [
        (11, 1, [1, 3], {"split": [1, 3]}, 2),
        (11, 1, None, {}, 2),
        (13, -1, [1, 2, 3], {}, 3),
        (13, 3, None, {}, 3),
        (18, 2, None, {"num_outputs": 3}, 3),
    ],
)
def test_split(tmp_path, opset, axis, sizes, attributes, count):
    maker = Maker(X.shape, opset=opset)
    inputs = ["x"] if opset < 13 or sizes is None else ["x", maker.constant(sizes)]
    names = [f"part{index}" for index in range(count)]
    maker.node("Split", *inputs, name="s", outputs=names, axis=axis, **attributes)
    graph = agrees(maker, tmp_path, X, *names)
    assert kinds(graph) == ["Slice"] * count


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [1], [1]),
        ([-3, 0], [-1, 2**31], [2, -1], None),
        ([0, 1, 1, -100], [1, 100, 4, 100], None, None),
        ([1, 0], [5, 6], [2, 3], [2, 3]),
    ],
)
def test_slice(tmp_path, opset, starts, ends, axes, steps):
    maker = Maker(X.shape, opset=opset)
    given = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    if opset < 10:
        given = {name: values for name, values in given.items() if values and name != "steps"}
        maker.node("Slice", "x", **given)
    else:
        values = list(given.values())
        values[2] = values[2] or [0, 1, 2, 3]
        inputs = [maker.constant(value) for value in values if value]
        maker.node("Slice", "x", *inputs)
    assert kinds(agrees(maker, tmp_path, X)) == ["Slice"]


def test_slice_of_everything_is_none(tmp_path):
    maker = Maker(X.shape)
    maker.node("Slice", "x", maker.constant([0]), maker.constant([99]), maker.constant([2]))
    assert kinds(agrees(maker, tmp_path, X)) == []


def test_bounds_of_a_slice_are_those_of_its_axis(tmp_path):
    maker = Maker(X.shape)
    ends = [maker.constant(value) for value in ([-4, 1], [-1, 99], [2, -1], [2, 1])]
    maker.node("Slice", "x", *ends, name="s")
    op = agrees(maker, tmp_path, X).by_name["s"].op
    assert op == Slice((0, 0, 1, 1), (1, 4, 4, 6), (1, 1, 2, 1))


@pytest.mark.parametrize(
    ("index", "axis", "ops"),
    [
        (2, 1, ["Slice", "Reshape"]),
        (-1, 2, ["Slice", "Reshape"]),
        ([1, 3], 1, ["Slice"]),
        ([-3, -2, -1], 2, ["Slice"]),
        ([4], -1, ["Slice"]),
        ([0, 1, 2, 3], 1, []),
    ],
)
def test_gather(tmp_path, index, axis, ops):
    maker = Maker(X.shape)
    maker.node("Gather", "x", maker.constant(index), axis=axis)
    assert kinds(agrees(maker, tmp_path, X)) == ops


@pytest.mark.parametrize("opset", [10, 13, 18])
@pytest.mark.parametrize(
    ("pads", "value", "ops"),
    [
        ([0, 0, 1, 2, 0, 0, 0, 3], 0.0, ["Pad"]),
        ([0, 1, 0, 0, 0, 1, 1, 1], -2.5, ["Pad"]),
        ([0, 0, -1, 0, 0, 0, 0, -2], 0.0, ["Slice"]),
        ([0, 0, -1, 2, 0, 0, 1, -2], 3.0, ["Slice", "Pad"]),
        ([0] * 8, 7.0, []),
    ],
)
def test_pad(tmp_path, opset, pads, value, ops):
    maker = Maker(X.shape, opset=opset)
    if opset == 10:
        maker.node("Pad", "x", name="p", pads=pads, value=value)
    elif opset == 13:
        maker.node("Pad", "x", maker.constant(pads), maker.constant(value), name="p")
    else:
        axes = [2, -3, -1, 0]
        given = [pads[axis] for axis in axes] + [pads[4 + axis % 4] for axis in axes]
        inputs = [maker.constant(given), maker.constant(value), maker.constant(axes)]
        maker.node("Pad", "x", *inputs, name="p")
    assert kinds(agrees(maker, tmp_path, X)) == ops


def test_padding_of_integers_is_the_number_it_stands_for(tmp_path):
    maker = Maker((1, 1, 2))
    scale, zero = maker.constant(0.5), maker.constant(np.int8(3))
    y = maker.node("QuantizeLinear", "x", scale, zero)
    y = maker.node(
        "Pad", y, maker.constant([0, 0, 1, 0, 0, 0]), maker.constant(np.int8(-1)), name="p"
    )
    maker.node("DequantizeLinear", y, scale, zero)
    graph = agrees(maker, tmp_path, np.array([[[1, 2]]], np.float32))
    assert graph.by_name["p"].op == Pad(((0, 0), (0, 0), (1, 0)), -2.0)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(tmp_path, mode):
    maker = Maker((1, 8, 3, 2))
    maker.node("DepthToSpace", "x", blocksize=2, mode=mode)
    graph = agrees(maker, tmp_path, whole(1, 8, 3, 2))
    assert kinds(graph) == ["Reshape", "Transpose", "Reshape"]


def test_space_to_depth(tmp_path):
    maker = Maker((1, 2, 4, 6))
    maker.node("SpaceToDepth", "x", blocksize=2)
    agrees(maker, tmp_path, whole(1, 2, 4, 6))


def message(tmp_path, kind, *inputs, shape=X.shape, opset=13, outputs=(), **attributes) -> str:
    maker = Maker(shape, opset=opset)
    inputs = [maker.constant(value) for value in inputs]
    maker.node(kind, "x", *inputs, name="n", outputs=outputs, **attributes)
    return refusal(maker, tmp_path)


def test_refuses_modes_of_pad(tmp_path):
    assert message(tmp_path, "Pad", [0, 0, 1, 1] * 2, mode="reflect") == (
        "n: Pad must be of mode constant, not reflect; "
        "constant padding, or auto_pad of a convolution"
    )


def test_refuses_padding_with_infinity(tmp_path):
    assert message(tmp_path, "Pad", [0, 0, 1, 1] * 2, -np.inf) == (
        "n: Pad must have a finite value, not [-inf]"
    )


def test_refuses_pads_of_another_rank(tmp_path):
    assert message(tmp_path, "Pad", [0, 1, 0, 1]) == "n: Pad must have 8 pads, not 4"


def test_refuses_negative_steps(tmp_path):
    assert message(tmp_path, "Slice", [4], [0], [2], [-1]) == (
        "n: Slice must have positive steps, not -1"
    )


def test_refuses_a_slice_of_nothing(tmp_path):
    assert message(tmp_path, "Slice", [3], [3], [2]) == (
        "n: Slice must leave some elements of (1, 4, 5, 6), not shape (1, 4, 0, 6)"
    )


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ([2, 1], "in equal steps upwards, not [2, 1]"),
        ([0, 1, 3], "in equal steps upwards, not [0, 1, 3]"),
        ([1, 1], "in equal steps upwards, not [1, 1]"),
        (list(range(3)) * 4, "in equal steps upwards, not [0, 1, 2, 0, 1, 2, 0, 1] ..."),
    ],
)
def test_refuses_other_indices_of_gather(tmp_path, index, found):
    assert message(tmp_path, "Gather", index, axis=1) == (
        f"n: Gather must pick elements {found}; Slice and Concat"
    )


def test_refuses_indices_outside(tmp_path):
    assert message(tmp_path, "Gather", [3, 4], axis=1) == (
        "n: indices of Gather must lie in -4..3, not [3, 4]"
    )


def test_refuses_sizes_that_do_not_split(tmp_path):
    assert message(tmp_path, "Split", [1, 2], outputs=("a", "b"), axis=1) == (
        "n: Split must cut the 4 elements of axis 1 into 2 parts, not sizes [1, 2]"
    )


def test_refuses_to_join_other_shapes(tmp_path):
    assert message(tmp_path, "Concat", whole(1, 2, 5, 7), axis=1) == (
        "n: tensors that Concat joins must differ on axis 1 only, not (1, 4, 5, 6) and (1, 2, 5, 7)"
    )


def test_refuses_channels_that_make_no_blocks(tmp_path):
    assert message(tmp_path, "DepthToSpace", blocksize=3) == (
        "n: channels of DepthToSpace must be a multiple of 9, not 4"
    )
    assert message(tmp_path, "SpaceToDepth", blocksize=2) == (
        "n: spatial axes of SpaceToDepth must be multiples of 2, not shape (1, 4, 5, 6)"
    )


def test_value_of_pad_may_be_a_quantised_constant(tmp_path):
    """As onnxruntime's quantiser writes it: the value has the grid of the tensor."""
    maker = Maker((1, 1, 2))
    scale, zero = maker.constant(0.5), maker.constant(np.uint8(3))
    value = maker.node("DequantizeLinear", maker.constant(np.uint8(7)), scale, zero)
    maker.node("Pad", "x", maker.constant([0, 0, 1, 0, 0, 0]), value, name="p")
    graph = agrees(maker, tmp_path, np.array([[[1, 2]]], np.float32))
    assert graph.by_name["p"].op == Pad(((0, 0), (0, 0), (1, 0)), 2.0)


def test_refuses_padding_with_computed_numbers(tmp_path):
    maker = Maker((1, 1, 2))
    value = maker.node("Neg", maker.constant(1.0))
    maker.node("Pad", "x", maker.constant([0, 0, 1, 0, 0, 0]), value, name="p")
    assert refusal(maker, tmp_path) == (
        "p: value of Pad must be stored in the model, not computed by other nodes; "
        "export with constant folding"
    )

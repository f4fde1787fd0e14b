import numpy as np
import pytest

from hwgen.tensor.moves import Repeat
from tests.hwgen.frontend.agreement import agrees, refusal
from tests.onnx_models import Maker

NEAREST = "mode nearest with nearest_mode floor, coordinates asymmetric and integer scales"
X = np.random.default_rng(5).integers(-8, 9, (1, 2, 3, 4)).astype(np.float32)


def resized(scales=None, sizes=None, *, opset=13, **attributes) -> Maker:
    maker = Maker(X.shape, opset=opset)
    inputs = [maker.constant(np.asarray(scales, np.float32))] if scales else []
    if opset > 10:
        inputs = ["", *(inputs or [""])]
    if sizes:
        inputs.append(maker.constant(sizes))
    maker.node("Resize", "x", *inputs, name="r", **attributes)
    return maker


@pytest.mark.parametrize(
    ("coordinates", "rounding", "scales"),
    [
        ("asymmetric", "floor", [1, 1, 2, 3]),
        ("asymmetric", "round_prefer_floor", [1, 1, 2, 2]),
        ("half_pixel", "round_prefer_floor", [1, 1, 2, 3]),
        ("half_pixel", "round_prefer_ceil", [1, 1, 4, 5]),
        ("pytorch_half_pixel", "round_prefer_floor", [1, 1, 3, 2]),
        ("tf_half_pixel_for_nn", "floor", [1, 1, 2, 3]),
    ],
)
def test_forms_that_repeat(tmp_path, coordinates, rounding, scales):
    maker = resized(scales, coordinate_transformation_mode=coordinates, nearest_mode=rounding)
    assert agrees(maker, tmp_path, X).by_name["r"].op == Repeat(tuple(scales))


def test_sizes(tmp_path):
    asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    maker = resized(sizes=[1, 2, 6, 12], **asymmetric)
    assert agrees(maker, tmp_path, X).by_name["r"].op == Repeat((1, 1, 2, 3))


def test_resize_of_opset_10_rounds_down(tmp_path):
    maker = resized([1, 1, 3, 2], opset=10)
    assert agrees(maker, tmp_path, X).by_name["r"].op == Repeat((1, 1, 3, 2))


@pytest.mark.parametrize("opset", [8, 9])
def test_upsample(tmp_path, opset):
    maker = Maker(X.shape, opset=opset)
    if opset < 9:
        maker.node("Upsample", "x", name="u", scales=[1.0, 1.0, 2.0, 3.0])
    else:
        maker.node("Upsample", "x", maker.constant([1.0, 1.0, 2.0, 3.0]), name="u")
    assert agrees(maker, tmp_path, X).by_name["u"].op == Repeat((1, 1, 2, 3))


def test_scales_of_1_change_nothing(tmp_path):
    assert agrees(resized([1, 1, 1, 1]), tmp_path, X).nodes == ()


@pytest.mark.parametrize(
    ("attributes", "scales", "message"),
    [
        ({"mode": "linear"}, [1, 1, 2, 2], "r: Resize must be of mode nearest, not linear"),
        (
            {},
            [1, 1, 1.5, 2],
            "r: Resize must have 4 integer scales of at least 1, not 1, 1, 1.5, 2",
        ),
        (
            {},
            [1, 1, 0.5, 1],
            "r: Resize must have 4 integer scales of at least 1, not 1, 1, 0.5, 1",
        ),
        (
            {"coordinate_transformation_mode": "asymmetric"},
            [1, 1, 1, 3],
            (
                "r: Resize must repeat every element 3 times, not element 2 from 1 "
                "(asymmetric, round_prefer_floor)"
            ),
        ),
        (
            {"nearest_mode": "floor"},
            [1, 1, 2, 1],
            "r: Resize must repeat every element 2 times, not element 2 from 0 (half_pixel, floor)",
        ),
        (
            {"coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"},
            [1, 1, 2, 1],
            (
                "r: Resize must repeat every element 2 times, not element 2 from 0 "
                "(align_corners, floor)"
            ),
        ),
    ],
)
def test_refuses(tmp_path, attributes, scales, message):
    assert refusal(resized(scales, **attributes), tmp_path) == f"{message}; {NEAREST}"

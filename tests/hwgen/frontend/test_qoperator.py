import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from hwgen.frontend.reader import read
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.agreement import RNG, agrees, kinds, refusal, whole
from tests.hwgen.frontend.runtime import clear_of_ties
from tests.onnx_models import Maker

MS = "com.microsoft"
U8, I8 = np.uint8, np.int8


class Quantised(Maker):
    """A float input, quantised; `grid` adds a scale and a zero point."""

    def __init__(self, shape, *, scale=0.5, zero=3, dtype=U8, opset=13):
        super().__init__(shape, opset=opset)
        self.x = self.grid(scale, dtype(zero))
        self.n = self.node("QuantizeLinear", "x", *self.x, name="q")

    def grid(self, scale, zero) -> list[str]:
        return [self.constant(scale), self.constant(zero)]

    def real(self, n: str, grid: list[str]) -> None:
        self.node("DequantizeLinear", n, *grid, name="out")


def integers(*shape, low=-128, high=128, dtype=I8):
    return RNG.integers(low, high, shape).astype(dtype)


def weights(*shape, dtype=I8):
    """Signed ones of 7 bits: so pairs of their products fit onnxruntime's 16 bits."""
    return integers(
        *shape, low=-64 if dtype is I8 else 0, high=65 if dtype is I8 else 256, dtype=dtype
    )


@pytest.mark.parametrize(
    ("scales", "zero", "dtype"),
    [
        (0.25, 0, I8),
        (0.25, 5, I8),
        (0.25, 130, U8),
        ([0.25, 0.5, 0.125], [0, 0, 0], I8),
        ([0.25, 0.5, 0.125], [1, 2, 3], I8),
    ],
)
@pytest.mark.parametrize("bias", [False, True])
def test_qlinear_conv(tmp_path, scales, zero, dtype, bias):
    maker = Quantised((1, 2, 5, 5))
    w = maker.constant(weights(3, 2, 3, 3, dtype=dtype))
    y = maker.grid(16.0, U8(100))
    inputs = [maker.n, *maker.x, w, *maker.grid(scales, np.asarray(zero, dtype)), *y]
    if bias:
        inputs.append(maker.constant(integers(3, low=-999, high=999, dtype=np.int32)))
    n = maker.node("QLinearConv", *inputs, name="c", pads=[1, 0, 0, 1], strides=[2, 1])
    maker.real(n, y)
    graph = agrees(maker, tmp_path, whole(1, 2, 5, 5, top=40))
    assert kinds(graph) == [
        "Quant",
        "Quant",
        "Conv",
        *["Quant", "Reshape", "Binary"] * bias,
        "Quant",
    ]
    assert graph.by_name["c#quant"].op.round_first


def test_bias_of_qlinear_conv_has_the_product_of_both_scales(tmp_path):
    """x = 2 * 0.1, w = 3 * 0.2, bias = 5 * (0.1 * 0.2): all of them float32 numbers."""
    maker = Quantised((1, 1, 1, 1), scale=0.1, zero=0)
    w = maker.constant(np.full((1, 1, 1, 1), 3, I8))
    y = maker.grid(0.01, I8(0))
    bias = maker.constant(np.array([5], np.int32))
    n = maker.node("QLinearConv", maker.n, *maker.x, w, *maker.grid(0.2, I8(0)), *y, bias)
    maker.real(n, y)
    graph = read(maker.save(tmp_path)).graph
    (result,) = evaluate(graph, {"x": np.full((1, 1, 1, 1), 0.2)}).values()
    scale = float(np.float32(0.1)) * float(np.float32(0.2))
    assert round(11 * scale / float(np.float32(0.01))) == 22
    assert result.tolist() == [[[[22 * float(np.float32(0.01))]]]]


def test_depthwise_and_letters_same(tmp_path):
    maker = Quantised((1, 4, 6, 5))
    w = maker.constant(weights(4, 1, 3, 3))
    y = maker.grid(8.0, U8(128))
    given = [maker.n, *maker.x, w, *maker.grid(0.25, I8(0)), *y]
    n = maker.node("QLinearConv", *given, name="c", group=4, auto_pad="SAME_UPPER", strides=[2, 2])
    maker.real(n, y)
    agrees(maker, tmp_path, whole(1, 4, 6, 5, top=40))


@pytest.mark.parametrize(("scales", "zeros"), [(0.25, 7), ([0.25, 0.5, 1.0], [0, 5, -6])])
def test_qlinear_matmul(tmp_path, scales, zeros):
    maker = Quantised((1, 4))
    y = maker.grid(4.0, U8(90))
    b = maker.constant(weights(4, 3))
    grid = maker.grid(scales, np.asarray(zeros, I8))
    maker.real(maker.node("QLinearMatMul", maker.n, *maker.x, b, *grid, *y, name="m"), y)
    assert kinds(agrees(maker, tmp_path, whole(1, 4, top=60))) == [
        "Quant",
        "Quant",
        "MatMul",
        "Quant",
    ]


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("trans", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qgemm(tmp_path, alpha, trans, bias, per_channel):
    maker = Quantised((1, 4))
    y = maker.grid(4.0, U8(90))
    b = maker.constant(weights(*((3, 4) if trans else (4, 3))))
    scales, zeros = ([0.25, 0.5, 1.0], [0] * 3) if per_channel else (0.25, 7)
    c = maker.constant(integers(3, low=-500, high=500, dtype=np.int32)) if bias else ""
    given = [maker.n, *maker.x, b, *maker.grid(scales, np.asarray(zeros, I8)), c, *y]
    n = maker.node("QGemm", *given, name="g", domain=MS, transB=trans, alpha=alpha)
    maker.real(n, y)
    agrees(maker, tmp_path, whole(1, 4, top=60))


def test_qgemm_without_a_scale_gives_floats(tmp_path):
    maker = Quantised((1, 4))
    b = maker.constant(weights(4, 3))
    maker.node("QGemm", maker.n, *maker.x, b, *maker.grid(0.25, I8(0)), name="g", domain=MS)
    assert kinds(agrees(maker, tmp_path, whole(1, 4, top=60))) == ["Quant", "Quant", "MatMul"]


@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("constant", [False, True])
def test_elementwise(tmp_path, kind, constant):
    maker = Quantised((1, 2, 3))
    grid = maker.grid(0.25, U8(100))
    if constant:
        other = maker.constant(integers(1, 2, 3, low=0, high=256, dtype=U8))
    else:
        other = maker.node("QuantizeLinear", maker.node("Neg", "x"), *grid)
    y = maker.grid(2.0, U8(80))
    n = maker.node(kind, maker.n, *maker.x, other, *grid, *y, domain=MS)
    maker.real(n, y)
    agrees(maker, tmp_path, whole(1, 2, 3, top=60))


def test_concat_brings_all_to_one_grid(tmp_path):
    maker = Quantised((1, 2, 3))
    other = maker.grid(0.25, U8(7))
    n = maker.node("QuantizeLinear", maker.node("Abs", "x"), *other)
    y = maker.grid(4.0, U8(3))
    joined = maker.node("QLinearConcat", *y, maker.n, *maker.x, n, *other, domain=MS, axis=1)
    maker.real(joined, y)
    graph = agrees(maker, tmp_path, whole(1, 2, 3, top=60))
    assert kinds(graph) == ["Quant", "Unary", "Quant", "Concat", "Quant"]


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("QLinearAveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}),
        ("QLinearAveragePool", {"kernel_shape": [4, 4]}),
        ("QLinearGlobalAveragePool", {"channels_last": 0}),
        ("QLinearGlobalAveragePool", {"channels_last": 1}),
        ("QLinearLeakyRelu", {"alpha": 0.25}),
        ("QLinearReduceMean", {"axes": [2, 3], "keepdims": 1}),
    ],
)
def test_of_one_input(tmp_path, kind, attributes):
    """onnxruntime has no QLinearReduceMean on the CPU."""
    maker = Quantised((1, 4, 4, 4), scale=1.0)
    y = maker.grid(0.25, U8(64))
    maker.real(maker.node(kind, maker.n, *maker.x, *y, domain=MS, name="p", **attributes), y)
    if kind == "QLinearReduceMean":
        model = read(maker.save(tmp_path))
        (found,) = evaluate(model.graph, {"x": (x := whole(1, 4, 4, 4))}).values()
        mean = np.clip(x, -3, 252).mean(axis=(2, 3), keepdims=True)
        assert found.tolist() == np.clip(np.round(mean * 4) / 4, -16, 47.75).tolist()
    else:
        agrees(maker, tmp_path, whole(1, 4, 4, 4))


@pytest.mark.parametrize(
    ("kind", "attributes", "function"),
    [
        ("QLinearSigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
        ("QLinearSoftmax", {"opset": 13, "axis": -1}, lambda x: np.exp(x) / np.exp(x).sum()),
    ],
)
def test_functions(tmp_path, kind, attributes, function):
    maker = Quantised((1, 6), scale=0.25, zero=128)
    y = maker.grid(2.0**-8, U8(0))
    maker.real(maker.node(kind, maker.n, *maker.x, *y, domain=MS, **attributes), y)
    x = whole(1, 6) / 2
    assert clear_of_ties(256 * function(x))
    agrees(maker, tmp_path, x)


def test_pooling_of_integers_with_channels_last(tmp_path):
    maker = Quantised((1, 4, 4, 3))
    n = maker.node("NhwcMaxPool", maker.n, name="p", domain=MS, kernel_shape=[2, 2])
    maker.real(n, maker.x)
    graph = agrees(maker, tmp_path, whole(1, 4, 4, 3))
    assert kinds(graph) == ["Quant", "Transpose", "MaxPool", "Transpose"]


@pytest.mark.parametrize("zeros", [(None, None), (3, None), (3, 5), (4, -2)])
def test_conv_integer(tmp_path, zeros):
    """Zero points of the quantiser, and others."""
    maker = Quantised((1, 2, 4, 4))
    inputs = [maker.n, maker.constant(weights(3, 2, 2, 2))]
    if zeros[0] is not None:
        inputs.append(maker.constant(U8(zeros[0])))
    if zeros[1] is not None:
        inputs.append(maker.constant(I8(zeros[1])))
    n = maker.node("ConvInteger", *inputs, name="c", pads=[1] * 4)
    bias = maker.constant(integers(1, 3, 1, 1, dtype=np.int32))
    y = maker.node("Cast", maker.node("Add", n, bias), to=TensorProto.FLOAT)
    maker.node("Mul", y, maker.constant(0.125))
    agrees(maker, tmp_path, whole(1, 2, 4, 4, top=60))


@pytest.mark.parametrize("zero", [0, 7])
def test_matmul_integer_of_the_input(tmp_path, zero):
    maker = Maker((1, 4), elem=TensorProto.UINT8)
    b = maker.constant(weights(4, 3))
    inputs = ["x", b, maker.constant(U8(zero)), maker.constant(np.array([1, -2, 0], I8))]
    maker.node("MatMulInteger", *inputs, name="m")
    x = integers(1, 4, low=0, high=256, dtype=U8)
    agrees(maker, tmp_path, x, elem=TensorProto.INT32)


@pytest.mark.parametrize(
    ("kind", "shape", "zero"),
    [
        ("MatMulInteger", (1, 4), None),
        ("MatMulInteger", (1, 4), 1),
        ("ConvInteger", (1, 4, 1, 1), None),
        ("ConvInteger", (1, 4, 1, 1), 1),
    ],
)
@pytest.mark.parametrize("weight", [-128, 127])
def test_sums_of_the_largest_products_do_not_saturate(tmp_path, kind, shape, zero, weight):
    """Four products of 255 with the smallest or largest weight, in integers of any size."""
    maker = Maker(shape, elem=TensorProto.UINT8)
    w = np.full((4, 1) if kind == "MatMulInteger" else (1, 4, 1, 1), weight, I8)
    given = ["x", maker.constant(w), *([maker.constant(U8(zero))] if zero else [])]
    maker.node(kind, *given, name="m")
    graph = read(maker.save(tmp_path, elem=TensorProto.INT32)).graph
    (y,) = evaluate(graph, {"x": np.full(shape, 255, U8)}).values()
    assert y.ravel().tolist() == [4 * (255 - (zero or 0)) * weight]


def test_integer_input_without_a_quantiser(tmp_path):
    maker = Maker((1, 2, 3, 3), elem=TensorProto.INT8)
    zero = maker.constant(I8(0))
    grid, y = [maker.constant(0.5), maker.constant(I8(3))], [maker.constant(4.0), zero]
    w = [maker.constant(weights(2, 2, 2, 2)), maker.constant(0.25), zero]
    n = maker.node("QLinearConv", "x", *grid, *w, *y, name="c")
    maker.node("DequantizeLinear", n, *y)
    graph = agrees(maker, tmp_path, integers(1, 2, 3, 3))
    assert kinds(graph)[:2] == ["Binary", "Binary"]


def test_int4_weights_and_int32_bias_between_quantisers(tmp_path):
    """QDQ around Conv: 4-bit weights per channel, bias of the product's scale."""
    maker = Quantised((1, 2, 4, 4), opset=21)
    array = integers(3, 2, 2, 2, low=-8, high=8)
    tensor = numpy_helper.from_array(array.astype(np.int8), "w4")
    packed = onnx.helper.make_tensor("w4", TensorProto.INT4, tensor.dims, array.ravel().tolist())
    maker.constants.append(packed)
    zeros = onnx.helper.make_tensor("z4", TensorProto.INT4, [3], [0, 0, 0])
    maker.constants.append(zeros)
    scales = [0.25, 0.5, 0.125]
    w = maker.node("DequantizeLinear", "w4", maker.constant(scales), "z4", name="w", axis=0)
    bias = maker.constant(integers(3, low=-99, high=99, dtype=np.int32))
    both = maker.constant([0.5 * scale for scale in scales])
    zero32 = maker.constant(np.zeros(3, np.int32))
    b = maker.node("DequantizeLinear", bias, both, zero32, name="b", axis=0)
    x = maker.node("DequantizeLinear", maker.n, *maker.x)
    y = maker.grid(1.0, U8(128))
    n = maker.node("QuantizeLinear", maker.node("Conv", x, w, b, name="c"), *y)
    maker.real(n, y)
    agrees(maker, tmp_path, whole(1, 2, 4, 4))


def test_refuses_integers_of_another_scale(tmp_path):
    maker = Quantised((1, 4))
    b, y = maker.constant(integers(4, 3)), maker.grid(4.0, U8(90))
    wrong = maker.grid(0.25, U8(3))
    n = maker.node("QLinearMatMul", maker.n, *wrong, b, *maker.grid(0.5, I8(0)), *y, name="m")
    maker.real(n, y)
    assert refusal(maker, tmp_path) == (
        "m: the maker of integers and QLinearMatMul must have the same scale and zero point, "
        "not scale 0.5, zero point 3 and scale 0.25, zero point 3; "
        "export the pair with shared parameters"
    )


def test_refuses_sums_that_would_wrap(tmp_path):
    maker = Maker((1, 66053), elem=TensorProto.UINT8)
    b = maker.constant(np.full((66053, 1), 255, U8))
    maker.node("MatMulInteger", "x", b, name="m")
    model = read(maker.save(tmp_path, elem=TensorProto.INT32))
    assert [str(problem) for problem in model.problems] == [
        "m: sums of MatMulInteger must fit int32, not 0..4295096325; use fewer terms"
    ]


def test_refuses_scales_computed_from_the_input(tmp_path):
    maker = Maker((1, 4))
    maker.node("DynamicQuantizeLinear", "x", name="d", outputs=("n", "s", "z"))
    y = maker.node("MatMulInteger", "n", maker.constant(integers(4, 3)), "z", name="m")
    maker.node("Mul", maker.node("Cast", y, to=TensorProto.FLOAT), "s")
    problems = [str(problem) for problem in read(maker.save(tmp_path)).problems]
    assert problems[0] == (
        "d: operator must be one that hwgen maps, not DynamicQuantizeLinear (scales must be "
        "stored, not computed from the input); nearest form: QuantizeLinear"
    )


@pytest.mark.parametrize("kind", ["QLinearWhere", "QAttention"])
def test_refuses_other_operators_on_integers(tmp_path, kind):
    maker = Maker((1, 4))
    maker.node(kind, "x", "x", "x", name="n", domain=MS)
    assert refusal(maker, tmp_path) == (
        f"n: operator must be one that hwgen maps, not com.microsoft.{kind} (this operator on "
        "integers is not read); nearest form: the QDQ form: QuantizeLinear and DequantizeLinear "
        "around the float operator"
    )

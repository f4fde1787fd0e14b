import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.tensor.elementwise import Binary
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.referee import evaluate
from tests.onnx_models import QONNX, Maker

DOMAINS = (QONNX, "onnx.brevitas", "finn.custom_op.general")


def run(maker: Maker, folder, x) -> list[float]:
    """Values of the last node for the elements of x, one frame of the input's shape."""
    graph = readable(maker, folder).graph
    (shape,) = (kind.shape for kind in graph.inputs.values())
    (y,) = evaluate(graph, {"x": np.reshape(np.asarray(x, float), shape)}).values()
    return y.ravel().tolist()


def readable(maker: Maker, folder):
    model = read(maker.save(folder))
    assert model.problems == ()
    return model


def refusal(maker: Maker, folder) -> str:
    (problem,) = read(maker.save(folder)).problems
    return str(problem)


# ties at 0.5, 1.5, -0.5, -1.5, then 0.7 and -0.7: the table of QONNX's quantisers
MODES = {
    "ROUND": [0, 2, 0, -2, 1, -1],
    "HALF_EVEN": [0, 2, 0, -2, 1, -1],
    "HALF_UP": [1, 2, -1, -2, 1, -1],
    "HALF_DOWN": [0, 1, 0, -1, 1, -1],
    "CEIL": [1, 2, 0, -1, 1, 0],
    "FLOOR": [0, 1, -1, -2, 0, -1],
    "UP": [1, 2, -1, -2, 1, -1],
    "DOWN": [0, 1, 0, -1, 0, 0],
    "ROUND_TO_ZERO": [0, 1, 0, -1, 0, 0],
    "floor": [0, 1, -1, -2, 0, -1],
}


@pytest.mark.parametrize("mode", MODES)
def test_rounding_mode(tmp_path, mode):
    maker = Maker((1, 6))
    maker.quant("x", rounding=mode, scale=2.0)
    given = np.array([0.5, 1.5, -0.5, -1.5, 0.7, -0.7]) * 2
    assert run(maker, tmp_path, given) == [2 * n for n in MODES[mode]]


@pytest.mark.parametrize("mode", ["DPU", "LEARNED_ROUND", "STOCHASTIC_ROUND"])
def test_rounding_without_a_fixed_meaning_is_refused(tmp_path, mode):
    maker = Maker()
    maker.quant("x", rounding=mode, name="q")
    assert refusal(maker, tmp_path) == (
        "q: rounding mode must be one of ROUND, HALF_EVEN, HALF_UP, HALF_DOWN, CEIL, FLOOR, UP, "
        f"DOWN, ROUND_TO_ZERO, not {mode}; export the quantiser with one of these"
    )


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "lo", "hi"),
    [
        (4, True, False, -8, 7),
        (4, True, True, -7, 7),
        (4, False, False, 0, 15),
        (4, False, True, 0, 14),
        (2, True, True, -1, 1),
        (1, False, False, 0, 1),
        (32, True, False, -(2**31), 2**31 - 1),
    ],
)
def test_range(tmp_path, bits, signed, narrow, lo, hi):
    maker = Maker()
    maker.quant("x", bits=float(bits), signed=signed, narrow=narrow, name="q")
    op = readable(maker, tmp_path).graph.by_name["q"].op
    assert (op.lo, op.hi, op.rounding, op.round_first) == (lo, hi, "HALF_EVEN", False)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_every_domain_is_read(tmp_path, domain, op):
    maker = Maker()
    maker.bipolar(maker.quant("x", domain=domain, op=op), domain=domain)
    graph = readable(maker, tmp_path).graph
    assert [type(node.op) for node in graph] == [Quant, Quant]


def test_scale_and_zero_point_keep_their_float32_values(tmp_path):
    maker = Maker()
    maker.quant("x", scale=[0.1, 0.2, 0.3, 0.4], zero_point=1.5, name="q")
    op = readable(maker, tmp_path).graph.by_name["q"].op
    assert op.scale.tolist() == [float(np.float32(s)) for s in (0.1, 0.2, 0.3, 0.4)]
    assert op.scale.dtype == np.float64 and op.zero_point == 1.5


def test_zero_point_is_added_before_rounding(tmp_path):
    # FACTS of QCDQToQuant: z = 1, x/s = 0.5, 1.5, 2.5 gives n = 2, 2, 4
    maker = Maker((1, 3))
    maker.quant("x", zero_point=1.0)
    assert run(maker, tmp_path, [0.5, 1.5, 2.5]) == [1, 1, 3]


def test_one_signed_bit_is_bipolar_with_zero_on_top(tmp_path):
    maker = Maker((1, 4))
    maker.quant("x", bits=1.0, scale=0.25, name="q")
    assert run(maker, tmp_path, [-3, -0.001, 0, 0.001]) == [-0.25, -0.25, 0.25, 0.25]
    op = read(maker.save(tmp_path)).graph.by_name["q"].op
    assert (op.scale, op.zero_point, op.lo, op.hi) == (0.5, 0.5, 0, 1)


def test_one_signed_bit_with_negative_scale_looks_at_the_quotient(tmp_path):
    maker = Maker((1, 3))
    maker.quant("x", bits=1.0, scale=-0.25)
    assert run(maker, tmp_path, [-3, 0, 3]) == [-0.25, -0.25, 0.25]


def test_bipolar_quant_looks_at_the_input(tmp_path):
    maker = Maker((1, 3))
    maker.bipolar("x", scale=-0.25)
    assert run(maker, tmp_path, [-3, 0, 3]) == [0.25, -0.25, -0.25]
    maker = Maker((1, 3))
    maker.bipolar("x", scale=[0.25, -0.5, 2.0])
    assert run(maker, tmp_path, [-3, 0, 3]) == [-0.25, -0.5, 2]


@pytest.mark.parametrize("signed", [True, False])
def test_zero_point_of_binary_values_is_refused(tmp_path, signed):
    maker = Maker()
    maker.quant("x", bits=1.0, zero_point=1.0, signed=signed, name="q")
    assert refusal(maker, tmp_path) == (
        "q: zero point of a 1-bit quantiser must be 0, not 1.0; "
        "export binary values as BipolarQuant, or with zero point 0"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_scale_without_meaning_is_refused(tmp_path, value):
    maker = Maker()
    maker.quant("x", scale=value, name="q")
    message = f"scale must be finite and not 0, not {value}; train or export the model again"
    assert refusal(maker, tmp_path) == f"q: {message}"
    maker = Maker()
    maker.bipolar("x", scale=[1.0, value, 1.0, value], name="b")
    message = message.replace("; ", " (2 of 4 values); ")
    assert refusal(maker, tmp_path) == f"b: {message}"


def test_zero_point_that_is_nan_is_refused(tmp_path):
    maker = Maker()
    maker.quant("x", zero_point=np.nan, name="q")
    assert refusal(maker, tmp_path) == (
        "q: zero point must be finite, not nan; train or export the model again"
    )


@pytest.mark.parametrize(("bits", "found"), [(2.5, "2.5"), (0.0, "0"), ([2.0, 4.0], "2 and 4")])
def test_bit_width_is_one_integer(tmp_path, bits, found):
    maker = Maker()
    maker.quant("x", bits=bits, name="q")
    assert refusal(maker, tmp_path) == (
        f"q: bit width must be one integer from 1 to 64, not {found}; "
        "train with one integer bit width for each quantiser"
    )


def test_signedness_must_be_told(tmp_path):
    maker = Maker()
    parameters = [maker.constant(value) for value in (1.0, 0.0, 4.0)]
    maker.node("Quant", "x", *parameters, name="q", domain=QONNX, narrow=0)
    assert refusal(maker, tmp_path) == "q: Quant must have the attribute signed, not without it"


def test_computed_scale_is_refused(tmp_path):
    maker = Maker()
    scale = maker.node("Abs", "x")
    parameters = [scale, maker.constant(0.0), maker.constant(4.0)]
    maker.node("Quant", "x", *parameters, name="q", domain=QONNX, signed=1, narrow=0)
    assert refusal(maker, tmp_path) == (
        "q: scale must be stored in the model, not computed by other nodes; "
        "export with constant folding"
    )


def trunc(maker: Maker, *parameters: float, **attributes) -> Maker:
    inputs = [maker.constant(value) for value in parameters]
    maker.node("Trunc", "x", *inputs, name="t", domain=QONNX, **attributes)
    return maker


def test_trunc_keeps_the_scale_and_shifts_the_integer(tmp_path):
    # scale 0.5, 8 bits to 6: n = floor(round(x / 0.5) / 4), value n * 0.5
    maker = trunc(Maker((1, 4)), 0.5, 0.0, 8.0, 6.0)
    # integers 7, 8, -1 and the tie 4.5 that becomes 4
    assert run(maker, tmp_path, [3.5, 4, -0.5, 2.25]) == [0.5, 1, -0.5, 0.5]


def test_trunc_keeps_the_zero_point(tmp_path):
    # z = 3: q = 7 + 3 = 10, floor(10 / 4) = 2, value (2 - 3) * 0.5
    maker = trunc(Maker((1, 1)), 0.5, 3.0, 8.0, 6.0)
    assert run(maker, tmp_path, [3.5]) == [-0.5]


def test_second_trunc_has_an_output_scale_and_a_range(tmp_path):
    # as Brevitas exports an average pool: in scale s/16, out scale s, 4 bits unsigned
    maker = trunc(
        Maker((1, 4)), 1 / 16, 0.0, 8.0, 1.0, 4.0, rounding_mode="floor", signed=0, narrow=0
    )
    assert run(maker, tmp_path, [2.9375, 3, -1, 99]) == [2, 3, 0, 15]
    assert [node.name for node in read(maker.save(tmp_path)).graph] == ["t#integer", "t"]


def test_second_trunc_takes_the_nearest_power_of_two(tmp_path):
    # 3 / 1 is nearest to 2^2: q = floor(n / 4), value q * 3, and z becomes 2 / 4
    maker = trunc(Maker((1, 2)), 1.0, 2.0, 8.0, 3.0, 4.0, signed=1, narrow=0)
    assert run(maker, tmp_path, [9, -11]) == [(2 - 0.5) * 3, (-3 - 0.5) * 3]


def test_trunc_with_rounding(tmp_path):
    maker = trunc(Maker((1, 3)), 1.0, 0.0, 8.0, 6.0, rounding_mode="ROUND")
    assert run(maker, tmp_path, [6, 10, 7]) == [2, 2, 2]


def test_multi_threshold_counts_in_any_order(tmp_path):
    maker = Maker((1, 3))
    maker.multi_threshold("x", [[2.0, 0.0, 1.0]], out_scale=0.5, out_bias=-1.0)
    assert run(maker, tmp_path, [-1, 1, 5]) == [-1, 0, 0.5]


@pytest.mark.parametrize(
    ("shape", "layout", "axis"),
    [
        ((1, 3), "NCHW", 1),
        ((1, 3), "NHWC", 1),
        ((1, 3, 2, 2), "NCHW", 1),
        ((1, 2, 2, 3), "NHWC", 3),
        ((1, 2, 3), "NCHW", 2),
    ],
)
def test_multi_threshold_axis(tmp_path, shape, layout, axis):
    maker = Maker(shape)
    maker.multi_threshold("x", [[0.0], [1.0], [2.0]], data_layout=layout)
    (node,) = readable(maker, tmp_path).graph.nodes
    assert isinstance(node.op, MultiThreshold) and node.op.axis == axis


def test_thresholds_that_are_not_finite_are_refused(tmp_path):
    maker = Maker((1, 3))
    maker.multi_threshold("x", [[np.nan, 0.0, np.inf]])
    assert refusal(maker, tmp_path) == (
        "n0: thresholds must be finite, not 2 NaN or infinite of 3; train or export the model again"
    )


def test_thresholds_for_other_channels_are_refused(tmp_path):
    maker = Maker((1, 3))
    maker.multi_threshold("x", [[0.0], [1.0]])
    assert refusal(maker, tmp_path) == (
        "n0: thresholds must be given for 1 or all 3 channels, not 2; check data_layout"
    )


@pytest.mark.parametrize(
    ("op", "result"),
    [("Round", [0, 2, -2, 3]), ("Floor", [0, 1, -2, 2]), ("Ceil", [1, 2, -1, 3])],
)
def test_rounding_operators_are_unbounded_quantisers(tmp_path, op, result):
    maker = Maker((1, 4))
    maker.node(op, "x", name="r")
    assert run(maker, tmp_path, [0.5, 1.5, -1.5, 2.75]) == result
    op = read(maker.save(tmp_path)).graph.by_name["r"].op
    assert (op.scale, op.zero_point, op.lo, op.hi) == (1, 0, None, None)


def test_a_negative_bipolar_scale_is_a_factor_of_its_own(tmp_path):
    maker = Maker((1, 3))
    maker.bipolar("x", scale=-2.0, name="b")
    graph = readable(maker, tmp_path).graph
    assert graph.by_name["b"].op == Binary("mul")
    assert graph.by_name["b#magnitude"].op.scale == 4

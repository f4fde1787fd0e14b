"""The referee against a plain evaluation of single exact numbers, by hand, and on real models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import InputError, ModelError
from hwgen.frontend.reader import read
from hwgen.graph.ir import Graph, Node, Value
from hwgen.numerics import functions
from hwgen.numerics.exact import ROUNDINGS, Real
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.op import TensorType
from hwgen.tensor.pooling import Mean
from hwgen.tensor.products import MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.referee import evaluate, trace
from hwgen.tensor.unsupported import Unsupported

MODELS = Path(__file__).parents[4] / "shared" / "models"
X = Value("x", "")


class Chain:
    """A graph built node by node."""

    def __init__(self, *shape: int):
        self.inputs = {"x": TensorType((1, *shape), "FLOAT")}
        self.nodes: list[Node] = []

    def add(self, op: object, *inputs: Value) -> Value:
        self.nodes.append(Node(f"n{len(self.nodes)}", op, inputs))
        return self.nodes[-1].out

    def constant(self, value: object) -> Value:
        return self.add(Constant(np.asarray(value)))

    def graph(self, output: Value) -> Graph:
        return Graph(self.inputs, tuple(self.nodes), {"y": output})


def quant(scale, zero_point=0.0, lo: int | None = -8, hi: int | None = 7, **options) -> Quant:
    return Quant(np.asarray(scale, float), np.asarray(zero_point, float), lo, hi, **options)


# The plain evaluation: object arrays of Real, one sample, nothing but loops and exact numbers.


def each(function: Callable[..., Real], *arrays: np.ndarray) -> np.ndarray:
    arrays = np.broadcast_arrays(*arrays)
    result = np.empty(arrays[0].shape, dtype=object)
    for at in np.ndindex(result.shape):
        result[at] = function(*(Real.of(a[at]) for a in arrays))
    return result


def plain_quant(op: Quant, x: np.ndarray) -> np.ndarray:
    def one(value: Real, scale: Real, zero: Real) -> Real:
        q = value / scale
        n = (
            q.round(op.rounding) + zero
            if op.round_first
            else Real.of((q + zero).round(op.rounding))
        )
        n = n if op.lo is None or n > op.lo else Real.of(op.lo)
        n = n if op.hi is None or n < op.hi else Real.of(op.hi)
        return (n - zero) * scale

    return each(one, x, op.scale, op.zero_point)


def plain_thresholds(op: MultiThreshold, x: np.ndarray) -> np.ndarray:
    result = np.empty(x.shape, dtype=object)
    for at in np.ndindex(x.shape):
        row = op.thresholds[at[op.axis] % len(op.thresholds)]
        count = sum(x[at] >= Real.of(t) for t in row)
        result[at] = Real.of(count) * op.out_scale + op.out_bias
    return result


def plain_argmax(op: ArgMax, x: np.ndarray) -> np.ndarray:
    def first(line: np.ndarray) -> int:
        best = max(line) if op.largest else min(line)
        return next(k for k, value in enumerate(line) if value == best)

    index = np.apply_along_axis(first, op.axis, x)
    return np.expand_dims(index, op.axis) if op.keepdims else index


def plain_softmax(op: Softmax, x: np.ndarray) -> np.ndarray:
    powers = each(lambda v: functions.apply("exp", v), x)
    return powers / powers.sum(axis=op.axis, keepdims=True)


PLAIN: dict[type, Callable] = {
    Constant: lambda op: each(Real.of, op.value),
    Quant: plain_quant,
    MultiThreshold: plain_thresholds,
    Unary: lambda op, x: each(lambda v: functions.apply(op.fn, v), x),
    Binary: lambda op, x, y: each(lambda v, w: functions.apply(op.fn, v, w), x, y),
    MatMul: lambda op, x, y: np.matmul(x, y),
    Reshape: lambda op, x: x.reshape(op.shape),
    Transpose: lambda op, x: x.transpose(op.perm),
    Softmax: plain_softmax,
    ArgMax: plain_argmax,
}


def assert_equals_plain(graph: Graph, x: np.ndarray):
    found = trace(graph, {"x": x})
    for sample, numbers in enumerate(x):
        values = {X: each(Real.of, numbers[np.newaxis])}
        for node in graph:
            arguments = [values[value] for value in node.inputs]
            values[node.out] = np.asarray(PLAIN[type(node.op)](node.op, *arguments))
            wanted = np.array([float(v) for v in values[node.out].reshape(-1)])
            got = found.floats(node.out)[sample].reshape(-1)
            assert got.tolist() == wanted.tolist(), node


def layer(chain: Chain, x: Value, rng: np.random.Generator, rows: int, cols: int) -> Value:
    """Quantised weights, BatchNorm, ReLU and a quantiser, all of random kinds; scales are often
    powers of two, so that ties are frequent."""

    def scale(*shape: int) -> np.ndarray:
        plain = rng.choice([0.25, 0.5, 1.0], shape)
        return (plain if rng.random() < 0.6 else plain * rng.uniform(0.5, 1, shape)).astype("f4")

    weights = chain.constant(rng.normal(size=(rows, cols)).astype("f4"))
    w = chain.add(quant(scale(rows, 1) if rng.random() < 0.5 else scale(), 0, -4, 3), weights)
    y = chain.add(MatMul(), x, chain.add(Transpose((1, 0)), w))
    if rng.random() < 0.7:
        y = chain.add(Binary("sub"), y, chain.constant(rng.integers(-2, 3, rows).astype("f4")))
        deviation = chain.add(Unary("sqrt"), chain.constant(rng.integers(1, 5, rows).astype("f4")))
        y = chain.add(Binary("div"), y, deviation)
    if rng.random() < 0.5:
        y = chain.add(Unary(str(rng.choice(["relu", "abs", "tanh", "sigmoid", "sign"]))), y)
    options = {"rounding": str(rng.choice(ROUNDINGS)), "round_first": bool(rng.random() < 0.5)}
    return chain.add(quant(scale(), int(rng.integers(-1, 2)), **options), y)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_equal_the_plain_evaluation(seed):
    rng = np.random.default_rng(seed)
    chain = Chain(2, 3)
    flat = chain.add(Reshape((1, 6)), X)
    y = chain.add(quant(0.5), flat)
    for rows, cols in ((5, 6), (4, 5)):
        y = layer(chain, y, rng, rows, cols)
    last = chain.add(MatMul(), y, chain.constant(rng.integers(-2, 3, (4, 3)).astype("f4")))
    found = chain.add([Softmax(-1), ArgMax(1, False), ArgMax(-1, True, False)][seed % 3], last)
    x = rng.integers(-8, 9, (3, 2, 3)) / 4
    assert_equals_plain(chain.graph(found), x)


def test_quantiser_ties_by_hand():
    """0.5 x at scale 1: x = 1, 3, 5 are ties; half to even gives 0, 2, 2."""
    chain = Chain(4)
    half = chain.add(Binary("mul"), X, chain.constant(np.float32(0.5)))
    graph = chain.graph(chain.add(quant(1.0), half))
    assert evaluate(graph, {"x": np.array([[1.0, 3.0, 5.0, 2.0]])})["y"].tolist() == [[0, 2, 2, 1]]


def test_a_tie_that_float64_misses():
    """0.1f + 0.2f - 0.3f is not 0 in real numbers, nor is it in float32; its sign is decided."""
    a, b, c = np.float32([0.1, 0.2, 0.3]).tolist()
    exact = Real.of(a) + b - c
    chain = Chain(1)
    total = chain.add(MatMul(), X, chain.constant([[1.0]]))
    total = chain.add(Binary("add"), total, chain.constant(np.float32(0.2)))
    total = chain.add(Binary("sub"), total, chain.constant(np.float32(0.3)))
    graph = chain.graph(chain.add(Unary("sign"), total))
    found = evaluate(graph, {"x": np.array([[a], [float(c) - b]])})
    assert found["y"].tolist() == [[exact.sign()], [(Real.of(float(c) - b) + b - c).sign()]]


def test_bipolar_network_with_exact_zeros():
    """Sums of four +-1 products are often 0, which a bipolar quantiser takes to +1."""
    chain, rng = Chain(4), np.random.default_rng(7)
    bipolar = quant(2 * 0.3, 0.5, 0, 1, rounding="HALF_CEIL")
    w = chain.add(bipolar, chain.constant(rng.normal(size=(4, 6))))
    y = chain.add(bipolar, chain.add(MatMul(), chain.add(bipolar, X), w))
    x = rng.normal(size=(8, 4))
    assert_equals_plain(chain.graph(y), x)
    integers = trace(chain.graph(y), {"x": x}).integers(y)
    assert integers is not None
    assert {*integers.reshape(-1).tolist()} == {0, 1}


def test_thresholds_along_an_axis():
    chain, rng = Chain(3, 4), np.random.default_rng(8)
    y = chain.add(quant(0.5), X)
    table = rng.integers(-4, 5, (3, 7)) / 2
    y = chain.add(MultiThreshold(table, 2.0, -7.0, 1), y)
    y = chain.add(MultiThreshold(np.array([[0.0, 0.3, -3.0]]), 0.1, 0.0, 2), y)
    assert_equals_plain(chain.graph(y), rng.normal(size=(4, 3, 4)) * 2)


def test_products_of_activations_and_broadcasting():
    """Matrices on both sides, more axes on one side, vectors, and constants with more axes."""
    rng = np.random.default_rng(9)
    chain = Chain(2, 3)
    x = chain.add(quant(0.25), X)  # (1, 2, 3)
    y = chain.add(Transpose((0, 2, 1)), x)
    z = chain.add(MatMul(), x, y)  # (1, 2, 2)
    z = chain.add(MatMul(), z, chain.constant(rng.normal(size=2).astype("f4")))  # (1, 2)
    z = chain.add(Binary("add"), z, chain.constant(rng.normal(size=(3, 1, 2)).astype("f4")))
    z = chain.add(
        MatMul(), chain.constant(rng.normal(size=(1, 5, 3))), chain.add(Transpose((1, 0, 2)), z)
    )
    z = chain.add(Binary("max"), z, chain.constant(0.5))
    assert_equals_plain(chain.graph(z), rng.normal(size=(3, 2, 3)))


def test_argmax_ties_of_irrational_scores_go_to_the_lowest_index():
    chain = Chain(4)
    root = chain.add(Unary("sqrt"), chain.constant(np.float32(2)))
    scores = chain.add(Binary("div"), X, root)
    for op in (Softmax(1), None):
        y = chain.add(op, scores) if op else scores
        graph = chain.graph(chain.add(ArgMax(1, False), y))
        found = evaluate(graph, {"x": np.array([[1, 3, 3, 2], [5, 0, 5, 5], [-1, -2, -1, 0]])})
        assert found["y"].tolist() == [1, 0, 3]


def test_softmax_lies_in_its_bounds():
    chain = Chain(3, 4)
    y = chain.add(Softmax(1), X)
    x = np.random.default_rng(11).normal(size=(2, 3, 4)) * 5
    value = trace(chain.graph(y), {"x": x}).values[y]
    for k in range(24):
        assert value.bounds.lo.flat[k] <= value.exact(k) <= value.bounds.hi.flat[k]


def test_wide_sums_lie_in_their_bounds():
    """Without integers the product is bounded by midpoints and radii; exact elements lie within."""
    rng = np.random.default_rng(10)
    chain = Chain(200)
    w = chain.constant(rng.normal(size=(200, 3)) * 10.0 ** rng.integers(-9, 9, (200, 1)))
    y = chain.add(MatMul(), chain.add(Unary("tanh"), X), w)
    value = trace(chain.graph(y), {"x": rng.normal(size=(2, 200))}).values[y]
    for k in range(6):
        assert value.bounds.lo.flat[k] <= value.exact(k) <= value.bounds.hi.flat[k]


@pytest.mark.parametrize(("x", "n"), [((1, 2, 1, 2), 2), ((1, 0, 1, 0), 0), ((1, 1, 1, 3), 2)])
def test_ties_of_a_mean_are_decided_exactly(x, n):
    """Means 3/2, 1/2 and 3/2 of integers times float32 0.1: halves go to the even integer."""
    chain = Chain(1, 2, 2)
    scale = float(np.float32(0.1))
    y = chain.add(Mean((2, 3), True), chain.add(quant(scale, 0), X))
    graph = chain.graph(chain.add(quant(scale, 0), y))
    y = graph.outputs["y"]
    found = trace(graph, {"x": scale * np.reshape(x, (1, 1, 2, 2))}).integers(y)
    assert found is not None
    assert found.item() == n


def test_constant_output_is_repeated_for_every_sample():
    chain = Chain(1)
    y = chain.constant([[1.5, 2.5]])
    assert evaluate(chain.graph(y), {"x": np.zeros((3, 1))})["y"].tolist() == [[1.5, 2.5]] * 3


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({}, r"^input x is missing; given: none$"),
        ({"x": np.zeros((2, 3))}, r"^input x must have shape \(N, 2\), not \(2, 3\)$"),
        ({"x": np.array([[0.0, np.nan]])}, r"^input x must be finite; it holds NaN or infinity$"),
    ],
)
def test_rejects_inputs(x, message):
    chain = Chain(2)
    with pytest.raises(InputError, match=message):
        evaluate(chain.graph(chain.add(Unary("neg"), X)), x)


def test_names_the_node_that_has_no_value():
    chain = Chain(1)
    zero = chain.add(Quant(np.array(1.0), np.array(0.0), 0, 1), X)
    graph = chain.graph(chain.add(Unary("sign"), chain.add(Unary("reciprocal"), zero)))
    with pytest.raises(ModelError, match=r"^n2: reciprocal of zero$"):
        evaluate(graph, {"x": np.zeros((1, 1))})


def test_names_the_quantiser_whose_integers_are_too_large():
    chain = Chain(1)
    graph = chain.graph(chain.add(quant(0.5, 0, None, None), X))
    assert evaluate(graph, {"x": np.array([[2.0**50]])})["y"] == 2**50
    with pytest.raises(ModelError, match=rf"^n0: integers must lie within \+- 2\^53, not {2**54}$"):
        evaluate(graph, {"x": np.array([[2.0**53]])})


def test_rejects_unsupported_nodes():
    chain = Chain(1)
    graph = chain.graph(chain.add(Unsupported("Einsum", "it is not built"), X))
    with pytest.raises(ModelError, match=r"^n0: Einsum cannot be evaluated: it is not built$"):
        evaluate(graph, {"x": np.zeros((1, 1))})


FLOAT32_DIFFERENCES = {
    "TFC_1W1A": (64, 75, 0),
    "TFC_2W2A": (64, 121, 0),
    "kwsmlp_w3a3": (64, 233, 0),
    "digits_mlp_w2a2_qonnx": (64, 329, 0),
    "digits_mlp_w2a2_qcdq": (64, 329, 0),
    "alibaba_ad_qdq": (64, 0, 0),
    "alibaba_ad_qoperator": (64, 0, 0),
    "alibaba_kws_qdq": (54, 22, 22),
    "alibaba_kws_qoperator": (54, 8, 8),
    "cfu_magic_wand": (32, 0, 0),
    "cntk_mnist_qdq": (64, 0, 0),
    "cntk_mnist_qoperator": (64, 0, 0),
    "digits_cnn_w3a5_qcdq": (64, 383, 0),
    "digits_cnn_w3a5_qonnx": (64, 383, 0),
    "digits_cnn_w4a4_qcdq": (64, 414, 0),
    "digits_dwsep_w4a6_qonnx": (64, 381, 0),
    "digits_dwsep_w8a8_qcdq": (64, 362, 0),
    "digits_resnet_w4a4_qcdq": (64, 381, 0),
    "digits_resnet_w4a4_qonnx": (64, 381, 0),
    "espcn_subpixel_w4a4_24x24": (2, 0, 0),
    "finn_build_dataflow_tfc_w1a1": (64, 0, 0),
    "hls4ml_rn07_cifar10": (8, 48, 0),
    "kj_ic_resnet8_qdq": (8, 69, 9),
    "mlperf_ad_autoencoder": (64, 1, 1),
    "mlperf_ic_resnet8": (8, 0, 0),
    "mlperf_kws_dscnn": (8, 0, 0),
    "silabs_image_example1": (8, 6, 6),
    "silabs_micro_speech": (64, 0, 0),
    "silabs_rock_paper_scissors": (4, 0, 0),
    "tflm_hello_world": (64, 0, 0),
    "tflm_micro_speech": (64, 0, 0),
}
"""Frames, elements that differ from the float32 vector, and those of them that differ by more than
the last places of float32: there a quantiser of the float32 run fell to the other side."""


@pytest.mark.parametrize("name", FLOAT32_DIFFERENCES)
def test_real_models(name):
    if not MODELS.is_dir():
        pytest.skip("the shared models are not beside the repository")
    frames, different, steps = FLOAT32_DIFFERENCES[name]
    model = read(MODELS / f"{name}.onnx")
    vectors = np.load(MODELS / f"{name}.npz")
    ((source, _),) = model.graph.inputs.items()
    (y,) = evaluate(model.graph, {source: vectors["input"][:frames]}).values()
    expected = vectors["output"][:frames].astype(np.float32)
    y = y.astype(np.float32).reshape(expected.shape)
    if "output_float64" in vectors:
        assert (y == vectors["output_float64"][:frames].astype(np.float32)).all()
    assert (y != expected).sum() == different
    assert (np.abs(y - expected) > 4e-6).sum() == steps


def test_streaming_model_with_its_state_fed_back():
    path = MODELS / "mww_vad_streaming.onnx"
    if not path.exists():
        pytest.skip("the shared models are not beside the repository")
    graph, vectors = read(path).graph, np.load(path.with_suffix(".npz"))
    (source, *states), (result, *kept) = graph.inputs, graph.outputs
    fed = {name: np.full((1, *graph.inputs[name].shape[1:]), -128) for name in states}
    for x, y in zip(vectors["input"][:24], vectors["output"], strict=False):
        found = evaluate(graph, {source: x, **fed})
        assert found[result].item() == y.item()
        fed = dict(zip(states, (found[name] for name in kept), strict=True))

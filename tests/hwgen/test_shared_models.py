"""Models that others trained, where their folder lies beside the repository: from the file to the
dataflow graph, every integer and every output equal to the referee's and to the stored ones."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.graph.interpret import interpret_dataflow, trace_integer
from hwgen.graph.ir import Graph
from hwgen.graph.verify import verify
from hwgen.host.edges import apply
from hwgen.passes.lower import lower
from hwgen.tensor.input_type import insert_input_quantiser, parse_input_type
from hwgen.tensor.referee import trace
from hwgen.tensor.walk import analyse

FOLDER = Path(__file__).parents[3] / "shared" / "models"
INPUT_TYPES = {
    "qkeras_jettagging": "s8:2^-5",
    "hls4ml_rn07_cifar10": "u8:2^-8",
    "espcn_subpixel_w4a4_24x24": "u8:1/255",
}
MODELS = (
    "TFC_1W1A",
    "TFC_2W2A",
    "alibaba_ad_qdq",
    "alibaba_ad_qoperator",
    "alibaba_kws_qdq",
    "alibaba_kws_qoperator",
    "cfu_magic_wand",
    "cntk_mnist_qdq",
    "cntk_mnist_qoperator",
    "digits_cnn_w3a5_qcdq",
    "digits_cnn_w3a5_qonnx",
    "digits_cnn_w4a4_qcdq",
    "digits_cnn_w4a4_qonnx",
    "digits_dwsep_w4a6_qcdq",
    "digits_dwsep_w4a6_qonnx",
    "digits_dwsep_w8a8_qcdq",
    "digits_dwsep_w8a8_qonnx",
    "digits_mlp_w2a2_qcdq",
    "digits_mlp_w2a2_qonnx",
    "digits_resnet_w4a4_qcdq",
    "digits_resnet_w4a4_qonnx",
    "espcn_subpixel_w4a4_24x24",
    "finn_build_dataflow_tfc_w1a1",
    "hls4ml_rn07_cifar10",
    "kj_ad_autoencoder_qdq",
    "kj_ic_resnet8_qdq",
    "kwsmlp_w3a3",
    "mlperf_ad_autoencoder",
    "mlperf_ic_resnet8",
    "mlperf_kws_dscnn",
    "qkeras_jettagging",
    "silabs_image_example1",
    "silabs_micro_speech",
    "silabs_rock_paper_scissors",
    "tflm_hello_world",
    "tflm_micro_speech",
)
FRAMES = {"espcn_subpixel_w4a4_24x24": 1, "silabs_rock_paper_scissors": 2}
SOME = 4

pytestmark = pytest.mark.grid


def model(name: str) -> tuple[Graph, dict[str, np.ndarray]]:
    """The tensor graph with its input type, and some of the stored vectors."""
    path = FOLDER / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {FOLDER}")
    graph = read(path).graph
    (source,) = graph.inputs
    if name in INPUT_TYPES:
        graph = insert_input_quantiser(graph, source, parse_input_type(INPUT_TYPES[name]))
    stored = np.load(path.with_suffix(".npz"))
    frames = FRAMES.get(name, SOME)
    return graph, {key: stored[key][:frames] for key in stored if key.startswith(("in", "output"))}


@pytest.mark.parametrize("name", MODELS)
def test_the_accelerator_returns_what_the_model_means(name):
    graph, stored = model(name)
    (source,), (output,) = graph.inputs, graph.outputs
    x = stored["input"]
    analysis = analyse(graph)
    assert analysis.problems == []
    assert analysis.graph is not None
    verify(analysis.graph)
    meant = trace(graph, {source: x})
    values = trace_integer(analysis.graph, {source: apply(analysis.input_edges[source], x)})
    layers = 0
    for value, found in values.items():  # quantisers keep their names on the way
        wanted = meant.integers(value) if value.node in graph.by_name else None
        if wanted is None:
            continue
        orders = [x for x in (wanted, np.moveaxis(wanted, 1, -1)) if x.shape == found.shape]
        assert not orders or any(np.array_equal(found, order) for order in orders), value
        layers += bool(orders)
    assert layers >= 1
    result = values[analysis.graph.outputs[output]]
    y = apply(analysis.output_edges[output], result)
    assert np.array_equal(y, meant.floats(graph.outputs[output]).astype(y.dtype))
    if "output_float64" in stored:
        assert np.array_equal(y, stored["output_float64"].astype(y.dtype))
    lowered = lower(analysis.graph)
    verify(lowered)
    integers = {source: values[next(iter(values))]}
    assert np.array_equal(interpret_dataflow(lowered, integers)[output], result)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("digits_tfm_w8a8_qcdq", "/Add"),
        (
            "mww_vad_streaming",
            "StatefulPartitionedCall:0, state0_out, state1_out, state2_out, state3_out",
        ),
    ],
)
def test_what_is_not_built_yet_is_named(name, node):
    path = FOLDER / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {FOLDER}")
    assert node in {problem.node for problem in analyse(read(path).graph).problems}

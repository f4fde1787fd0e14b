"""The MLPs that others trained, where their folder lies beside the repository: from the file to the
dataflow graph, every integer and every output equal to the referee's."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.analysis.input_type import insert_input_quantiser, parse_input_type
from hwgen.analysis.ranges import analyse
from hwgen.frontend.reader import read
from hwgen.host.edges import apply
from hwgen.interpret import interpret_dataflow, trace_integer
from hwgen.numerics.referee import trace
from hwgen.passes.lower import lower
from hwgen.passes.run import run_passes

FOLDER = Path(__file__).parents[3] / "shared" / "models"
MODELS = {
    "TFC_1W1A": "",
    "TFC_2W2A": "",
    "kwsmlp_w3a3": "",
    "finn_build_dataflow_tfc_w1a1": "",
    "digits_mlp_w2a2_qonnx": "",
    "digits_mlp_w2a2_qcdq": "",
    "tflm_hello_world": "",
    "qkeras_jettagging": "s8:2^-5",
}


@pytest.mark.parametrize("name", MODELS)
def test_the_accelerator_returns_what_the_model_means(name):
    path = FOLDER / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {FOLDER}")
    graph = read(path).graph
    (source,), (output,) = graph.inputs, graph.outputs
    if MODELS[name]:
        graph = insert_input_quantiser(graph, source, parse_input_type(MODELS[name]))
    x = np.load(path.with_suffix(".npz"))["input"]
    analysis = analyse(graph)
    assert analysis.problems == []
    assert analysis.graph is not None
    meant = trace(graph, {source: x})
    values = trace_integer(analysis.graph, {source: apply(analysis.input_edges[source], x)})
    layers = 0
    for value, found in values.items():  # quantisers keep their names on the way
        wanted = meant.integers(value) if value.node in graph.by_name else None
        if wanted is not None and wanted.shape == found.shape:
            assert np.array_equal(found, wanted), value
            layers += 1
    assert layers >= 1
    result = values[analysis.graph.outputs[output]]
    y = apply(analysis.output_edges[output], result)
    assert np.array_equal(y, meant.floats(graph.outputs[output]).astype(y.dtype))
    lowered = run_passes(analysis.graph, [lower], check="numerics")
    integers = {source: values[next(iter(values))]}
    assert np.array_equal(interpret_dataflow(lowered, integers)[output], result)

"""Models that others trained, where their folder lies beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.tensor.referee import evaluate
from hwgen.tensor.unsupported import Unsupported

FOLDER = Path(__file__).parents[4] / "shared" / "models"
MODELS = sorted(path.stem for path in FOLDER.glob("*.onnx"))
MLPS = (
    "TFC_1W1A",
    "TFC_2W2A",
    "kwsmlp_w3a3",
    "qkeras_jettagging",
    "finn_build_dataflow_tfc_w1a1",
    "digits_mlp_w2a2_qonnx",
    "digits_mlp_w2a2_qcdq",
    "kj_ad_autoencoder_qdq",
    "mlperf_ad_autoencoder",
    "tflm_hello_world",
)

pytestmark = [
    pytest.mark.grid,
    pytest.mark.skipif(not MODELS, reason=f"no models in {FOLDER}"),
]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_read_up_to_its_layer_normalizations(name):
    model = read(FOLDER / f"{name}.onnx")
    unread = {source.name for source in model.sources if source.op_type == "LayerNormalization"}
    assert {problem.node for problem in model.problems} == unread
    assert {n.name for n in model.graph if isinstance(n.op, Unsupported)} == unread
    assert bool(unread) == name.startswith("digits_tfm")
    assert all(source.nodes or source.note for source in model.sources)


@pytest.mark.parametrize("name", MLPS)
def test_mlp_has_the_numbers_of_its_vectors(name):
    model = read(FOLDER / f"{name}.onnx")
    assert model.problems == ()
    vectors = np.load(FOLDER / f"{name}.npz")
    (given,), (made,) = model.graph.inputs, model.graph.outputs
    expected = vectors["output_float64" if "output_float64" in vectors else "output"][:8]
    found = evaluate(model.graph, {given: vectors["input"][:8]})[made]
    # vectors without a float64 run carry the noise of float32
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-5

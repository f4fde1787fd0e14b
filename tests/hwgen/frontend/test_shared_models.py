"""Models that others trained, where their folder lies beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.frontend.table import reader_of
from hwgen.numerics.referee import evaluate
from hwgen.tensor import Unsupported

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

pytestmark = pytest.mark.skipif(not MODELS, reason=f"no models in {FOLDER}")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_read_and_only_unmapped_operators_are_problems(name):
    model = read(FOLDER / f"{name}.onnx")
    told = {problem.node for problem in model.problems}
    for source in model.sources:
        domain, _, op_type = source.op_type.rpartition(".")
        if not reader_of(op_type, domain) and not source.note:
            assert source.name in told or not isinstance(
                model.graph.by_name[source.nodes[0]].op, Unsupported
            )
        assert source.nodes or source.note
    assert {problem.rule for problem in model.problems} <= {"operator must be one that hwgen maps"}


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

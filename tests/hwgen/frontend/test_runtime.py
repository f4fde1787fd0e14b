"""The check that keeps tests with onnxruntime from depending on the processor."""

import ast
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from tests.hwgen.frontend.runtime import clear_of_ties, run, saturating_weights
from tests.onnx_models import Maker

TESTS = Path(__file__).parents[2]


def product(weights: np.ndarray) -> Maker:
    maker = Maker((1, 2), elem=TensorProto.UINT8)
    maker.node("MatMulInteger", "x", maker.constant(weights), name="m")
    return maker


@pytest.mark.parametrize(
    ("weights", "found"),
    [([[127], [127]], ["m"]), ([[-128], [1]], ["m"]), ([[-128], [0]], []), ([[64], [-64]], [])],
)
def test_pairs_of_products_that_may_exceed_16_bits_are_found(weights, found):
    assert saturating_weights(product(np.array(weights, np.int8)).model()) == found


def test_unsigned_weights_are_multiplied_in_32_bits_everywhere():
    assert saturating_weights(product(np.full((2, 1), 255, np.uint8)).model()) == []


def test_stored_integers_that_are_dequantised_are_no_weights():
    maker = Maker((1, 2))
    w = maker.constant(np.full((2, 1), 127, np.int8))
    maker.node("MatMul", "x", maker.node("DequantizeLinear", w, maker.constant(0.5)))
    assert saturating_weights(maker.model()) == []


def test_a_model_that_may_saturate_is_not_run():
    model = product(np.full((2, 1), 127, np.int8)).model(elem=TensorProto.INT32)
    with pytest.raises(AssertionError, match=r"signed weights must be within -64\.\.64"):
        run(model, np.ones((1, 2), np.uint8))


@pytest.mark.parametrize(("level", "clear"), [(0.0, True), (-1.5, False), (2.4999, False)])
def test_ties_are_found(level, clear):
    assert clear_of_ties(np.array([level])) == clear


def test_nothing_else_runs_onnxruntime():
    """Its quantiser is no reference: a test makes a model with it."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import) and path.name != "runtime.py":
                names = [alias.name.split(".")[0] for alias in node.names]
                assert "onnxruntime" not in names, path
            elif isinstance(node, ast.ImportFrom):
                assert node.module != "onnxruntime", path

import numpy as np
import pytest

from hwgen.frontend.reader import read
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.runtime import run
from tests.onnx_models import Maker

W = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
X = np.array([[1, -2, 3, 5]], np.float32)


def agrees(maker: Maker, folder, x=X):
    """Checks our numbers against onnxruntime's, which are exact here; returns the graph."""
    model = read(maker.save(folder))
    assert model.problems == ()
    (y,) = evaluate(model.graph, {"x": x}).values()
    (expected,) = run(maker.model(), x)
    assert y.tolist() == expected.tolist()
    return model.graph


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("beta", [1.0, 2.0, 0.0])
def test_gemm(tmp_path, alpha, beta):
    maker = Maker(X.shape)
    bias = maker.constant([1.0, 2.0, -3.0])
    maker.node("Gemm", "x", maker.constant(W), bias, name="fc", transB=1, alpha=alpha, beta=beta)
    graph = agrees(maker, tmp_path)
    assert type(graph.by_name["fc"].op).__name__ == "MatMul"
    assert ("fc#scaled" in graph.by_name) == (alpha != 1)
    assert ("fc#bias" in graph.by_name) == (beta != 0)


def test_gemm_without_bias_and_with_both_transposed(tmp_path):
    maker = Maker((1, 4))
    column = maker.node("Transpose", "x")
    maker.node("Gemm", column, maker.constant(W), transA=1, transB=1)
    agrees(maker, tmp_path)


def test_matmul(tmp_path):
    maker = Maker(X.shape)
    maker.node("MatMul", "x", maker.constant(W.T.copy()))
    agrees(maker, tmp_path)


def test_factors_that_do_not_fit_are_refused(tmp_path):
    maker = Maker((1, 4))
    maker.node("MatMul", "x", maker.constant(W), name="fc")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "fc: factors of a matrix product must fit, not shapes (1, 4) and (3, 4)"
    )


NORM = ([1.0, -2.0, 0.5, 3.0], [0.5, 1.0, -1.0, 0.0], [1.0, 0.0, -2.0, 0.25], [1.0, 3.5, 0.25, 2.0])


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 3), (1, 4, 2, 3)])
def test_batch_normalization(tmp_path, shape):
    maker = Maker(shape)
    maker.batch_norm("x", *NORM, name="bn")
    model = read(maker.save(tmp_path))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    (y,) = evaluate(model.graph, {"x": x}).values()
    assert np.abs(y - run(maker.model(), x)[0]).max() < 1e-4
    assert [name for name in model.graph.by_name if name.startswith("bn")] == [
        *("bn#epsilon", "bn#variance", "bn#centred", "bn#deviation", "bn#normed", "bn#scaled"),
        "bn",
    ]
    assert model.graph.by_name["bn#epsilon"].op.value == np.float32(1e-5)


def test_batch_normalization_in_training_mode_is_refused(tmp_path):
    maker = Maker((1, 4), opset=15)
    parameters = [maker.constant(np.float32(values)) for values in NORM]
    maker.node("BatchNormalization", "x", *parameters, name="bn", training_mode=1)
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == (
        "bn: BatchNormalization must be in inference mode, not training mode; "
        "export the model after eval()"
    )


def test_negative_variance_is_refused(tmp_path):
    maker = Maker((1, 4))
    maker.batch_norm("x", *NORM[:3], [1.0, -1.0, 1.0, 1.0], name="bn", eps=0.5)
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == "bn: variance + epsilon must be positive, not -1.0 + 0.5"


def test_parameters_for_other_channels_are_refused(tmp_path):
    maker = Maker((1, 3))
    maker.batch_norm("x", *NORM, name="bn")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem) == "bn: gamma must have one value for each of 3 channels, not shape (4,)"

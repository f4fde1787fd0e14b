"""Comparison with onnxruntime where float32 is exact: small integers, scales that are powers of
two."""

from pathlib import Path

import numpy as np
from onnx import TensorProto

from hwgen.frontend.reader import read
from hwgen.graph.ir import Graph
from hwgen.tensor.referee import evaluate
from tests.hwgen.frontend.runtime import run
from tests.onnx_models import Maker

RNG = np.random.default_rng(4)
"""Begins anew with every test of the folder."""


def whole(*shape: int, top: int = 8) -> np.ndarray:
    """Random integers -top..top as float32."""
    return RNG.integers(-top, top + 1, shape).astype(np.float32)


def agrees(
    maker: Maker, folder: Path, x: np.ndarray, *outputs: str, elem: int = TensorProto.FLOAT
) -> Graph:
    """Checks shape and every number; returns the graph."""
    model = read(maker.save(folder, *outputs, elem=elem))
    assert [str(problem) for problem in model.problems] == []
    found = evaluate(model.graph, {"x": x})
    for y, expected in zip(found.values(), run(maker.model(*outputs, elem=elem), x), strict=True):
        assert y.shape == expected.shape
        assert y.tolist() == expected.tolist()
    return model.graph


def refusal(maker: Maker, folder: Path) -> str:
    """What is told about the only problem of a model."""
    (problem,) = read(maker.save(folder)).problems
    return str(problem)


def kinds(graph: Graph) -> list[str]:
    """Names of the ops that are no constants, in order."""
    names = [type(node.op).__name__ for node in graph]
    return [name for name in names if name != "Constant"]

"""What the tests of the analysis share: a model through its integer graph against the referee."""

import json

import numpy as np

from hwgen.graph.interpret import interpret_integer
from hwgen.graph.ir import Graph
from hwgen.host.edges import apply
from hwgen.tensor.referee import evaluate
from hwgen.tensor.walk import Analysis, analyse


def run(analysis: Analysis, x: np.ndarray) -> np.ndarray:
    """What the accelerator with its host edges returns; edges go through JSON."""
    assert analysis.problems == []
    assert analysis.graph is not None
    ((name, entry),) = analysis.input_edges.items()
    ((output, leave),) = analysis.output_edges.items()
    entry, leave = json.loads(json.dumps([entry, leave]))
    integers = interpret_integer(analysis.graph, {name: apply(entry, x)})
    return apply(leave, integers[output])


def assert_equals_the_referee(graph: Graph, x: np.ndarray) -> Analysis:
    analysis = analyse(graph)
    y = run(analysis, x)
    wanted = evaluate(graph, {"x": x})["y"].astype(y.dtype)
    assert y.shape == wanted.shape
    assert np.array_equal(y, wanted)
    return analysis


def ops(analysis: Analysis) -> list[type]:
    assert analysis.graph is not None
    return [type(node.op) for node in analysis.graph]


def op(analysis: Analysis, name: str):
    assert analysis.graph is not None
    return analysis.graph.by_name[name].op


def quarters(rng: np.random.Generator, shape: tuple[int, ...], frames: int = 12) -> np.ndarray:
    return rng.integers(-16, 17, (frames, *shape)) / 4

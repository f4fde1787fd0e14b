"""The digits designs: what they classify, and the accelerator against the graph."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.design import Goal
from hwgen.ladder.simulation import compiled, run_graph, run_integer, run_referee, run_rtl
from hwgen.prepare import load, prepare
from platforms.devices import device

FOLDER = Path(__file__).parents[2] / "designs"
ACCURACY = {"digits_mlp": 446, "digits_cnn": 445, "digits_resnet": 445, "digits_dscnn": 441}
"""Digits of the 450 held out that each model gets right, as its training script printed."""


def vectors(name: str) -> tuple[np.ndarray, np.ndarray]:
    found = np.load(FOLDER / name / "vectors.npz")
    return found["input"], found["label"]


@pytest.mark.parametrize("name", ACCURACY)
def test_the_integer_graph_classifies_as_the_trained_model(name):
    x, labels = vectors(name)
    output = run_integer(load(FOLDER / name / "model.onnx"), x).output
    assert int((output.argmax(axis=1) == labels).sum()) == ACCURACY[name]


@pytest.mark.parametrize("name", ACCURACY)
def test_the_integer_graph_is_the_model_in_real_numbers(name):
    x, _ = vectors(name)
    loaded = load(FOLDER / name / "model.onnx")
    assert (run_integer(loaded, x[:24]).output == run_referee(loaded, x[:24])).all()


@pytest.mark.parametrize(
    ("name", "chip", "fps"),
    [
        *((name, "ecp5-25f", 1000) for name in ACCURACY),
        ("digits_mlp", "up5k", 20_000),  # two layers that both take the whole interval
        ("digits_cnn", "up5k", 20_000),
    ],
)
def test_the_accelerator_keeps_to_graph_and_schedule(name, chip, fps, cache, tools):
    x, _ = vectors(name)
    loaded = load(FOLDER / name / "model.onnx")
    target = device(chip)
    prepared = prepare(loaded, target, clock_mhz=target.default_clock_mhz, goal=Goal(fps=fps))
    graph = run_graph(prepared, x[:8])
    assert (graph.output_int == run_integer(loaded, x[:8]).output_int).all()
    result = run_rtl(prepared, x[:8], compiled(prepared, cache=cache))
    assert (result.output_int == graph.output_int).all()
    assert result.interval == prepared.timing.interval

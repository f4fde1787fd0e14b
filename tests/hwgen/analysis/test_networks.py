import numpy as np
import pytest

from hwgen.passes.lower import lower
from hwgen.passes.run import run_passes
from hwgen.tensor.walk import analyse
from tests.hwgen.analysed import assert_equals_the_referee, quarters
from tests.hwgen.image_networks import random_network


@pytest.mark.parametrize("seed", range(80))
def test_random_networks_equal_the_referee(seed):
    graph = random_network(np.random.default_rng(seed))
    x = quarters(np.random.default_rng(seed), graph.inputs["x"].shape[1:], 4)
    if not analyse(graph).problems:
        assert_equals_the_referee(graph, x)


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_are_lowered_to_the_same_function(seed):
    analysis = analyse(random_network(np.random.default_rng(seed)))
    if analysis.graph is not None:
        run_passes(analysis.graph, [lower], check="numerics", seed=seed)


def test_few_random_networks_are_refused():
    problems = [
        str(problem)
        for seed in range(100)
        for problem in analyse(random_network(np.random.default_rng(seed))).problems
    ]
    assert len(problems) < 20, problems

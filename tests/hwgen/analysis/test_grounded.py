import numpy as np
import pytest

from cores.steps.linear_fit import fit
from cores.types import IntType
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.tensor.elementwise import Unary
from hwgen.tensor.quantisers import MultiThreshold
from hwgen.tensor.walk import Analysis
from tests.hwgen.analysed import assert_equals_the_referee, op, ops
from tests.hwgen.chains import Chain, quant

S8 = IntType(-128, 127)
GAIN = np.array([1.37, 0.61])
WEIGHTS = np.array([[99.0, 1.0], [-7.0, 98.0], [31.0, -52.0]])


def layer(scale: float = 0.5, *, bits: int = 8) -> Chain:
    """Sums of 16 bits, quantised."""
    chain = Chain((3,)).then(quant(1 / 16, -128, 127)).matmul_of(WEIGHTS, name="fc")
    return chain.then(quant(scale, -(1 << bits - 1), (1 << bits - 1) - 1), name="first")


def checked(chain: Chain) -> Analysis:
    x = np.random.default_rng(0).normal(0, 4, (64, 3)).astype(np.float32)
    return assert_equals_the_referee(chain.matmul_of(np.ones((2, 1))).graph, x)


def test_rounding_twice_takes_two_lines():
    chain = layer(0.53).binary("mul", GAIN).binary("add", [0.3, -2.0])
    analysis = checked(chain.then(quant(0.7, -128, 127), name="second"))
    assert ops(analysis) == [IntMatMul, IntStep, IntStep, IntMatMul]
    first, second = op(analysis, "first"), op(analysis, "second")
    sums = IntType(-128 * 137, 128 * 151)
    assert fit(sums, first.starts, first.values) and fit(S8, second.starts, second.values)


def test_one_channel_that_is_no_line_is_enough():
    chain = layer().binary("mul", [1.0, 1.37]).then(quant(0.5, -128, 127))
    assert ops(checked(chain)) == [IntMatMul, IntStep, IntStep, IntMatMul]


def test_a_function_between_quantisers_has_one_table_of_few_integers():
    analysis = checked(layer().then(Unary("sigmoid")).then(quant(1 / 256, 0, 255), name="second"))
    assert ops(analysis) == [IntMatMul, IntStep, IntStep, IntMatMul]
    second = op(analysis, "second")
    assert (second.starts == second.starts[0]).all() and np.abs(second.starts).max() < 256


@pytest.mark.parametrize(
    "chain",
    [
        layer().then(Unary("relu")).then(quant(0.5, 0, 255)),
        layer().binary("mul", 3.0).then(quant(0.5, -128, 127)),
        layer(8.0, bits=4).binary("mul", GAIN).then(quant(0.7, -128, 127)),
        layer().binary("mul", GAIN).then(quant(8.0, -8, 7)),
        layer().binary("mul", GAIN).then(MultiThreshold(np.array([[-1.0, 3.0]]), 1.0, 0.0, 1)),
    ],
    ids=["one grid", "a multiple", "few levels first", "few levels last", "thresholds"],
)
def test_one_line_or_few_levels_stay_together(chain: Chain):
    assert ops(checked(chain)) == [IntMatMul, IntStep, IntMatMul]


def test_sums_of_few_values_need_no_node_between():
    chain = Chain((3,)).then(quant(0.5, -8, 7)).matmul_of(np.ones((3, 2)))
    chain.then(quant(0.3, -128, 127)).binary("mul", GAIN).then(quant(0.7, -128, 127))
    assert ops(checked(chain)) == [IntMatMul, IntStep, IntMatMul]

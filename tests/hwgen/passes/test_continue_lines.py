import numpy as np
import pytest

from cores.steps.linear_fit import fit
from hwgen.graph.interpret import interpret_integer
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep
from hwgen.passes.continue_lines import continue_lines
from tests.hwgen.integer.foreign import Halve


def of_functions(kind: IntTensor, functions) -> IntStep:
    """Steps of a function per channel, each known in the channel's own range only."""
    found = []
    for lo, hi, function in zip(kind.lo, kind.hi, functions, strict=True):
        x = np.arange(lo, hi + 1)
        y = function(x)
        changes = np.flatnonzero(np.diff(y))
        found.append((x[changes + 1].tolist(), [int(y[0]), *map(int, y[changes + 1])]))
    count = max(len(starts) for starts, _ in found)
    never = int(kind.hi.max()) + 1
    starts = [starts + [never] * (count - len(starts)) for starts, _ in found]
    values = [values + values[-1:] * (count + 1 - len(values)) for _, values in found]
    return IntStep(np.array(starts), np.array(values))


def graph(kind: IntTensor, step: IntStep) -> Graph:
    return Graph({"x": kind}, (Node("act", step, (Value("x", ""),)),), {"y": Value("act")})


KIND = IntTensor((3,), np.array([-100, -400, -3000]), np.array([150, 900, 2000]))


def line(slope: float, offset: float):
    return lambda x: np.clip(np.floor(slope * x + offset), -60, 60).astype(np.int64)


def test_lines_that_stop_go_on():
    step = of_functions(KIND, [line(0.21, 3.1), line(-0.113, 0.41), line(0.05, -7)])
    before = graph(KIND, step)
    after = continue_lines(before)
    (node,) = after.nodes
    assert fit(KIND.dtype, step.starts, step.values) is None
    assert fit(KIND.dtype, node.op.starts, node.op.values) is not None
    for channel in range(3):
        x = np.zeros((int(KIND.hi[channel] - KIND.lo[channel]) + 1, 3), np.int64)
        x[:, channel] = np.arange(KIND.lo[channel], KIND.hi[channel] + 1)
        found, wanted = (interpret_integer(g, {"x": x})["y"] for g in (after, before))
        assert (found[:, channel] == wanted[:, channel]).all()


def test_a_constant_stays_one():
    step = of_functions(KIND, [line(0, 17.5), line(0.1, 0.4), line(0.05, -7)])
    (node,) = continue_lines(graph(KIND, step)).nodes
    x = np.array([[-100, 0, 0], [150, 0, 0]])
    assert interpret_integer(graph(KIND, node.op), {"x": x})["y"][:, 0].tolist() == [17, 17]


@pytest.mark.parametrize(
    "functions",
    [
        [lambda x: np.abs(x) // 3, line(0.1, 0), line(0.05, -7)],  # no line
        [line(0.02, 0), line(0.02, 0), line(0.005, 0)],  # too few steps to care
        [line(0, 60), line(0, 60), line(0.05, -7)],  # already one in the range of all
    ],
)
def test_other_steps_stay_as_they_are(functions):
    step = of_functions(KIND, functions)
    (node,) = continue_lines(graph(KIND, step)).nodes
    assert node.op is step


def test_an_op_from_elsewhere_stays_as_it_is():
    halve = Halve(np.zeros(3, int))
    (node,) = continue_lines(graph(KIND, halve)).nodes
    assert node.op is halve

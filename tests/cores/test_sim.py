import numpy as np
import pytest

from cores.fifo import Buffer
from cores.sim import Bench, StreamError, drip, run, run_after_reset
from cores.types import IntType, StreamType

OP = Buffer(StreamType((4,), IntType(-8, 7), 2), 2)
X = np.arange(-6, 6).reshape(3, 4)


def test_stamps_of_a_free_running_core():
    found = run(OP, [X])
    assert found.outputs["o"].tolist() == X.tolist()
    assert found.taken["i"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found.shown["o"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.given["o"].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_stalls_are_the_same_for_the_same_seed():
    first, again, other = (run(OP, [X], stall=0.6, seed=s) for s in (1, 1, 2))
    assert (first.given["o"] == again.given["o"]).all()
    assert (first.given["o"] != other.given["o"]).any()
    assert first.given["o"][-1, -1] > 8
    assert (first.given["o"] >= first.shown["o"]).all()


def test_stamps_restart_with_reset():
    found = run_after_reset(OP, [X], [X[:1]], cycles=3)
    assert found.outputs["o"].tolist() == X[:1].tolist()
    assert found.taken["i"].tolist() == [[0, 1]]


def test_drip_counts_outputs_after_each_input():
    assert drip(OP, [X], "i")["o"].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_deadlock_is_a_message():
    bench = Bench(OP, OP.core())
    bench.shut.add("o")

    def plan():
        bench.feed("i", [0] * 4)
        while bench.idle <= bench.patience:
            yield
        bench.fail(f"deadlock: {bench.counts()}")

    message = r"^Buffer: deadlock: i took 2 beats, o gave 0 beats$"
    with pytest.raises(StreamError, match=message):
        bench.run(plan())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], r"Buffer must have one tensor for each of its 1 inputs, not 0"),
        (
            [X[:, :2]],
            r"tensor must have the shape \(frames, \*\(4,\)\) of its stream, not \(3, 2\)",
        ),
        ([X * 4], r"tensor must lie within -8\.\.7 of its stream, not -24\.\.20"),
    ],
)
def test_rejects_inputs_that_do_not_fit(inputs, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        run(OP, inputs)

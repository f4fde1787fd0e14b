import numpy as np
import pytest

from cores.argmax import ArgMax
from cores.sim import run
from cores.types import IntType

S4 = IntType(-8, 7)
EACH = "of ArgMax must have one entry for each of the 6 channels, not the shape"


def test_worked_example():
    op = ArgMax((4,), S4)
    x = np.array([[1, 7, 7, 0], [-8, -8, -8, -8], [-3, -2, -1, 0]])
    assert op.compute(x).tolist() == [[1], [0], [3]]
    assert run(op, [x]).outputs["o"].tolist() == [[1], [0], [3]]


@pytest.mark.parametrize("pe", [1, 2, 4])
def test_offset_then_rank_then_index_decide(pe):
    # Sums of the first frame: 5, 5, 4, 5; channels 1 and 3 have the larger rank, 1 comes first.
    op = ArgMax((4,), S4, offset=np.array([0, 2, 0, 1]), rank=np.array([0, 3, 9, 3]), pe=pe)
    x = np.array([[5, 3, 4, 4], [7, 5, 7, 6], [7, -8, -8, -8]])
    assert op.compute(x).tolist() == [[1], [2], [0]]
    assert run(op, [x]).outputs["o"].tolist() == [[1], [2], [0]]


@pytest.mark.parametrize("pe", [1, 2, 3, 6])
def test_ties_go_to_the_lowest_index_at_every_folding(pe):
    x = np.array([[int(i in pair) for i in range(6)] for pair in np.ndindex(6, 6)])
    op = ArgMax((6,), IntType(0, 1), pe=pe)
    wanted = [[min(pair)] for pair in np.ndindex(6, 6)]
    assert run(op, [x]).outputs["o"].tolist() == wanted


def test_output_range_holds_winners_only():
    # With inputs 0..3, channels 0 and 3 can never make up for their offset.
    op = ArgMax((4,), IntType(0, 3), offset=np.array([-4, 0, 0, -3]))
    assert op.outputs["o"].dtype == IntType(1, 2)
    # One less, and channel 3 can draw level: it then loses to a lower index, unless it ranks above.
    op = ArgMax((4,), IntType(0, 3), offset=np.array([-4, 0, 0, -3]), rank=np.array([0, 0, 0, 1]))
    assert op.outputs["o"].dtype == IntType(1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pe": 4}, r"PE must divide the 6 channels of ArgMax, not 4"),
        ({"offset": np.zeros(5, int)}, rf"offset {EACH} \(5,\)"),
        ({"rank": np.zeros((1, 6), int)}, rf"rank {EACH} \(1, 6\)"),
    ],
)
def test_rejects(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ArgMax((6,), S4, **options)


def test_rejects_offsets_that_are_not_integers():
    with pytest.raises(TypeError, match=r"^offset of ArgMax must be integers, not float64$"):
        ArgMax((2,), S4, offset=np.array([0.5, 1.0]))

import numpy as np
import pytest

from cores.beats import to_beats
from cores.sim import run
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth

U4 = IntType(0, 15)


def beats(op: ConvertWidth, x: list[int]) -> list[list[int]]:
    found = run(op, [np.array([x])])
    return to_beats(found.outputs["o"], op.outputs["o"])[0].tolist()


def test_worked_example_of_widths_that_do_not_divide():
    # Four lanes to six: beats 0123 4567 89AB become 012345 6789AB, the first after the second read.
    op = ConvertWidth(StreamType((12,), U4, 4), 6)
    assert op.cycles == 3
    assert op.timing.reads("i").tolist() == [0, 1, 2]
    assert op.timing.emits("o").tolist() == [1, 2]
    assert op.phases == ((0, True, False), (2, True, True), (1, True, True))
    assert beats(op, list(range(12))) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_narrowing_reads_with_the_first_output_that_needs_it():
    op = ConvertWidth(StreamType((12,), U4, 6), 4)
    assert op.cycles == 3
    assert op.timing.reads("i").tolist() == [0, 1]
    assert op.timing.emits("o").tolist() == [0, 1, 2]


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("other", [1, 2, 3, 4, 6, 12])
def test_full_rate_on_the_side_with_more_beats(lanes, other):
    op = ConvertWidth(StreamType((2, 12), U4, lanes), other)
    x = np.random.default_rng(0).integers(0, 16, (3, 2, 12))
    found = run(op, [x])
    assert (found.outputs["o"] == x).all()
    assert np.diff(found.given["o"][:, -1]).tolist() == [24 // min(lanes, other)] * 2


def test_rejects_lanes_that_do_not_divide():
    with pytest.raises(ValueError, match=r"^lanes must divide the 12 channels of a stream, not 5$"):
        ConvertWidth(StreamType((12,), U4, 4), 5)

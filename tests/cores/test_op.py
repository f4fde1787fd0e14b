import numpy as np

from cores.fifo import Buffer
from cores.op import Op
from cores.timing import Timing
from cores.types import IntType, StreamType


class Pairs(Buffer):
    """A schedule with numbers a reader can follow: two beats in, one out, three steps."""

    @property
    def outputs(self):
        return {"o": self.type.with_lanes(4)}

    @property
    def timing(self):
        return Timing(
            cycles=6,
            depth=2,
            reads=lambda port: np.array([0, 2, 3, 5]),
            emits=lambda port: np.array([2, 5]),
        )


OP = Pairs(StreamType((8,), IntType(0, 1), 2), 1)


def test_what_is_asked_most_is_that_of_the_timing():
    assert (OP.cycles, OP.depth) == (6, 2)


def test_latency_is_from_the_first_beat_to_the_first_valid_one():
    assert OP.latency == 4


def test_an_op_that_does_not_fold_has_one_folding_and_no_text():
    assert list(Op.foldings(OP, None)) == [OP]
    assert Op.binding(OP) == ""

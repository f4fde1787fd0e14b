import numpy as np

from cores.fifo import Buffer
from cores.op import Op
from cores.types import IntType, StreamType


class Pairs(Buffer):
    """A schedule with numbers a reader can follow: two beats in, one out, three steps."""

    @property
    def outputs(self):
        return {"o": self.type.with_lanes(4)}

    @property
    def cycles(self):
        return 6

    def reads(self, port):
        return np.array([0, 2, 3, 5])

    def emits(self, port):
        return np.array([2, 5])

    @property
    def depth(self):
        return 2


OP = Pairs(StreamType((8,), IntType(0, 1), 2), 1)


def test_needs_counts_the_beats_read_up_to_the_step():
    assert [OP.needs("o", k) for k in range(2)] == [{"i": 2}, {"i": 4}]


def test_time_is_the_step_and_the_depth():
    assert [OP.time("o", k) for k in range(2)] == [4, 7]
    assert OP.latency == 4


def test_an_op_that_does_not_fold_has_one_folding_and_no_text():
    assert list(Op.foldings(OP, None)) == [OP]
    assert Op.binding(OP) == "" and OP.macs == 0

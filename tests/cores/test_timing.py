import numpy as np

from cores.stalling import Emitting, Rigid
from cores.timing import Timing


def pairs(**more) -> Timing:
    """Two beats in, one out, three steps, twice in a frame."""
    return Timing(
        cycles=6,
        depth=2,
        reads=lambda port: np.array([0, 2, 3, 5]),
        emits=lambda port: np.array([2, 5]),
        **more,
    )


def test_a_beat_is_read_and_emitted_in_every_step_unless_told_otherwise():
    timing = Timing(cycles=3, depth=1)
    assert timing.reads("i").tolist() == timing.emits("o").tolist() == [0, 1, 2]
    assert timing.time("o").tolist() == [1, 2, 3]
    assert timing.needed("o", "i").tolist() == [1, 2, 3]
    assert (timing.stalling, timing.cuts_ready, timing.pause) == (Rigid(), False, 0)


def test_a_beat_needs_those_read_up_to_its_step():
    assert pairs().needed("o", "i").tolist() == [2, 4]


def test_a_core_that_reads_ahead_needs_fewer():
    timing = pairs(needed=lambda output, source: np.array([1, 3]))
    assert timing.needed("o", "i").tolist() == [1, 3]


def test_a_beat_is_valid_as_many_cycles_behind_its_step_as_the_pipeline_is_deep():
    assert pairs().time("o").tolist() == [4, 7]


def test_what_takes_planning_is_planned_when_asked_for():
    planned = []

    def depth() -> int:
        planned.append("depth")
        return 4

    def stalling() -> Emitting:
        planned.append("stalling")
        return Emitting()

    timing = Timing(cycles=3, depth=depth, stalling=stalling)
    assert timing.cycles == 3 and not planned
    assert timing.depth == 4 and planned == ["depth"]
    assert timing.stalling == Emitting() and planned == ["depth", "stalling"]

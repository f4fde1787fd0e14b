"""Every operator of the library, at each of its examples, keeps the contract of `cores.op`."""

import numpy as np
import pytest

from cores import conformance
from cores.library import OPS
from cores.op import Op

EXAMPLES = [
    pytest.param(op, id=f"{cls.__name__}-{number}")
    for cls in OPS
    for number, op in enumerate(cls.examples(np.random.default_rng(2024)))
]


@pytest.mark.parametrize("op", EXAMPLES)
class TestCore:
    @pytest.mark.parametrize("stall", [0.0, 0.5])
    def test_gives_what_compute_says(self, op: Op, stall: float):
        conformance.check_values(op, op.core, stall=stall)

    def test_gives_a_whole_frame_when_nothing_follows(self, op: Op):
        conformance.check_one_frame(op, op.core)

    def test_keeps_its_schedule(self, op: Op):
        conformance.check_schedule(op, op.core)

    def test_needs_what_it_says(self, op: Op):
        conformance.check_needs(op, op.core)

    def test_reaches_both_ends_of_its_range(self, op: Op):
        conformance.check_extremes(op, op.core)

    def test_starts_afresh_after_reset(self, op: Op):
        conformance.check_reset(op, op.core)

    def test_passes_ready_on_unless_it_says_not(self, op: Op):
        conformance.check_ready(op, op.core)


@pytest.mark.parametrize("op", EXAMPLES)
def test_results_do_not_depend_on_the_number_of_frames(op: Op):
    inputs = conformance.random_inputs(op, 4, seed=8)
    whole = conformance.expected(op, inputs)
    for frame in range(4):
        alone = conformance.expected(op, [x[frame] for x in inputs])
        for name, tensor in whole.items():
            assert (alone[name] == tensor[frame]).all()


def test_every_operator_is_registered_once():
    assert len({cls.__name__ for cls in OPS}) == len(OPS)

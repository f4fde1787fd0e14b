"""Every operator of the library, at each of its examples, keeps the contract of `cores.op`."""

import numpy as np
import pytest

from cores.conformance import Case, cases, check
from cores.engine.sequence import LayerSequence
from cores.library import OPS
from tests.cores.plain import Negate


@pytest.mark.grid
@pytest.mark.parametrize("case", cases(*OPS), ids=str)
def test_keeps_the_contract(case: Case):
    case.run()


def test_every_operator_is_registered_once():
    assert len({cls.__name__ for cls in OPS}) == len(OPS)


def test_only_of_whole_networks_extremes_are_not_known():
    rng = np.random.default_rng(2024)
    unknown = {cls for cls in OPS for op in cls.examples(rng) if op.extremes() is None}
    assert unknown == {LayerSequence}


def test_the_op_that_the_contract_shows_keeps_it():
    check(Negate)

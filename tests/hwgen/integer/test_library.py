"""What holds for every integer op: its three methods are checked against each other."""

from inspect import isfunction
from itertools import combinations
from types import CodeType

import numpy as np
import pytest

from hwgen.integer.conformance import check, inputs
from hwgen.integer.joins import IntAdd
from hwgen.integer.library import OPS
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntArgMax, IntStep
from tests.hwgen.integer.instances import INSTANCES, OTHER, ROW, tensor


def named(case) -> str:
    return type(case[0]).__name__


def own_code(kind: type, method: str) -> set[str]:
    """Names of the methods and functions of this package that a method runs."""
    found: set[str] = set()
    waiting = [getattr(kind, method)]
    while waiting:
        function = waiting.pop()
        codes = [function.__code__]
        while codes:
            code = codes.pop()
            codes += [each for each in code.co_consts if isinstance(each, CodeType)]
            for name in code.co_names:
                used = vars(kind).get(name, function.__globals__.get(name))
                used = used.fget if isinstance(used, property) else used
                ours = getattr(used, "__module__", "").startswith("hwgen.")
                if isfunction(used) and ours and name not in found:
                    found.add(name)
                    waiting.append(used)
    return found


@pytest.mark.parametrize("kind", OPS, ids=lambda kind: kind.__name__)
def test_the_three_methods_share_no_code(kind):
    for one, other in combinations(("result_type", "compute", "lower"), 2):
        assert not ({one} | own_code(kind, one)) & ({other} | own_code(kind, other))


def test_every_op_has_an_instance():
    assert {type(op) for op, _ in INSTANCES} == {*OPS}
    assert len({kind.__name__ for kind in OPS}) == len(OPS)


def is_one_operator(case) -> bool:
    return not (isinstance(case[0], IntAdd) and not case[0].uniform)


@pytest.mark.parametrize("case", [*filter(is_one_operator, INSTANCES)], ids=named)
def test_every_instance_keeps_the_contract(case):
    op, kinds = case
    check(op, *kinds, exact=not isinstance(op, IntArgMax))  # some channel can never be the largest


def random_op(rng: np.random.Generator):
    match rng.integers(2):
        case 0:
            return IntMatMul(rng.integers(-3, 4, (4, 3)), rng.integers(-5, 6, 4))
        case _:
            count = int(rng.integers(0, 4))
            starts = np.sort(rng.integers(-3, 5, (3, count)), axis=1)
            return IntStep(starts, rng.integers(-9, 10, (3, count + 1)))


@pytest.mark.parametrize("seed", range(40))
def test_random_ops_keep_the_contract(seed):
    rng = np.random.default_rng(seed)
    lo = rng.integers(-2, 1, 3)
    check(random_op(rng), tensor(lo, lo + rng.integers(0, 4, 3)))


def test_the_range_of_a_sum_with_factors_of_each_channel_is_reached():
    op = IntAdd(np.array([[2, 1], [-3, 0]]), np.array([1, -7]))
    frames, every = inputs((ROW, OTHER), 0)
    y, found = op.compute(*frames), op.result_type(ROW, OTHER)
    assert every
    assert (found.lo.tolist(), found.hi.tolist()) == (
        y.min(axis=0).tolist(),
        y.max(axis=0).tolist(),
    )

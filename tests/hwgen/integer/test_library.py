"""What holds for every integer op: its three methods are checked against each other."""

from inspect import isfunction
from itertools import combinations, product
from types import CodeType

import numpy as np
import pytest

from cores.types import StreamType
from hwgen.integer.joins import IntAdd
from hwgen.integer.library import OPS
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from tests.hwgen.integer.instances import INSTANCES, tensor


def named(case) -> str:
    return type(case[0]).__name__


def every_input(x: IntTensor) -> np.ndarray:
    lo, hi = (np.broadcast_to(end, x.shape).reshape(-1).tolist() for end in (x.lo, x.hi))
    axes = [range(a, b + 1) for a, b in zip(lo, hi, strict=True)]
    return np.array(list(product(*axes))).reshape(-1, *x.shape)


def every_combination(kinds: tuple[IntTensor, ...]) -> list[np.ndarray]:
    frames = [every_input(kind) for kind in kinds]
    if len(frames) == 2:
        frames = [frames[0].repeat(len(frames[1]), 0), np.tile(frames[1].T, len(frames[0])).T]
    return frames


def assert_range_is_reached(op, kinds: tuple[IntTensor, ...]) -> None:
    y = op.compute(*every_combination(kinds))
    found = op.result_type(*kinds)
    assert found.shape == y.shape[1:]
    y = y.reshape(-1, y.shape[-1])
    assert found.lo.tolist() == y.min(axis=0).tolist()
    assert found.hi.tolist() == y.max(axis=0).tolist()


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


def reached(case) -> bool:
    """Of the larger of two numbers the index says less than that each may be the larger."""
    return named(case) != "IntArgMax"


@pytest.mark.parametrize("case", [*filter(reached, INSTANCES)], ids=named)
def test_ranges_are_exactly_those_that_inputs_reach(case):
    assert_range_is_reached(*case)


def random_op(rng: np.random.Generator):
    match rng.integers(2):
        case 0:
            return IntMatMul(rng.integers(-3, 4, (4, 3)), rng.integers(-5, 6, 4))
        case _:
            count = int(rng.integers(0, 4))
            starts = np.sort(rng.integers(-3, 5, (3, count)), axis=1)
            return IntStep(starts, rng.integers(-9, 10, (3, count + 1)))


@pytest.mark.parametrize("seed", range(40))
def test_ranges_of_random_ops_are_exactly_those_that_inputs_reach(seed):
    rng = np.random.default_rng(seed)
    lo = rng.integers(-2, 1, 3)
    assert_range_is_reached(random_op(rng), (tensor(lo, lo + rng.integers(0, 4, 3)),))


def is_one_operator(case) -> bool:
    op, _ = case
    return named(case) != "IntReshape" and not (isinstance(op, IntAdd) and not op.uniform)


@pytest.mark.parametrize("case", [*filter(is_one_operator, INSTANCES)], ids=named)
def test_the_operator_computes_the_same(case):
    op, kinds = case
    frames = every_combination(kinds)
    operator = op.lower([StreamType(kind.shape, kind.dtype) for kind in kinds])
    assert np.array_equal(operator.compute(*frames), op.compute(*frames))
    assert operator.outputs["o"].shape == op.result_type(*kinds).shape

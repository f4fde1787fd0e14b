"""The checks of integer ops, on an op that is right and on faults put into it on purpose."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from cores.duplicate import Duplicate
from cores.types import IntType, StreamType
from hwgen.integer.conformance import EVERY, check, inputs
from hwgen.integer.op import IntTensor
from tests.hwgen.integer.foreign import Halve
from tests.hwgen.integer.instances import IMAGE, ROW, tensor

MORE = np.array([0, 1])


@pytest.mark.parametrize("kind", [ROW, IMAGE, tensor([-500, 0], [500, 700], (3, 3))])
def test_an_op_of_another_package_is_right(kind):
    check(Halve(MORE), kind)


def test_few_inputs_are_all_tried():
    (x, z), every = inputs((ROW, tensor([0], [1])), 0)
    assert every
    assert len({(*a.tolist(), *b.tolist()) for a, b in zip(x, z, strict=True)}) == 3 * 3 * 2


def test_of_many_inputs_both_ends_are_tried():
    kind = tensor([-500, 0], [500, 700], (3, 3))
    (x,), every = inputs((kind,), 0)
    assert not every
    assert len(x) == EVERY // 18
    assert (x[0] == kind.lo).all()
    assert (x[1] == kind.hi).all()


@dataclass(frozen=True, eq=False)
class Wrong(Halve):
    """A fault in one of its methods."""

    typed: Callable | None = None
    computed: Callable | None = None
    lowered: Callable | None = None

    def result_type(self, *inputs):
        found = super().result_type(*inputs)
        return self.typed(found) if self.typed else found

    def compute(self, *x):
        y = super().compute(*x)
        return self.computed(y) if self.computed else y

    def lower(self, types):
        return self.lowered(self, types) if self.lowered else super().lower(types)


def wider(found: IntTensor) -> IntTensor:
    return IntTensor(found.shape, found.lo, found.hi + np.array([0, 1]))


def narrower(found: IntTensor) -> IntTensor:
    return IntTensor(found.shape, found.lo + np.array([1, 0]), found.hi)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"typed": wider}, r"result_type of Wrong must be 1\.\.2 in channel 1, as .*, not 1\.\.3"),
        ({"typed": narrower}, r"result_type of Wrong must be -1\.\.0 in channel 0, .* not 0\.\.0"),
        ({"typed": lambda _: None}, r"result_type of Wrong must be an IntTensor"),
        ({"computed": lambda y: y / 2}, r"compute of Wrong must give int64, not float64"),
        (
            {"computed": lambda y: y[..., :1]},
            r"compute of Wrong must have the shape \(9, 2\), not \(9, 1\)",
        ),
        ({"computed": lambda y: np.sort(y, axis=0)[::-1]}, r"compute of Wrong must keep frames ap"),
        (
            {"lowered": lambda op, types: Halve(op.more + 2).lower(types)},
            r"the operator MultiThreshold of Wrong must compute -1 at \(0,\), not 0, .* \[-1, 2\]",
        ),
        (
            {"lowered": lambda op, _: Halve(op.more).lower([StreamType((2,), IntType(-1, 3))])},
            r"the operator MultiThreshold of Wrong must take -1\.\.4 of the shape \(2,\), not -1",
        ),
        (
            {"lowered": lambda _, types: Duplicate(types[0], 2)},
            r"the operator Duplicate of Wrong must have one output, not 2",
        ),
        (
            {"lowered": lambda *_: None},
            r"lower of Wrong must give an operator: elements do not stay as they are",
        ),
    ],
)
def test_each_fault_is_caught(faults, message):
    with pytest.raises(AssertionError, match=rf"^(?:{message})"):
        check(Wrong(MORE, **faults), ROW)


def test_the_number_of_inputs_is_checked():
    with pytest.raises(AssertionError, match=r"^Halve must have 1 inputs in this check$"):
        check(Halve(MORE), ROW, ROW)

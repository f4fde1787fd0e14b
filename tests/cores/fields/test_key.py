import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import pytest

from cores.choices import Block, Logic
from cores.fields.key import content_key
from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.types import IntType, StreamType

OP = MatVec(np.array([[1, -1, 2], [0, 3, -4]]), IntType(0, 3))
TYPE = StreamType((4,), IntType(0, 3))
PRINT_KEYS = """
import numpy as np
from cores.library import OPS
for cls in OPS:
    print(*(op.key for op in cls.examples(np.random.default_rng(2024))))
"""


def printed_keys(seed: str) -> str:
    command = [sys.executable, "-c", PRINT_KEYS]
    changed = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, env=changed, check=True, capture_output=True, text=True).stdout


def test_equal_ops_of_two_processes_have_equal_keys():
    found = printed_keys("1")
    assert len(found.splitlines()) == len(OPS)
    assert found == printed_keys("2")


def test_no_two_examples_share_a_key():
    found = [op.key for cls in OPS for op in cls.examples(np.random.default_rng(2024))]
    assert len({*found}) == len(found)


def test_what_an_op_has_computed_does_not_enter():
    used = replace(OP)
    assert used.dot and used.folding and used.outputs
    assert used.key == OP.key


def test_the_way_in_which_an_array_lies_in_memory_does_not_enter():
    assert content_key(OP.weights.T.copy().T) == content_key(OP.weights)
    assert content_key(OP.weights.astype(">i8")) == content_key(OP.weights.astype("<i8"))


class OtherBuffer(Buffer):
    """Of the same fields."""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OP, replace(OP, weights=OP.weights * 2)),
        (OP, replace(OP, pe=2)),
        (OP, replace(OP, dtype=IntType(0, 2))),
        (OP, replace(OP, memory=Block())),
        (Buffer(TYPE, 4), OtherBuffer(TYPE, 4)),
        (OP.weights, OP.weights.reshape(3, 2)),
        (OP.weights, OP.weights.astype(np.int32)),
        (np.zeros(2, np.int8), np.zeros(2, bool)),
        (("a", "b"), ("a b",)),
        (("a", ("b", "c")), ("a", ("b",), "c")),
        ((), None),
        (True, 1),
        (1, 1.0),
        (Fraction(1, 2), 0.5),
        (Logic(), Block()),
    ],
)
def test_different_contents_have_different_keys(one, other):
    assert content_key(one) != content_key(other)


def test_a_number_of_numpy_is_that_number():
    assert content_key((np.int64(3), np.float32(0.5))) == content_key((3, 0.5))


@dataclass(frozen=True)
class Doubled:
    number: int
    twice: int = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "twice", 2 * self.number + os.getpid())


def test_a_field_that_follows_from_others_does_not_enter():
    one, other = Doubled(1), Doubled(1)
    object.__setattr__(other, "twice", 0)
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize("odd", [object, {1}, np.array([object()]), np.array(["a"]), 1j])
def test_rejects_what_has_no_content_of_its_own(odd):
    message = r"^an op must hold numbers, texts, arrays of numbers and dataclasses, not .*$"
    with pytest.raises(TypeError, match=message):
        content_key((1, odd))

import pytest

from cores.types import IntType
from hwgen.integer.op import IntegerOp
from tests.hwgen.integer.instances import tensor


def test_the_dtype_is_the_union_of_the_channels():
    assert tensor([0, -3], [5, 1]).dtype == IntType(-3, 5)


def test_an_op_without_a_meaning_cannot_be_made():
    class Mute(IntegerOp):
        pass

    with pytest.raises(TypeError, match=r"compute.*lower.*result_type"):
        Mute()  # pyright: ignore[reportAbstractUsage]

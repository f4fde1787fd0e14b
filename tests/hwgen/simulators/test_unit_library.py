"""Units under keys: what they are made of decides, and nothing else."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from cores.choices import Block
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.types import IntType, StreamType
from hwgen.errors import ToolError
from hwgen.simulators import unit_library
from hwgen.simulators.unit_library import compile_units

pytestmark = pytest.mark.compiled

TYPE = StreamType((4,), IntType(0, 3))
PRODUCT = MatVec(np.array([[1, -1, 2, 0]]), IntType(0, 3), memory=Block())


def test_equal_ops_share_a_unit(tmp_path, monkeypatch):
    made = []
    right = unit_library.unit
    monkeypatch.setattr(unit_library, "unit", lambda core: made.append(core) or right(core))
    ops = [Buffer(TYPE, 5), Buffer(TYPE, 6), Buffer(TYPE, 5)]
    units = compile_units(ops, cache=tmp_path, optimise="-O1")
    assert len(made) == 2
    assert units[0].code.symbol == units[2].code.symbol != units[1].code.symbol
    assert all(unit.library.exists() for unit in units)


def test_weights_in_memory_are_data_and_not_code(tmp_path):
    other = replace(PRODUCT, weights=PRODUCT.weights[:, ::-1])
    one, two = compile_units([PRODUCT, other], cache=tmp_path, optimise="-O1")
    assert one.code.symbol == two.code.symbol
    assert (one.code.image != two.code.image).any()


def test_a_unit_whose_library_is_gone_is_made_again(tmp_path):
    (unit,) = compile_units([PRODUCT], cache=tmp_path, optimise="-O1")
    unit.library.resolve().unlink()
    (unit,) = compile_units([PRODUCT], cache=tmp_path, optimise="-O1")
    assert unit.library.exists()


@dataclass(frozen=True, eq=False)
class Odd(Buffer):
    what: object = None


def test_rejects_ops_without_a_key(tmp_path):
    message = (
        r"^an op must hold numbers, texts, arrays of numbers and dataclasses, not .*'object'>$"
    )
    with pytest.raises(TypeError, match=message):
        compile_units([Odd(TYPE, 2, what=object)], cache=tmp_path, optimise="-O1")


def test_a_compiler_that_is_missing_is_a_message(tmp_path):
    message = r"^the C\+\+ compiler must name a program, not 'no-such-compiler'$"
    with pytest.raises(ToolError, match=message):
        compile_units([PRODUCT], cache=tmp_path, optimise="-O1", compiler=["no-such-compiler"])

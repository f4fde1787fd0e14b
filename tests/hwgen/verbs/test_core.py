import json

import numpy as np
import pytest

from cores.eltwise import Add
from cores.mvau import MatVec
from cores.types import IntType
from hwgen.cli import main
from hwgen.errors import CheckError, InputError
from hwgen.registry import Registry
from hwgen.verbs import core as verb


def test_an_example_is_named_by_its_operator_and_number():
    found = verb.example(Registry(), "MatVec", 1)
    assert isinstance(found, MatVec)
    assert found.key == MatVec.examples(np.random.default_rng(0))[1].key


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("Conv", 0, r"^operator must be one of Add, ArgMax, .*, not 'Conv'$"),
        ("MatVec", -1, r"^example of MatVec must be 0 to \d+, not -1$"),
        ("MatVec", 1000, r"^example of MatVec must be 0 to \d+, not 1000$"),
    ],
)
def test_what_is_no_example_is_refused(name, number, message):
    with pytest.raises(InputError, match=message):
        verb.example(Registry(), name, number)


def test_a_core_of_two_inputs_is_refused(session):
    op = Add.examples(np.random.default_rng(0))[0]
    with pytest.raises(InputError, match=r"^ports of Add must be i and o, not .*, o$"):
        verb.core(op, "up5k", session)


def test_an_unknown_device_is_refused(session):
    op = MatVec(np.eye(2, dtype=int), IntType(0, 3))
    with pytest.raises(InputError, match=r"^device must be one of .*, not 'zx81'$"):
        verb.core(op, "zx81", session)


@pytest.mark.synth
def test_the_command_prints_what_is_placed(capsys, monkeypatch, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    assert main(["core", "ArgMax", "--device", "up5k", "--json"]) == 0
    out = capsys.readouterr().out
    record = json.loads(out[out.index("{") :])
    assert record["cycles_per_frame"] == {"value": 10, "evidence": "simulated"}
    assert 0 < record["resources"]["lut4"]["used"]["value"] < 100
    assert record["fmax_mhz"]["value"] > 24


def test_a_core_that_computes_something_else_fails(session, monkeypatch):
    op = MatVec(np.eye(2, dtype=int), IntType(0, 3))
    monkeypatch.setattr(MatVec, "compute", lambda op, x: x + 1)
    with pytest.raises(CheckError, match=r"^RTL of MatVec: \d+ of \d+ elements differ"):
        verb.core(op, "up5k", session)

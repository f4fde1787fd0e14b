"""The torture of the link in short, and that it tells when something is wrong."""

import re

import pytest

from scripts import link_torture


@pytest.fixture(scope="module")
def torture(cache):
    return link_torture.prepare_torture(link_torture.ROOT / "designs/digits_mlp", cache=cache)


def test_twenty_kilobytes_of_a_damaged_line_give_no_wrong_result(capsys, cache):
    arguments = ["--bytes", "20000", "--rates", "1e-4", "1e-3", "--cache", str(cache)]
    assert link_torture.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.count("wrong results: 0, hangs: 0") == 2
    faults, again = (
        [int(found) for found in re.findall(rf"{what}: (\d+)", out)]
        for what in ("faults injected", "packets sent again")
    )
    assert min(faults) > 0
    assert max(again) > 10


def test_the_minimal_link_gives_no_wrong_result(capsys, cache):
    arguments = ["--bytes", "8000", "--rates", "1e-3", "--link", "minimal", "--cache", str(cache)]
    assert link_torture.main(arguments) == 0
    assert "wrong results: 0, hangs: 0" in capsys.readouterr().out


def test_a_wrong_result_is_told(torture, monkeypatch, capsys):
    right = torture.reference
    monkeypatch.setattr(
        torture, "reference", lambda n: right(n) ^ (n.reshape(len(n), -1)[:, :1] == 0)
    )
    monkeypatch.setattr(link_torture, "prepare_torture", lambda *_, **__: torture)
    assert link_torture.main(["--bytes", "4000", "--rates", "0"]) == 1
    assert re.search(r"wrong results: [1-9]", capsys.readouterr().out)


def test_a_call_that_takes_too_long_is_told(torture, monkeypatch, capsys):
    monkeypatch.setattr(link_torture, "HANG_S", 1e-4)
    monkeypatch.setattr(link_torture, "prepare_torture", lambda *_, **__: torture)
    assert link_torture.main(["--bytes", "4000", "--rates", "0"]) == 1
    assert re.search(r"hangs: [1-9]", capsys.readouterr().out)

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hwgen.cli import main
from hwgen.design import Goal, load_design
from hwgen.errors import FitError
from hwgen.folding.explore import explore
from hwgen.prepare import load, prepare
from platforms.devices import device
from tests.onnx_models import random_mlp, save


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    model = random_mlp(np.random.default_rng(4), (16, 12, 4))
    path = save(model, tmp_path_factory.mktemp("explored"))
    return replace(load_design(path), device="up5k", link="none")


@pytest.fixture(scope="module")
def record(design, session):
    return explore(design, session)


def used(point):
    return [entry["used"]["value"] for entry in point["resources"].values()]


def test_every_folding_listed_takes_less_of_something_than_any_faster_one(record):
    points = record["points"]
    assert len(points) > 3
    for number, slow in enumerate(points):
        for fast in points[number + 1 :]:
            assert fast["cycles_per_frame"]["value"] < slow["cycles_per_frame"]["value"]
            assert any(a < b for a, b in zip(used(slow), used(fast), strict=True))


def test_the_slowest_is_all_serial_and_the_fastest_fills_the_device(record):
    slow, fast = record["points"][0], record["points"][-1]
    assert slow["cycles_per_frame"]["value"] == 16 * 12
    assert fast["resources"]["lut4"]["used"]["value"] <= device("up5k").luts
    assert all(a < b for a, b in pairwise(p["fps"] for p in record["points"]))


def test_the_rate_that_is_named_gives_that_folding(design, record):
    loaded, target = load(design.model), device("up5k")
    for point in record["points"]:
        goal = Goal(fps=point["fps"])
        prepared = prepare(loaded, target, clock_mhz=record["clock_mhz"], goal=goal, link="none")
        assert prepared.timing.interval == point["cycles_per_frame"]["value"]
        assert prepared.resources.lut4 == point["resources"]["lut4"]["used"]["value"]
        assert prepared.folding == point["folding"]


def test_fewer_points_reach_from_end_to_end(design, session, record):
    few = explore(design, session, points=2)["points"]
    assert few == [record["points"][0], record["points"][-1]]


def test_what_fits_at_no_folding_is_refused(tmp_path, session):
    model = random_mlp(np.random.default_rng(4), (400, 300, 10))
    design = replace(load_design(save(model, tmp_path)), board="icestick", link="minimal")
    with pytest.raises(FitError, match=r"^no folding of those tried fits: .* hx1k"):
        explore(design, session, points=1)


def test_command_prints_a_table(design, record, capsys):
    arguments = ["explore", str(design.model), "--device", "up5k", "--link", "none"]
    assert main(arguments) == 0
    head, names, *lines, have = capsys.readouterr().out.splitlines()
    assert head.endswith(" on up5k at 24 MHz, estimated")
    assert names.split()[-4:] == ["block", "RAM", "SPRAM", "DSP"]
    assert [line.split()[0] for line in lines] == [f"{p['fps']:.15g}" for p in record["points"]]
    assert have.split()[-5:] == ["5280", "5280", "30", "4", "8"]


def test_points_must_be_positive(design, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["explore", str(design.model), "--device", "up5k", "--points", "0"])
    assert stop.value.code == 2
    assert "argument --points: must be positive, not 0" in capsys.readouterr().err

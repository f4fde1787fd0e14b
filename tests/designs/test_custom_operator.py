"""The operator of designs/custom_operator: right at every rung, and built with where it is
installed as a package."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from cores import conformance
from hwgen import registry
from hwgen.board.target import loaded_of
from hwgen.design import load_design
from hwgen.errors import ModelError
from hwgen.ladder.simulation import run_integer, run_referee
from hwgen.prepare import load
from tests.onnx_models import Maker

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "designs" / "custom_operator"
PLUGIN = str(FOLDER / "hwgen_cumsum.py")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")


def running_sum():
    """The operator's class."""
    return registry.find([PLUGIN]).classes["dataflow"]["RunningSum"]


def test_the_core_keeps_the_contract():
    conformance.check(running_sum())


def test_the_graph_is_the_model_in_real_numbers_and_the_stored_outputs():
    design = load_design(FOLDER)
    assert design.vectors is not None
    arrays = np.load(design.vectors)
    loaded = loaded_of(design)
    found = run_integer(loaded, arrays["input"]).output
    assert (found == run_referee(loaded, arrays["input"])).all()
    assert (found == arrays["output"]).all()


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_sums_begin_anew_at_every_position(tmp_path, axis):
    maker = Maker((1, 3, 5), opset=14)
    x = maker.quant("x", scale=0.5, zero_point=3.0)
    maker.quant(maker.node("CumSum", x, maker.constant(np.int64(axis)), name="sum"), bits=9.0)
    loaded = load(maker.save(tmp_path), plugins=[PLUGIN])
    x = np.random.default_rng(0).normal(0, 2, (20, 3, 5)).astype(np.float32)
    assert (run_integer(loaded, x).output == run_referee(loaded, x)).all()


@pytest.mark.parametrize(
    ("attributes", "axis", "message"),
    [
        ({"reverse": 1}, 2, "CumSum must run forwards, each element included, not another"),
        ({"exclusive": 1}, 2, "CumSum must run forwards, each element included, not another"),
        ({}, 3, r"axis must lie in -3..2, not 3"),
    ],
)
def test_refuses_by_name_what_it_cannot_do(tmp_path, attributes, axis, message):
    maker = Maker((1, 3, 5), opset=14)
    constant = maker.constant(np.int64(axis))
    sums = maker.node("CumSum", maker.quant("x"), constant, name="sum", **attributes)
    maker.quant(sums)
    with pytest.raises(ModelError, match=f"sum: {message}"):
        load(maker.save(tmp_path), plugins=[PLUGIN])


def test_refuses_by_name_a_second_direction(tmp_path):
    maker = Maker((1, 3, 5), opset=14)
    x = maker.quant("x")
    for axis in (2, 1):
        x = maker.node("CumSum", x, maker.constant(np.int64(axis)), name=f"along{axis}")
    maker.quant(x, bits=9.0)
    message = r"along1: it must work along the channels of its input, not axis 1 of \(1, 3, 5\)"
    with pytest.raises(ModelError, match=message):
        load(maker.save(tmp_path), plugins=[PLUGIN])


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """The programs of a fresh virtual environment in which hwgen and the package are installed;
    what hwgen depends on comes from this one's."""
    folder = tmp_path_factory.mktemp("fresh")
    source = shutil.copytree(ROOT, folder / "source", ignore=LEFT_OUT)  # builds write beside it
    packages = [source, source / "designs" / "custom_operator"]
    pip(["wheel", "--no-build-isolation", "--wheel-dir", folder, *packages])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    pip(["install", *folder.glob("*.whl")], "--python", folder / "venv")
    (site,) = (folder / "venv").glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv" / "bin"


def pip(arguments: list[str | Path], *options: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *options]
    subprocess.run([*command, *arguments, "--no-deps", "--no-index"], check=True)


def run(environment: Path, folder: Path, *arguments: str) -> dict:
    command = [environment / "hwgen", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.build
@pytest.mark.synth
def test_an_installed_package_is_found_and_built_with(environment, tmp_path):
    for name in ("model.onnx", "vectors.npz"):
        shutil.copy(FOLDER / name, tmp_path)
    lines = run(environment, tmp_path, "inspect", "model.onnx")["nodes"]
    assert ["CumSum" in line["becomes"] for line in lines if line["operator"] == "CumSum"] == [True]
    record = run(
        environment,
        tmp_path,
        *("build", "model.onnx", "--board", "icebreaker", "--vectors", "vectors.npz"),
        *("--fps", "100000", "-o", "out"),
    )
    rungs = {rung["rung"]: rung["mismatches"] for rung in record["bit_exact"]}
    assert "netlist, serial line included" in rungs and not any(rungs.values())
    assert any(layer["op"] == "RunningSum" for layer in record["layers"])
    assert (tmp_path / "out" / "top.bin").is_file()

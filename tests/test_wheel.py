"""The packages as a stranger installs them: a wheel, used outside of the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hwgen", "cores", "platforms")
WANTED = (".py", ".cpp", ".hpp", ".typed")

pytestmark = pytest.mark.build


def python(*arguments: str, **options) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools leaves its own files beside the sources."""
    folder = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    made = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(made), str(folder))
    (found,) = made.glob("*.whl")
    return found


def test_the_wheel_has_every_file_of_the_packages(wheel):
    files = {path for package in PACKAGES for path in (ROOT / package).rglob("*")}
    wanted = {str(path.relative_to(ROOT)) for path in files if path.suffix in WANTED}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if not name.split("/")[0].endswith("-info")}
    assert found == wanted


def test_the_wheel_reads_a_model_outside_of_the_checkout(wheel, tmp_path):
    site, folder = tmp_path / "site", tmp_path / "elsewhere"
    folder.mkdir()
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel))
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path)}
    where = python("-c", "import hwgen; print(hwgen.__file__)", cwd=folder, env=environment)
    assert Path(where.strip()).is_relative_to(site)
    model = str(ROOT / "designs" / "digits_mlp" / "model.onnx")
    said = python("-m", "hwgen", "inspect", model, cwd=folder, env=environment)
    assert "MatVec" in said or "MatMul" in said

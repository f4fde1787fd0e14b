"""The command by its three names."""

import subprocess
import sys

import pytest

import hwgen.__main__ as package
from hwgen import command


def test_the_package_runs_the_command():
    assert package.main is command.main


@pytest.mark.parametrize("name", ["hwgen", "hwgen.command"])
def test_modules_run_as_the_command(name):
    done = subprocess.run(
        [sys.executable, "-m", name, "boards", "--no-such-option"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "usage: hwgen" in done.stderr

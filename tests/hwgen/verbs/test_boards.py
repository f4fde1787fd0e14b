"""`hwgen boards` and `hwgen program`, with a program of our own in the place of the real tool."""

import json
import os
import re
from pathlib import Path

import pytest

from hwgen.board.top import BoardTop, link_config
from hwgen.cli import main
from platforms.boards.catalogue import BOARDS
from platforms.toolchain import plan_board
from tests.hwgen.host.linked import IDENTITY, link, loop


@pytest.fixture
def build(tmp_path):
    """Makes what `program` reads of a build folder; returns the folder."""

    def make(board: str, bitstream: str) -> Path:
        folder = tmp_path / "out"
        folder.mkdir()
        record = {"board": board, "bitstream": f"somewhere/else/{bitstream}"}
        (folder / "report.json").write_text(json.dumps(record))
        (folder / bitstream).write_bytes(b"bits")
        return folder

    return make


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a shell script on the search path under a tool's name."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return make


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_tool_gets_its_arguments_and_the_bitstream(capsys, tmp_path, build, tool):
    folder = build("ulx3s-85f", "top.bit")
    tool("openFPGALoader", f'echo "$@" > {tmp_path}/seen; echo loading')
    status, out, err = run(capsys, "program", str(folder))
    assert (status, err) == (0, "")
    assert (tmp_path / "seen").read_text() == f"-b ulx3s -m {folder}/top.bit\n"
    assert "loading\n" in out


def test_tool_that_fails_ends_with_status_1_and_its_output(capsys, build, tool):
    folder = build("icebreaker", "top.bin")
    tool("iceprog", "echo init..; echo cannot find a device >&2; exit 2")
    status, _, err = run(capsys, "program", str(folder))
    assert status == 1
    assert err == ("hwgen: iceprog ended with status 2 and said:\ninit..\ncannot find a device\n")


def test_missing_tool_ends_with_status_2_and_what_installs_it(capsys, tmp_path, monkeypatch, build):
    folder = build("orangecrab-25f", "top.bit")
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = run(capsys, "program", str(folder))
    assert status == 2
    assert err == (
        "hwgen: dfu-util is not installed: run `apt install dfu-util` and have it on PATH, "
        "or name one in DFU_UTIL\n"
    )


def test_dry_run_prints_the_command_and_needs_no_tool(capsys, tmp_path, monkeypatch, build):
    folder = build("versa-ecp5", "top.bit")
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = run(capsys, "program", str(folder), "--dry-run")
    assert (status, out, err) == (0, f"ecpprog -S {folder}/top.bit\n", "")


def test_dry_run_does_not_call_the_tool(capsys, tmp_path, build, tool):
    folder = build("icesugar", "top.bin")
    tool("icesprog", f"touch {tmp_path}/called")
    status, out, _ = run(capsys, "program", str(folder), "--dry-run", "--json")
    assert status == 0
    assert not (tmp_path / "called").exists()
    assert json.loads(out) == {
        "board": "icesugar",
        "bitstream": f"{folder}/top.bin",
        "memory": "flash",
        "command": f"icesprog {folder}/top.bin",
        "note": "",
        "programmed": False,
    }


def test_folder_without_build_or_bitstream_is_refused(capsys, tmp_path, build):
    status, _, err = run(capsys, "program", str(tmp_path))
    assert status == 2
    assert err.endswith("must be the output folder of a build; no report.json there\n")
    folder = build("icebreaker", "top.bin")
    (folder / "top.bin").unlink()
    status, _, err = run(capsys, "program", str(folder))
    assert (status, err) == (2, f"hwgen: {folder}: must hold top.bin; build it again\n")


def test_boards_are_listed_as_json(capsys):
    status, out, _ = run(capsys, "boards", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert list(rows) == list(BOARDS)
    assert rows["up5k-b-evn"] == {
        "name": "up5k-b-evn",
        "title": "iCE40UP5K-B-EVN",
        "device": "up5k",
        "oscillator_mhz": 12.0,
        "clock_mhz": 24,
        "link": {"rx": "4", "tx": "12", "via": "header C: rx pin 3, tx pin 2"},
        "program": {"command": "iceprog top.bin", "memory": "flash", "note": ""},
    }


@pytest.mark.grid
@pytest.mark.parametrize("name", BOARDS)
def test_no_pin_of_the_top_level_is_used_twice(name):
    board = BOARDS[name]
    accelerator = link(loop(2, "u4")).accelerator
    clk_hz = round(board.clock_plan().achieved_mhz * 1_000_000)
    top = BoardTop(accelerator, link_config(accelerator, IDENTITY, clk_hz=clk_hz), board)
    constraints = plan_board(top, board).constraints
    assert constraints is not None
    pins = re.findall(r'^(?:LOCATE COMP|set_io) "?\w+"?(?: SITE)? "?(\w+)', constraints, re.M)
    assert len(pins) == len(set(pins)) == (3 if board.led is None else 4)


def test_every_board_is_one_line(capsys):
    status, out, _ = run(capsys, "boards")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert status == 0
    assert set(BOARDS) <= set(lines)
    assert lines["orangecrab-85f"].split()[1:8] == [
        "ecp5-85f", "48", "MHz", "50", "MHz", "N17", "M18"
    ]  # fmt: skip
    assert "hx8k-b-evn: the programming jumpers must be set for the SRAM" in out.splitlines()

"""The choice of a host link, from the command to what is built."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hwgen.board.implement import board_design
from hwgen.cli import main
from hwgen.design import Goal
from hwgen.host.manifest import Manifest
from hwgen.host.protocol import Feature, Info
from hwgen.prepare import load, prepare
from platforms.boards.catalogue import board
from tests.onnx_models import random_mlp, save


@pytest.fixture
def small(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.chdir(tmp_path)
    return save(random_mlp(np.random.default_rng(4), (6, 4, 3)), tmp_path)


def prepared(path, link):
    device = board("icebreaker").device
    return prepare(load(path), device, clock_mhz=24, goal=Goal(fps=1000), link=link)


def test_estimates_count_the_link_chosen(small):
    full, minimal, none = (prepared(small, link).resources for link in ("uart", "minimal", "none"))
    assert none.lut4 < minimal.lut4 < full.lut4
    # Logic cells: 1,193 of the full link in a build of digits_mlp.
    assert 1150 <= full.lut4 - none.lut4 <= 1300
    assert 640 <= minimal.lut4 - none.lut4 <= 750
    assert full.ram_blocks > minimal.ram_blocks > none.ram_blocks


def test_the_device_tells_what_its_link_can_do(small):
    designs = {
        link: board_design(prepared(small, link), board("icebreaker"))
        for link in ("uart", "minimal")
    }
    told = {link: Info.unpack(design.link.info) for link, design in designs.items()}
    assert (told["uart"].credits, told["uart"].banks, told["uart"].features) == (2, 2, Feature.RUN)
    assert (told["minimal"].credits, told["minimal"].banks) == (1, 1)
    assert told["minimal"].features == Feature(0)
    assert told["uart"].build_id != told["minimal"].build_id


@pytest.mark.parametrize(("baud", "divisor"), [(1_000_000, 24), (3_000_000, 8), (115_200, 208)])
def test_the_baud_is_built_in(small, baud, divisor):
    design = board_design(prepared(small, "uart"), board("icebreaker"), baud=baud)
    assert design.link.divisor == divisor
    assert design.manifest.baud == baud


@pytest.mark.synth
def test_a_build_without_link_gives_verilog_and_no_bitstream(small, tmp_path, capsys):
    options = ["--board", "icebreaker", "--fps", "1000", "--link", "none", "-o", "out", "--json"]
    assert main(["build", str(small), *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["link"] == "none"
    assert "bitstream" not in record
    assert record["resources"]["lut4"]["used"]["evidence"] == "placed"
    out = tmp_path / "out"
    text = (out / "accelerator.v").read_text()
    ports = re.search(r"^module top\((.*?)\);", text, re.DOTALL | re.MULTILINE)[1]
    assert {"i__payload", "i__valid", "i__ready", "o__payload", "o__valid", "o__ready"} <= {
        port.strip() for port in ports.split(",")
    }
    assert not (out / "manifest.json").exists()
    assert {path.name for path in out.iterdir()} == {
        "accelerator.v",
        "folding.toml",
        "report.json",
        "tools",
    }


@pytest.mark.synth
def test_a_build_with_the_minimal_link_passes_its_netlist(small, tmp_path, capsys):
    options = ["--board", "icebreaker", "--fps", "1000", "--link", "minimal", "-o", "out", "--json"]
    assert main(["build", str(small), *options, "--netlist-frames", "3"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["bit_exact"][-1]["samples"] == 3
    assert record["resources"]["lut4"]["used"]["value"] < 1150
    assert Manifest.load(Path(tmp_path / "out" / "manifest.json"))

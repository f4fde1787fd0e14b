"""The scripts that run the digits designs, at emulated boards."""

import re
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from designs import digits_running
from hwgen.board.emulated_board import EmulatedBoard
from hwgen.board.implement import board_design, save_for_hosts
from hwgen.board.terminal import Terminal
from hwgen.design import Goal, load_design
from hwgen.ladder.simulation import run_graph
from hwgen.prepare import load, prepare
from platforms.boards.catalogue import board
from tests.onnx_models import random_mlp, save

ROOT = Path(__file__).parents[2]
DESIGNS = ("digits_mlp", "digits_cnn", "digits_resnet", "digits_dscnn")


def for_hosts(model: Path, folder: Path, *, fps: float, board_name: str = "icebreaker"):
    """What a build leaves for hosts; returns the prepared design."""
    chosen = board(board_name)
    clock = chosen.device.default_clock_mhz
    prepared = prepare(load(model), chosen.device, clock_mhz=clock, goal=Goal(fps=fps))
    folder.mkdir()
    save_for_hosts(board_design(prepared, chosen), folder)
    return prepared


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A design of ten classes with a build, and what it returns for its twenty vectors."""
    folder = tmp_path_factory.mktemp("toy")
    model = save(random_mlp(np.random.default_rng(3), (6, 8, 10)), folder)
    prepared = for_hosts(model, folder / "build", fps=1000)
    x = np.random.default_rng(4).uniform(-2, 17, (20, 6)).astype(np.float32)
    found = run_graph(prepared, x).output.argmax(axis=1)
    labels = found.copy()
    labels[:3] = (found[:3] + 1) % 10  # three mistakes
    np.savez(folder / "vectors.npz", input=x, label=labels)
    return folder, labels, found, prepared


@pytest.fixture(autouse=True)
def caches(monkeypatch, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))


def test_confusion_by_hand():
    counts = digits_running.confusion(np.array([0, 0, 7, 9]), np.array([0, 7, 7, 0]))
    assert counts.sum() == 4
    assert (counts[0, 0], counts[0, 7], counts[7, 7], counts[9, 0]) == (1, 1, 1, 1)
    lines = digits_running.table(counts).splitlines()
    assert lines[0] == "label    0    1    2    3    4    5    6    7    8    9"
    assert lines[1] == "    0    1                                  1"
    assert lines[10] == "    9    1"


def test_class_is_the_largest_score_or_the_number_itself():
    assert digits_running.classes(np.array([[0.5, 2, -1], [3, 2, 1]])).tolist() == [1, 0]
    assert digits_running.classes(np.array([[4.0], [2.0]])).tolist() == [4, 2]


def test_toy_is_classified_on_an_emulated_board(toy, capsys):
    folder, labels, found, prepared = toy
    status = digits_running.main(folder, [str(folder / "build")])
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[0]) == (0, "compile the simulator ...")
    head, *rest = out.splitlines()
    assert head == "model on an emulated icebreaker"
    assert "\n".join(rest[:11]) == digits_running.table(digits_running.confusion(labels, found))
    assert rest[11] == "right: 17 of 20 (85.00%)"
    assert re.fullmatch(r"through the serial line: [\d,]+ frames/s", rest[12])
    # 100 frames at the interval, and the way of the first one through the pipeline.
    told = re.fullmatch(
        r"on the device: ([\d,]+) frames/s, ([\d,]+) cycles for 100 frames at 24 MHz", rest[13]
    )
    assert told
    rate, cycles = (int(number.replace(",", "")) for number in told.groups())
    interval, latency = prepared.timing.interval, prepared.timing.last_out
    assert 99 * interval < cycles <= 100 * interval + latency
    assert rate == round(100 / cycles * 24e6)


def test_toy_is_classified_through_a_port(toy, capsys, cache, tools):
    folder, *_ = toy
    stop = Event()
    terminal = Terminal(EmulatedBoard.of_build(folder / "build", cache=cache, tools=tools))
    thread = Thread(target=terminal.serve, args=(stop.is_set,), daemon=True)
    thread.start()
    arguments = [str(folder / "build"), "--port", terminal.path, "--frames", "5"]
    status = digits_running.main(folder, arguments)
    stop.set()
    thread.join()
    terminal.close()
    out, _ = capsys.readouterr()
    assert status == 0
    assert f"model on {terminal.path}\n" in out
    assert "right: 2 of 5 (40.00%)\n" in out


def test_what_is_missing_is_told(toy, capsys, tmp_path):
    folder, *_ = toy
    assert digits_running.main(folder, [str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err
    arguments = [str(folder / "build"), "--port", str(tmp_path / "nothing")]
    assert digits_running.main(folder, arguments) == 1
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_has_its_script(name):
    command = [sys.executable, "-m", f"designs.{name}.run", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Classifies digits with {name}." in done.stdout


def test_the_whole_test_split_through_the_emulated_board(capsys, tmp_path):
    design = load_design(ROOT / "designs" / "digits_mlp")
    assert design.goal.fps is not None
    for_hosts(design.model, tmp_path / "out", fps=design.goal.fps)
    status = digits_running.main(ROOT / "designs" / "digits_mlp", [str(tmp_path / "out")])
    out, _ = capsys.readouterr()
    assert status == 0
    assert "right: 446 of 450 (99.11%)\n" in out

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(set((ROOT / "designs" / "cores").glob("*.py")) - {ROOT / "designs/cores/alone.py"})

PRINTED = {
    "argmax": "0..5[1] lanes=1: 3 cycles a frame, 4 to its first output beat\n[[2]\n [0]]\n",
    "fifo": "[[-6 -5 -4 -3 -2 -1]\n [ 0  1  2  3  4  5]]\n",
    # By hand, first frame (1, 0, 3, 2): 1 - 2 = -1, 3 * 3 + 2 = 11, -2 + 3 = 1, 1 + 3 + 2 = 6.
    "mvau": "-6..12[4] lanes=2: 4 cycles a frame, 7 to its first output beat\n"
    "[[-1 11  1  6]\n [ 8  1 -3  7]]\n",
    "thresholding": "u2[2] lanes=1: 2 cycles a frame, 2 to its first output beat\n"
    "[[0 0]\n [1 1]\n [2 2]\n [3 3]]\n",
}

BLOCKS = {"reduction", "weight_memory"}
OF_AN_OPERATOR = (
    r"; \d+ cycles a frame, latency \d+; 64 frames equal the reference, as RTL and as netlist"
)


@pytest.mark.synth
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_core_alone_prints_its_result_size_and_speed(script, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *before, last = done.stdout.splitlines(keepends=True)
    assert "".join(before).endswith(PRINTED.get(script.stem, ""))
    assert re.fullmatch(
        r"ecp5-25f: \d+ LUT4, \d+ FF, \d+ DSP, \d+ block RAM, [\d.]+ MHz"
        + (OF_AN_OPERATOR if script.stem not in BLOCKS else "")
        + r"\n",
        last,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_stays_on_one_screen(script):
    assert len(script.read_text().splitlines()) <= 20

import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "designs" / "cores").glob("*.py"))

PRINTED = {
    "argmax": "0..5[1] lanes=1: 3 cycles a frame, 4 to its first output beat\n[[2]\n [0]]\n",
    "fifo": "[[-6 -5 -4 -3 -2 -1]\n [ 0  1  2  3  4  5]]\n",
    # By hand, first frame (1, 0, 3, 2): 1 - 2 = -1, 3 * 3 + 2 = 11, -2 + 3 = 1, 1 + 3 + 2 = 6.
    "mvau": "-6..12[4] lanes=2: 4 cycles a frame, 7 to its first output beat\n"
    "[[-1 11  1  6]\n [ 8  1 -3  7]]\n",
    "thresholding": "u2[2] lanes=1: 2 cycles a frame, 2 to its first output beat\n"
    "[[0 0]\n [1 1]\n [2 2]\n [3 3]]\n",
}


def test_every_script_has_its_expected_result():
    assert [script.stem for script in SCRIPTS] == sorted(PRINTED)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_core_alone_prints_its_result(script, capsys):
    runpy.run_path(str(script))
    assert capsys.readouterr().out.endswith(PRINTED[script.stem])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_stays_on_one_screen(script):
    assert len(script.read_text().splitlines()) <= 20

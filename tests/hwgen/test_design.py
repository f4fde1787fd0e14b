"""Design folders: what they say, and every mistake in them."""

import re
from pathlib import Path

import pytest

from hwgen.design import Design, Goal, load_design
from hwgen.errors import InputError


def folder(path: Path, text: str) -> Path:
    (path / "design.toml").write_text(text)
    return path


def test_a_model_file_is_a_design_without_more():
    assert load_design(Path("some/net.onnx")) == Design("net", Path("some/net.onnx"))


def test_a_folder_says_what_its_file_says(tmp_path):
    text = 'model = "m.onnx"\nboard = "ulx3s-85f"\nclock_mhz = 40\nvectors = "v.npz"\n'
    design = load_design(folder(tmp_path, text + "[goal]\nframes_per_second = 30\n"))
    assert design == Design(
        name=tmp_path.name,
        model=tmp_path / "m.onnx",
        board="ulx3s-85f",
        clock_mhz=40,
        vectors=tmp_path / "v.npz",
        goal=Goal(fps=30),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ", "must be TOML: "),
        ('board = "icebreaker"', "key 'model' must name the ONNX file"),
        ('model = "m"\ncolour = 1', "unknown key 'colour'; keys: model, board, clock_mhz, "),
        ('model = "m"\n[goal]\nfps = 1', "unknown key 'goal.fps'; keys: frames_per_second, "),
        ('model = "m"\nclock_mhz = "fast"', "clock_mhz must be int or float, not 'fast'"),
        ('model = "m"\nclock_mhz = true', "clock_mhz must be int or float, not True"),
        (
            'model = "m"\n[goal]\nframes_per_second = 1\nfolding = "f"',
            "[goal] must hold one of frames_per_second, folding, not both",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/design.toml: {message}')}"):
        load_design(folder(tmp_path, text))


def test_a_folder_without_design_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a design folder must contain design\.toml$"):
        load_design(tmp_path)

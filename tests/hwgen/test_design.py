"""Design folders: what they say, and every mistake in them."""

import re
from pathlib import Path

import pytest

from hwgen.design import Design, Goal, load_design
from hwgen.errors import InputError
from platforms.boards.catalogue import BOARDS
from platforms.devices import DEVICES


def folder(path: Path, text: str) -> Path:
    (path / "design.toml").write_text(text)
    return path


def test_a_model_file_is_a_design_without_more():
    assert load_design(Path("some/net.onnx")) == Design("net", Path("some/net.onnx"))


def test_a_folder_says_what_its_file_says(tmp_path):
    text = """
        model = "m.onnx"
        board = "ulx3s-85f"
        device = "ecp5-85f"
        clock_mhz = 40
        link = "minimal"
        baud = 115200
        vectors = "v.npz"
        input_type = "u8"
        sequential = true
        seed = 3
        netlist_frames = 0
        [goal]
        frames_per_second = 30
    """
    design = load_design(folder(tmp_path, text))
    assert design == Design(
        name=tmp_path.name,
        model=tmp_path / "m.onnx",
        board="ulx3s-85f",
        device="ecp5-85f",
        clock_mhz=40,
        link="minimal",
        baud=115200,
        vectors=tmp_path / "v.npz",
        input_type="u8",
        sequential=True,
        seed=3,
        netlist_frames=0,
        goal=Goal(fps=30),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ", "must be TOML: "),
        ('board = "icebreaker"', "key 'model' must name the ONNX file"),
        ('model = "m"\ncolour = 1', "unknown key 'colour'; keys: model, board, device, "),
        ('model = "m"\n[goal]\nfps = 1', "unknown key 'goal.fps'; keys: frames_per_second, "),
        ('model = "m"\nclock_mhz = "fast"', "clock_mhz must be int or float, not 'fast'"),
        ('model = "m"\nclock_mhz = true', "clock_mhz must be int or float, not True"),
        ('model = "m"\nbaud = 9600.5', "baud must be int, not 9600.5"),
        ('model = "m"\nseed = -2', "seed must be a number from 0 to 2147483647, not -2"),
        (
            'model = "m"\n[goal]\nframes_per_second = 1\nfolding = "f"',
            "[goal] must hold one of frames_per_second, folding, not both",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/design.toml: {message}')}"):
        load_design(folder(tmp_path, text))


MODEL = Path("net.onnx")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clock_mhz": 0}, "clock_mhz must be a positive number, not 0"),
        ({"clock_mhz": -1}, "clock_mhz must be a positive number, not -1"),
        ({"clock_mhz": float("nan")}, "clock_mhz must be a positive number, not nan"),
        ({"clock_mhz": float("inf")}, "clock_mhz must be a positive number, not inf"),
        ({"baud": 0}, "baud must be a positive number, not 0"),
        ({"seed": -1}, "seed must be a number from 0 to 2147483647, not -1"),
        ({"seed": 2**31}, "seed must be a number from 0 to 2147483647, not 2147483648"),
        ({"netlist_frames": -1}, "netlist_frames must be 0 or more, not -1"),
        ({"link": "usb"}, "link must be one of uart, minimal, none, not 'usb'"),
        (
            {"board": "icebreaker", "device": "hx1k"},
            "device must be up5k, that of icebreaker, not hx1k",
        ),
    ],
)
def test_values_that_no_build_can_have_are_refused(fields, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Design("net", MODEL, **fields)


@pytest.mark.parametrize(("key", "known"), [("board", BOARDS), ("device", DEVICES)])
def test_an_unknown_board_or_device_is_told_the_known_ones(key, known):
    message = re.escape(f"{key} must be one of {', '.join(known)}, not 'breadboard'")
    with pytest.raises(InputError, match=f"^{message}$"):
        Design("net", MODEL, **{key: "breadboard"})


def test_a_board_may_stand_beside_its_own_device():
    assert Design("net", MODEL, board="icebreaker", device="up5k").device == "up5k"


@pytest.mark.parametrize("fps", [0, -3, float("nan")])
def test_a_rate_must_be_positive(fps):
    with pytest.raises(InputError, match=r"^frames per second must be a positive number, not "):
        Goal(fps=fps)


def test_a_goal_is_a_rate_or_a_folding():
    with pytest.raises(InputError, match=r"^goal must be a rate or a folding, not both$"):
        Goal(fps=1, folding=Path("folding.toml"))


def test_a_folder_without_design_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a design folder must contain design\.toml$"):
        load_design(tmp_path)

"""A design folder: `design.toml` names a model, a board and a goal; unknown keys are errors."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen.errors import InputError

KEYS = {
    "model": str,
    "board": str,
    "clock_mhz": (int, float),
    "vectors": str,
    "input_type": str,
    "sequential": bool,
    "goal": dict,
}
GOAL_KEYS = {"frames_per_second": (int, float), "folding": str}


@dataclass(frozen=True)
class Goal:
    """What the folding aims at: a rate, a reviewed file, or (neither) the fastest that fits."""

    fps: float | None = None
    folding: Path | None = None


@dataclass(frozen=True)
class Design:
    """A model with everything that a build needs to know.

    Parameters
    ----------
    name : str
        Name of the folder, or the stem of the model's file.
    model : Path
    board : str or None
    clock_mhz : float or None
        None: the default of the board.
    vectors : Path or None
        An npz with ``input`` (N, shape without batch) and optionally ``label`` (N,).
    input_type : str or None
        Type of a float input that has no quantiser.
    sequential : bool
        One set of units runs the layers one after the other, instead of one unit per layer.
    goal : Goal
    """

    name: str
    model: Path
    board: str | None = None
    clock_mhz: float | None = None
    vectors: Path | None = None
    input_type: str | None = None
    sequential: bool = False
    goal: Goal = Goal()


def load_design(path: Path) -> Design:
    """The design of a folder with a `design.toml`, or of a bare model file.

    Raises
    ------
    InputError
        A key is unknown, missing or of the wrong type.
    """
    if not path.is_dir():
        return Design(path.stem, path)
    file = path / "design.toml"
    if not file.is_file():
        raise InputError(f"{path}: a design folder must contain design.toml")
    try:
        table = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: must be TOML: {error}") from error
    _check(file, "", table, KEYS)
    goal = table.get("goal", {})
    _check(file, "goal.", goal, GOAL_KEYS)
    if "model" not in table:
        raise InputError(f"{file}: key 'model' must name the ONNX file")
    if len(goal) > 1:
        raise InputError(f"{file}: [goal] must hold one of {', '.join(GOAL_KEYS)}, not both")
    return Design(
        name=path.resolve().name,
        model=path / table["model"],
        board=table.get("board"),
        clock_mhz=table.get("clock_mhz"),
        vectors=path / table["vectors"] if "vectors" in table else None,
        input_type=table.get("input_type"),
        sequential=table.get("sequential", False),
        goal=Goal(
            fps=goal.get("frames_per_second"),
            folding=path / goal["folding"] if "folding" in goal else None,
        ),
    )


def _check(file: Path, prefix: str, table: dict[str, Any], keys: dict[str, Any]) -> None:
    for key, value in table.items():
        if key not in keys:
            raise InputError(f"{file}: unknown key '{prefix}{key}'; keys: {', '.join(keys)}")
        if not isinstance(value, keys[key]) or isinstance(value, bool) != (keys[key] is bool):
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise InputError(f"{file}: {prefix}{key} must be {wanted}, not {value!r}")

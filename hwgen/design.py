"""A design: a model with every choice that verbs follow; in a folder, `design.toml` holds them."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from hwgen.errors import InputError
from platforms.boards.catalogue import board as find_board
from platforms.devices import device as find_device

KEYS = {
    "model": str,
    "board": str,
    "device": str,
    "clock_mhz": (int, float),
    "link": str,
    "baud": int,
    "vectors": str,
    "input_type": str,
    "plugins": list,
    "sequential": bool,
    "seed": int,
    "netlist_frames": int,
    "goal": dict,
}
GOAL_KEYS = {"frames_per_second": (int, float), "folding": str}
PATHS = ("model", "vectors", "folding")
"""Keys whose values are relative to the folder."""

LINKS = ("uart", "minimal", "none")
"""Host links: with counters, patterns and two banks; without these; and no link at all, the
accelerator's streams being the ports of the design."""

DEFAULT_BAUD = 1_000_000
LAST_SEED = 2**31 - 1
"""nextpnr reads a seed as a C++ `int`."""


@dataclass(frozen=True)
class Goal:
    """What the folding aims at: a rate, a reviewed file, or (neither) the fastest that fits.

    Parameters
    ----------
    fps : float or None
        Frames per second.
    folding : Path or None

    Raises
    ------
    InputError
        Both are given, or the rate is not positive.
    """

    fps: float | None = None
    folding: Path | None = None

    def __post_init__(self) -> None:
        if self.fps is not None:
            if self.folding is not None:
                raise InputError("goal must be a rate or a folding, not both")
            _check_positive("frames per second", self.fps)


@dataclass(frozen=True)
class Design:
    """A model with everything that a verb needs to know of it.

    Parameters
    ----------
    name : str
        Name of the folder, or the stem of the model's file.
    model : Path
    board : str or None
    device : str or None
        Instead of a board; with one, its device.
    clock_mhz : float or None
        None: the default of the device.
    link : str
        One of `LINKS`.
    baud : int
        Rate of the host link.
    vectors : Path or None
        An npz with ``input`` (N, shape without batch) and optionally ``label`` (N,).
    input_type : str or None
        Type of a float input that has no quantiser.
    plugins : tuple of str
        Modules or files with further operators, besides those of installed packages; see
        `hwgen.registry`.
    sequential : bool
        One set of units runs the layers one after the other, instead of one unit per layer.
    seed : int
        Of place and route.
    netlist_frames : int
        Frames that a build sends through its synthesised netlist; 0 leaves this rung out.
    goal : Goal

    Raises
    ------
    InputError
        A value is none that its field may have, or the board has another device.
    """

    name: str
    model: Path
    board: str | None = None
    device: str | None = None
    clock_mhz: float | None = None
    link: str = LINKS[0]
    baud: int = DEFAULT_BAUD
    vectors: Path | None = None
    input_type: str | None = None
    plugins: tuple[str, ...] = ()
    sequential: bool = False
    seed: int = 1
    netlist_frames: int = 64
    goal: Goal = Goal()

    def __post_init__(self) -> None:
        if self.clock_mhz is not None:
            _check_positive("clock_mhz", self.clock_mhz)
        if self.link not in LINKS:
            raise InputError(f"link must be one of {', '.join(LINKS)}, not {self.link!r}")
        _check_positive("baud", self.baud)
        if not 0 <= self.seed <= LAST_SEED:
            raise InputError(f"seed must be a number from 0 to {LAST_SEED}, not {self.seed}")
        if self.netlist_frames < 0:
            raise InputError(f"netlist_frames must be 0 or more, not {self.netlist_frames}")
        if self.device is not None:
            _known(find_device, self.device)
        if self.board is not None:
            own = _known(find_board, self.board).device.name
            if self.device not in (None, own):
                raise InputError(f"device must be {own}, that of {self.board}, not {self.device}")


def load_design(path: Path) -> Design:
    """The design of a folder with a `design.toml`, or of a bare model file.

    Raises
    ------
    InputError
        A key is unknown, missing or of the wrong type, or its value is none that `Design` takes.
    """
    if not path.is_dir():
        return Design(path.stem, path)
    file = path / "design.toml"
    if not file.is_file():
        raise InputError(f"{path}: a design folder must contain design.toml")
    try:
        table = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: must be TOML: {error}") from error
    try:
        return _design(path, table)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _design(folder: Path, table: dict[str, Any]) -> Design:
    _check_types("", table, KEYS)
    goal = table.pop("goal", {})
    _check_types("goal.", goal, GOAL_KEYS)
    if "model" not in table:
        raise InputError("key 'model' must name the ONNX file")
    if len(goal) > 1:
        raise InputError(f"[goal] must hold one of {', '.join(GOAL_KEYS)}, not both")
    for values in (table, goal):
        values.update({key: folder / values[key] for key in PATHS if key in values})
    table["plugins"] = tuple(_plugin(folder, name) for name in table.get("plugins", ()))
    aim = Goal(goal.get("frames_per_second"), goal.get("folding"))
    return Design(folder.resolve().name, **table, goal=aim)


def _plugin(folder: Path, name: object) -> str:
    """A module as it is, a file from the folder."""
    if not isinstance(name, str):
        raise InputError(f"plugins must be names of modules or files, not {name!r}")
    return str(folder / name) if name.endswith(".py") else name


def _check_types(prefix: str, table: dict[str, Any], keys: dict[str, Any]) -> None:
    for key, value in table.items():
        if key not in keys:
            raise InputError(f"unknown key '{prefix}{key}'; keys: {', '.join(keys)}")
        # A bool is an int to Python, but no number to a user.
        if not isinstance(value, keys[key]) or isinstance(value, bool) != (keys[key] is bool):
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise InputError(f"{prefix}{key} must be {wanted}, not {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise InputError(f"{name} must be a positive number, not {value:g}")


def _known(find: Callable[[str], Any], name: str) -> Any:
    try:
        return find(name)
    except ValueError as error:
        raise InputError(str(error)) from error

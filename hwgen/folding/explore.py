"""Foldings worth having of a model on a device: none that another one equals or beats in speed and
in every resource."""

from collections.abc import Iterable
from math import floor
from typing import Any

from cores.cost import Resources
from hwgen.board.target import Target, loaded_of, target_of
from hwgen.design import Design, Goal
from hwgen.errors import FitError, FoldingError
from hwgen.folding.search import Choices
from hwgen.prepare import Loaded, Prepared, prepare
from hwgen.report.compose import estimate_record
from hwgen.session import Session
from platforms.device import Device

POINTS = 24
"""Foldings that are listed unless more are asked for."""


def explore(design: Design, session: Session, *, points: int = POINTS) -> dict[str, Any]:
    """Speed and resources along the whole range of foldings, by estimate.

    Buffers are as deep as the schedule shows to be enough; those of a build can be smaller.

    Parameters
    ----------
    points : int
        Foldings that are completed with converters and buffers: at most so many, spread over the
        range.

    Returns
    -------
    dict
        ``points`` holds one record for each folding, the slowest first; its `fps` is what to ask
        for to get it.

    Raises
    ------
    InputError
        The design names neither a device nor a board.
    FitError
        No folding fits the device.
    """
    target = target_of(design)
    loaded = loaded_of(design)
    found: dict[int, Prepared] = {}
    failure: FitError | FoldingError | None = None
    for interval in _spread(intervals_worth(loaded, target.device), points):
        try:
            prepared = _at(loaded, target, interval, design.link)
        except (FitError, FoldingError) as error:
            failure = error
            continue
        found.setdefault(prepared.timing.interval, prepared)
    if not found and failure is not None:
        raise FitError(f"no folding of those tried fits: {failure}") from failure
    return {
        "model": {"name": loaded.model.name, "hash": loaded.model.hash},
        "board": target.board_name,
        "device": target.device.name,
        "clock_mhz": target.clock_mhz,
        "points": [_point(p, target) for p in _best(found.values())],
    }


def intervals_worth(loaded: Loaded, device: Device) -> list[int]:
    """Intervals in cycles, the longest first, each of which takes less of something than every
    shorter one; converters and buffers are not looked at."""
    choices = Choices(loaded.dataflow, device, Resources())
    kept: list[tuple[int, Resources]] = []
    for interval in choices.intervals():
        picked = choices.at_most(interval)
        if picked and not any(other.within(picked[1]) for _, other in kept):
            kept.append((interval, picked[1]))
    return [interval for interval, _ in reversed(kept)]


def _spread(intervals: list[int], points: int) -> list[int]:
    """At most so many of them, first and last among them."""
    if len(intervals) <= points:
        return intervals
    if points == 1:
        return intervals[:1]
    steps = (len(intervals) - 1) / (points - 1)
    return [intervals[round(k * steps)] for k in range(points)]


def _at(loaded: Loaded, target: Target, interval: int, link: str) -> Prepared:
    goal = Goal(fps=_asked(target.clock_mhz, interval))
    return prepare(loaded, target.device, clock_mhz=target.clock_mhz, goal=goal, link=link)


def _asked(clock_mhz: float, interval: int) -> float:
    """A rate that leaves so many cycles, in few digits."""
    fps = clock_mhz * 1e6 / interval
    for digits in range(3, 18):
        scale = 10.0 ** (digits - len(str(int(fps))))
        asked = floor(fps * scale) / scale
        if asked > 0 and int(clock_mhz * 1e6 / asked) == interval:
            return asked
    return fps


def _best(found: Iterable[Prepared]) -> list[Prepared]:
    """Those that no faster one equals or beats, the slowest first."""
    kept: list[Prepared] = []
    for one in sorted(found, key=lambda prepared: prepared.timing.interval):
        if not any(other.resources.within(one.resources) for other in kept):
            kept.append(one)
    return kept[::-1]


def _point(prepared: Prepared, target: Target) -> dict[str, Any]:
    record = estimate_record(prepared, board=target.board_name)
    return {
        "fps": _asked(target.clock_mhz, prepared.timing.interval),
        **{
            name: record[name]
            for name in ("cycles_per_frame", "frames_per_second", "latency_cycles", "bottleneck")
        },
        "resources": record["resources"],
        "folding": prepared.folding,
    }

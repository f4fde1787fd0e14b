"""The ladder of a build: every rung compared with the one above, counted for the report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.errors import CheckError
from hwgen.host.manifest import Manifest
from hwgen.ladder import simulation
from hwgen.ladder.blame import first_core, first_layer
from hwgen.ladder.netlist_check import run_netlist
from hwgen.prepare import Prepared
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.simulators.netlist_simulator import MAX_LANES
from platforms.boards.board import Board

REFEREE_SAMPLES = 64
"""Samples compared with the exact meaning of the model in a build; its tests compare all."""

RANDOM_FRAMES = 64


@dataclass(frozen=True)
class Rung:
    """One comparison.

    Parameters
    ----------
    rung, against : str
    samples : int
    mismatches : int
        Elements that differ.
    """

    rung: str
    against: str
    samples: int
    mismatches: int

    def record(self) -> dict[str, str | int]:
        return {
            "rung": self.rung,
            "against": self.against,
            "samples": self.samples,
            "mismatches": self.mismatches,
        }


def random_frames(
    prepared: Prepared, simulator: GraphSimulator
) -> tuple[list[Rung], simulation.Result]:
    """Compiled RTL against the dataflow graph on random integers, where no samples are given."""
    n = random_integers(prepared)
    wanted = simulation.interpret(prepared, n)
    rtl = simulation.run_integers(prepared, n, simulator)
    _check_rtl(prepared, n, rtl, wanted)
    return [Rung("compiled accelerator", "dataflow graph, random frames", len(n), 0)], rtl


def random_integers(prepared: Prepared) -> np.ndarray:
    """Seeded integers of the accelerator's whole input range, corners first, (frames, *shape)."""
    (kind,) = prepared.folded.inputs.values()
    rng = np.random.default_rng(0)
    n = rng.integers(kind.dtype.lo, kind.dtype.hi + 1, (RANDOM_FRAMES, *kind.shape))
    n[0], n[1] = kind.dtype.lo, kind.dtype.hi
    return n


def climb_down(
    prepared: Prepared, x: np.ndarray, simulator: GraphSimulator
) -> tuple[list[Rung], simulation.Result]:
    """Model to referee to integer graph to dataflow graph to compiled RTL on samples `x`.

    Returns
    -------
    rungs : list of Rung
    result : Result
        Of the compiled RTL.

    Raises
    ------
    CheckError
        Two rungs differ.
    """
    loaded = prepared.loaded
    n = simulation.to_integers(loaded, x)
    some = x[:REFEREE_SAMPLES]
    integer = simulation.run_integer(loaded, x)
    wanted, found = simulation.run_referee(loaded, some), integer.output[: len(some)]
    if (bad := _different(found, wanted)).size:
        _differ(
            "integer graph against the exact meaning of the model",
            found,
            wanted,
            first_layer(loaded, some[bad], n[bad]),
        )
    folded = simulation.run_graph(prepared, x)
    simulation.expect_equal(
        folded.output_int, integer.output_int, "dataflow graph against integer graph"
    )
    rtl = simulation.run_rtl(prepared, x, simulator)
    _check_rtl(prepared, n, rtl, folded.output_int)
    rungs = [
        Rung("integer graph", "exact meaning of the model", len(some), 0),
        Rung("dataflow graph", "integer graph", len(x), 0),
        Rung("compiled accelerator", "dataflow graph", len(x), 0),
    ]
    return rungs, rtl


def _check_rtl(
    prepared: Prepared, n: np.ndarray, rtl: simulation.Result, wanted: np.ndarray
) -> None:
    if (bad := _different(rtl.output_int, wanted)).size:
        reason = first_core(prepared.folded, n[bad[:4]])
        _differ("compiled accelerator against dataflow graph", rtl.output_int, wanted, reason)


def _different(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Samples in which two outputs differ."""
    return np.flatnonzero((found != wanted).reshape(len(wanted), -1).any(1))


def _differ(what: str, found: np.ndarray, wanted: np.ndarray, reason: str) -> None:
    try:
        simulation.expect_equal(found, wanted, what)
    except CheckError as error:
        raise CheckError(f"{error}; {reason}") from error


def through_netlist(
    prepared: Prepared,
    manifest: Manifest,
    board: Board,
    netlist: Path,
    n: np.ndarray,
    *,
    cache: Path,
) -> Rung:
    """The synthesised netlist of the board design against the dataflow graph.

    Raises
    ------
    CheckError
        They differ.
    """
    y, _ = run_netlist(
        netlist,
        manifest,
        board,
        n[:MAX_LANES],
        cache=cache,
        weights=prepared.folded.weight_image,
    )
    simulation.expect_equal(
        y, simulation.interpret(prepared, n[:MAX_LANES]), "netlist against dataflow graph"
    )
    return Rung("netlist, serial line included", "dataflow graph", len(y), 0)

"""Runs passes one after the other and checks what each of them promises."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from hwgen.errors import CheckError
from hwgen.graph.interpret import trace_dataflow, trace_integer
from hwgen.graph.ir import Graph, Value
from hwgen.graph.stages import stage
from hwgen.graph.text import save
from hwgen.graph.verify import verify

Pass = Callable[[Graph], Graph]

RANDOM_FRAMES = 16


def run_passes(
    graph: Graph,
    passes: Iterable[Pass],
    *,
    check: str = "verify",
    dump: Path | None = None,
    seed: int = 0,
) -> Graph:
    """The graph after all passes, verified after each.

    Parameters
    ----------
    check : str
        ``"verify"``: the rules of the stage alone; ``"numerics"``: also interprets before and
        after each pass on corner and random inputs.
    dump : Path, optional
        Folder for the text form after each pass.
    seed : int
        Of the random inputs.

    Raises
    ------
    CheckError
        A pass leaves a graph that breaks a rule, or changes what it computes; names the pass and
        the first node that differs.
    """
    if check not in ("verify", "numerics"):
        raise ValueError(f"check must be 'verify' or 'numerics', not {check!r}")
    verify(graph)
    for number, each in enumerate(passes):
        after = each(graph)
        try:
            verify(after)
            if check == "numerics":
                compare(graph, after, probe_inputs(graph, seed))
        except CheckError as error:
            raise CheckError(f"pass {each.__name__}: {error}") from error
        if dump is not None:
            save(after, dump / f"{number:02}_{each.__name__}")
        graph = after
    return graph


def probe_inputs(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """All lowest, all highest, alternating both ways, and random inputs of an integer or dataflow
    graph."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, kind in graph.inputs.items():
        per_channel = stage(graph) == "integer"
        lo = kind.lo if per_channel else np.array(kind.dtype.lo)
        hi = kind.hi if per_channel else np.array(kind.dtype.hi)
        lo, hi = (np.broadcast_to(end, kind.shape) for end in (lo, hi))
        odd = np.arange(lo.size).reshape(lo.shape) % 2 == 1
        corners = [lo, hi, np.where(odd, lo, hi), np.where(odd, hi, lo)]
        inputs[name] = np.stack(
            [*corners, *rng.integers(lo, hi + 1, (RANDOM_FRAMES, *lo.shape))]
        ).astype(np.int64)
    return inputs


def compare(before: Graph, after: Graph, inputs: Mapping[str, np.ndarray]) -> None:
    """Checks that two graphs of integers compute the same.

    Raises
    ------
    CheckError
        Names the first node of the same name with another result, else the first output.
    """
    values, others = _trace(before, inputs), _trace(after, inputs)
    for value, found in others.items():
        if value in values and not np.array_equal(values[value], found):
            raise CheckError(_difference(f"node {value}", values[value], found))
    if list(before.outputs) != list(after.outputs):
        raise CheckError(f"outputs must stay {list(before.outputs)}, not {list(after.outputs)}")
    for name, value in before.outputs.items():
        wanted, found = values[value], others[after.outputs[name]]
        if not np.array_equal(wanted, found):
            raise CheckError(_difference(f"output {name}", wanted, found))


def _trace(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[Value, np.ndarray]:
    return (trace_integer if stage(graph) == "integer" else trace_dataflow)(graph, inputs)


def _difference(where: str, wanted: np.ndarray, found: np.ndarray) -> str:
    if wanted.shape != found.shape:
        return f"{where}: shape must stay {wanted.shape}, not {found.shape}"
    at = tuple(int(i[0]) for i in np.nonzero(wanted != found))
    return f"{where}: element {at} must stay {wanted[at]}, not {found[at]}"

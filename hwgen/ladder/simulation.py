"""The rungs of the ladder below the model: the same inputs through graph, cores, compiled RTL."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cores.sim import run
from hwgen.errors import CheckError, InputError
from hwgen.graph.interpret import interpret_dataflow, interpret_integer, trace_dataflow
from hwgen.host import edges
from hwgen.prepare import Loaded, Prepared
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.tensor.referee import evaluate

WARM_UP = 4
"""Frames after which the interval between frames is that of the steady state."""

PATIENCE = 10_000
"""Cycles beyond twice the latency after which an accelerator that gives nothing counts as stuck."""

CORE_STALL = 0.3
"""Probability of a pause on either side while a core is simulated alone."""


@dataclass(frozen=True, eq=False)
class Result:
    """What one rung returned.

    Parameters
    ----------
    output : array, (N, ...)
        What the model would return.
    output_int : int64 array, (N, ...)
        What the accelerator returns.
    interval, latency : int or None
        Cycles between frames in the steady state, and from the first input beat of a frame that
        enters an idle accelerator to its last output beat; None at rungs without cycles.
    high_water : dict of str to int or None
        Most beats that each buffer held, with frames in a row; None at rungs without buffers.
    """

    output: np.ndarray
    output_int: np.ndarray
    interval: int | None = None
    latency: int | None = None
    high_water: dict[str, int] | None = None


def to_integers(loaded: Loaded, x: np.ndarray) -> np.ndarray:
    """Samples (N, shape without batch) as the integers that enter the accelerator.

    Raises
    ------
    InputError
        The shape is not the model's.
    """
    name, kind = next(iter(loaded.model.graph.inputs.items()))
    wanted = kind.shape[1:]
    if x.shape[1:] != wanted:
        raise InputError(
            f"input {name} must have shape (N, {', '.join(map(str, wanted))}), not {x.shape}"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise InputError(f"input {name} must be finite; it holds NaN or infinity")
    return edges.apply(loaded.analysis.input_edges[name], x)


def from_integers(loaded: Loaded, y: np.ndarray) -> np.ndarray:
    """Integers of the accelerator as what the model would return."""
    name = next(iter(loaded.model.graph.outputs))
    return edges.apply(loaded.analysis.output_edges[name], y)


def run_referee(loaded: Loaded, x: np.ndarray) -> np.ndarray:
    """The meaning of the model in real numbers, rounded to float32 where it is not an index."""
    name = next(iter(loaded.model.graph.inputs))
    (output,) = evaluate(loaded.meaning, {name: x}).values()
    return output if output.dtype.kind == "i" else output.astype(np.float32)


def run_integer(loaded: Loaded, x: np.ndarray) -> Result:
    """The integer graph."""
    assert loaded.analysis.graph is not None
    (name,) = loaded.analysis.graph.inputs
    (y,) = interpret_integer(loaded.analysis.graph, {name: to_integers(loaded, x)}).values()
    return Result(from_integers(loaded, y), y)


def run_graph(prepared: Prepared, x: np.ndarray) -> Result:
    """The folded dataflow graph, every op by its `compute`."""
    y = interpret(prepared, to_integers(prepared.loaded, x))
    return Result(from_integers(prepared.loaded, y), y)


def interpret(prepared: Prepared, n: np.ndarray) -> np.ndarray:
    """Integers through the folded dataflow graph."""
    (name,) = prepared.folded.inputs
    (y,) = interpret_dataflow(prepared.folded, {name: n}).values()
    return y


def run_cores(prepared: Prepared, x: np.ndarray) -> Result:
    """Every core alone in Amaranth's simulator, with stalls, on what the graph gives it.

    Raises
    ------
    CheckError
        A core differs from its op; names the first node that does.
    """
    (name,) = prepared.folded.inputs
    values = trace_dataflow(prepared.folded, {name: to_integers(prepared.loaded, x)})
    for node in prepared.folded:
        tensors = [
            values[value].reshape(-1, *kind.shape)
            for value, kind in zip(node.inputs, node.op.inputs.values(), strict=True)
        ]
        outputs = run(node.op, tensors, stall=CORE_STALL).outputs
        for port, y in outputs.items():
            expect_equal(y, values[node[port]], f"{node.name}, core against its op")
    (output,) = prepared.folded.outputs.values()
    return Result(from_integers(prepared.loaded, values[output]), values[output])


def compiled(prepared: Prepared, *, cache: Path) -> GraphSimulator:
    """The accelerator in its portable form, every core compiled."""
    return GraphSimulator(prepared.folded, cache=cache)


def run_rtl(prepared: Prepared, x: np.ndarray, simulator: GraphSimulator) -> Result:
    """The whole accelerator, compiled, on samples (N, shape without batch)."""
    return run_integers(prepared, to_integers(prepared.loaded, x), simulator)


def run_integers(prepared: Prepared, n: np.ndarray, simulator: GraphSimulator) -> Result:
    """The whole accelerator, compiled, on integers (N, *shape).

    Raises
    ------
    CheckError
        It stops, or frames do not leave at a constant interval.
    """
    ends = prepared.folded.end_types
    patience = PATIENCE + 2 * prepared.timing.last_out
    _, alone = simulator.run_tensor(n[:1], *ends, patience=patience)
    y, run = simulator.run_tensor(n, *ends, patience=patience)
    interval = None
    if len(n) > WARM_UP:
        gaps = np.diff(run.out_cycles.reshape(len(n), -1)[:, -1])[WARM_UP - 1 :]
        if gaps.min() != gaps.max():
            raise CheckError(
                f"frames must leave at a constant interval, not {gaps.min()} to {gaps.max()} cycles"
            )
        interval = int(gaps[0])
    latency = int(alone.out_cycles[-1] - alone.in_cycles[0])
    output = from_integers(prepared.loaded, y)
    return Result(output, y, interval, latency, simulator.highest())


def expect_equal(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    """Compares integers.

    Raises
    ------
    CheckError
        They differ; gives the first index, both values and the count.
    """
    if found.shape != wanted.shape:
        raise CheckError(f"{what}: shape {found.shape} must be {wanted.shape}")
    different = np.argwhere(found != wanted)
    if len(different):
        at = tuple(int(k) for k in different[0])
        raise CheckError(
            f"{what}: {len(different)} of {wanted.size} elements differ; first at {at}: "
            f"{found[at]} must be {wanted[at]}"
        )

"""Which layer differs first, once two rungs of the ladder do."""

import numpy as np

from cores.sim import StreamError, run
from hwgen.graph.interpret import trace_dataflow, trace_integer
from hwgen.graph.ir import Graph
from hwgen.prepare import Loaded
from hwgen.tensor.referee import trace


def first_layer(loaded: Loaded, x: np.ndarray, n: np.ndarray) -> str:
    """The first quantiser whose integers differ between the model's meaning and the integer graph.

    Parameters
    ----------
    x : array, (N, shape without batch)
        Samples on which the two differ.
    n : int64 array, (N, *shape)
        The same as integers of the accelerator.
    """
    graph = loaded.analysis.graph
    assert graph is not None
    (name,) = graph.inputs
    (source,) = loaded.meaning.inputs
    exact, integers = trace(loaded.meaning, {source: x}), trace_integer(graph, {name: n})
    for node in graph:
        if node.name in loaded.meaning.by_name:
            wanted, found = exact.integers(node.out), integers[node.out]
            if wanted is not None and (wanted.reshape(-1) != found.reshape(-1)).any():
                return f"the first layer that differs is {node.name}"
    return "every quantiser before the output agrees"


def first_core(folded: Graph, n: np.ndarray) -> str:
    """The first core that differs from its op in Amaranth's simulator.

    Parameters
    ----------
    n : int64 array, (N, *shape)
        Frames on which the accelerator differs from its graph.
    """
    (name,) = folded.inputs
    values = trace_dataflow(folded, {name: n})
    for node in folded:
        try:
            outputs = run(node.op, [values[value] for value in node.inputs]).outputs
        except StreamError as error:
            return f"the first core that fails alone is {node.name}: {error}"
        if any((y != values[node[port]]).any() for port, y in outputs.items()):
            return f"the first core that differs from its op is {node.name}"
    return "every core alone agrees with its op: the wiring or a buffer is at fault"

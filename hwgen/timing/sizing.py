"""Buffers of a design: found by schedule and simulation, and kept for the next run."""

from pathlib import Path

from cores.facets import Buffering
from hwgen.errors import CheckError, ToolError
from hwgen.graph.ir import Graph
from hwgen.store import Store, graph_parts
from hwgen.timing.adapters import Input, insert_buffers, with_buffers
from hwgen.timing.shrink_buffers import shrink_buffers
from platforms.device import Device


def size_buffers(
    graph: Graph, device: Device, *, cache: Path | None, store: Store
) -> tuple[Graph, str]:
    """A graph whose edges agree on their beats, with buffers, and why these are not the smallest.

    Parameters
    ----------
    cache : Path, optional
        Folder for the compiled simulator of beats. Without one, or without a C++ compiler, buffers
        keep the capacity that the schedule shows to be enough.
    """
    parts = graph_parts(graph)
    if cache is None or parts is None:
        return _sized(graph, device, cache)
    key = store.key("buffers", device, *parts)
    if (known := store.get(key)) is not None:
        return with_buffers(graph, {(name, at): beats for name, at, beats in known}, device), ""
    found, unshrunk = _sized(graph, device, cache)
    if not unshrunk:
        store.put(key, [[*at, beats] for at, beats in _capacities(graph, found).items()])
    return found, unshrunk


def _sized(graph: Graph, device: Device, cache: Path | None) -> tuple[Graph, str]:
    graph = insert_buffers(graph, device)
    if cache is None:
        return graph, "beats were not simulated"
    try:
        return shrink_buffers(graph, device, cache=cache), ""
    except (ToolError, CheckError) as error:  # no compiler, or more ports than are simulated
        return graph, str(error)


def _capacities(graph: Graph, buffered: Graph) -> dict[Input, int]:
    """Beats of the buffers in front of the inputs of a graph's nodes."""
    found = {}
    for node in buffered:
        for index, value in enumerate(node.inputs):
            maker = buffered.producer(value)
            if node.name in graph.by_name and maker and maker.name not in graph.by_name:
                assert isinstance(maker.op, Buffering)
                found[node.name, index] = maker.op.capacity
    return found

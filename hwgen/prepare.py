"""From a model file to a folded dataflow graph with buffers: everything before any tool runs."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path

from cores.cost import Count, Resources, price
from cores.facets import Weighted, cost_of
from cores.fields.pruning import Pruned
from cores.link.link import link_cost
from cores.link.staging import link_stream
from cores.op import Op
from hwgen import registry
from hwgen.design import LINKS, Goal
from hwgen.errors import FitError, FoldingError, InputError, ModelError
from hwgen.folding.file import fold_from_file, folding_text
from hwgen.folding.search import fold_for_rate, fold_to_fit
from hwgen.frontend.reader import Model, read
from hwgen.graph.ir import Graph
from hwgen.passes.continue_lines import continue_lines
from hwgen.passes.lower import lower
from hwgen.passes.run import run_passes
from hwgen.passes.sequence import lower_to_sequence
from hwgen.store import Store, graph_parts, ours, recall
from hwgen.tensor.input_type import InputType, parse_input_type
from hwgen.tensor.walk import Analysis, analyse, insert_input_quantiser
from hwgen.timing.adapters import insert_forks, insert_width_converters
from hwgen.timing.schedule import Schedule, schedule
from hwgen.timing.sizing import size_buffers
from platforms.device import Device

FOLDING_ROUNDS = 3
"""Times that a folding is chosen again when its converters and buffers do not fit beside it."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that can be mapped.

    Parameters
    ----------
    model : Model
        As read.
    meaning : Graph
        The tensor graph that everything is compared with: the model's own, with the declared input
        type's quantiser where one was given.
    analysis : Analysis
    dataflow : Graph
        One op per core, not folded.
    """

    model: Model
    meaning: Graph
    analysis: Analysis
    dataflow: Graph


@dataclass(frozen=True, eq=False)
class Prepared:
    """A loaded model folded for a device, with width converters and buffers.

    Parameters
    ----------
    link : Resources
        Estimate of what the design takes besides the cores: the host link.
    link_kind : str
        One of `hwgen.design.LINKS`.
    unshrunk : str
        Why buffers are as deep as the schedule shows to be enough; empty if they are the smallest.
    store : Store
        Keeps what is found about it.
    """

    loaded: Loaded
    device: Device
    clock_mhz: float
    folded: Graph
    timing: Schedule
    link: Resources
    link_kind: str = LINKS[0]
    unshrunk: str = ""
    store: Store = field(default_factory=Store)

    @property
    def folding(self) -> str:
        """The folding of the model's own nodes, as a file that `Goal.folding` can name."""
        own = self.loaded.dataflow.by_name
        nodes = tuple(node for node in self.folded if node.name in own)
        return folding_text(nodes)

    @property
    def resources(self) -> Resources:
        """Estimated resources of the whole design."""
        total = self.link
        for node in self.folded:
            total = total + price(cost_of(node.op, self.device), self.device)
        return total

    @cached_property
    def pruned(self) -> dict[str, Pruned]:
        """What zeros spare in the nodes that have weights."""
        found = {}
        for node in self.folded:
            if isinstance(node.op, Weighted):
                found[node.name] = self._pruned(node.op)
        self.store.write()
        return found

    def _pruned(self, op: Weighted) -> Pruned:
        if not isinstance(op, Op) or not ours(op):
            return op.pruned(self.device)
        key = self.store.key("pruned", self.device, op.key)
        if (known := self.store.get(key)) is not None:
            weights, zeros, spared = known
            return Pruned(weights, zeros, Resources(*spared))
        found = op.pruned(self.device)
        self.store.put(key, [found.weights, found.zeros, [*astuple(found.spared)]])
        return found


def input_types(model: Model, text: str | None) -> dict[str, InputType]:
    """The declared types of float inputs: ``u8`` for a single input, or ``name=u8`` per input.

    Raises
    ------
    InputError
        Not a type, or a name that is no input of the model.
    """
    types: dict[str, InputType] = {}
    for part in text.split(",") if text else ():
        name, separator, kind = part.rpartition("=")
        if not separator:
            if len(model.graph.inputs) != 1:
                raise InputError(
                    f"--input-type must name one of the inputs {', '.join(model.graph.inputs)}, "
                    f"as in {next(iter(model.graph.inputs))}={part}"
                )
            name = next(iter(model.graph.inputs))
        if name not in model.graph.inputs:
            raise InputError(
                f"--input-type: {name!r} must be one of the inputs {', '.join(model.graph.inputs)}"
            )
        types[name] = parse_input_type(kind)
    return types


def load(
    path: Path,
    input_type: str | None = None,
    *,
    name: str | None = None,
    sequential: bool = False,
    plugins: Sequence[str] = (),
) -> Loaded:
    """Reads, analyses and lowers a model, called `name` from here on (default: as its file).

    Parameters
    ----------
    sequential : bool
        Into one operator that runs the layers one after the other, instead of one per layer.
    plugins : sequence of str
        Modules with further operators, besides those of installed packages; see `registry.find`.

    Raises
    ------
    InputError
        A plugin cannot be used.
    ModelError
        The file cannot be read or the model cannot be mapped; lists all problems.
    """
    model = read(path, registry.find(plugins).reader_of)
    if name is not None:
        model = replace(model, name=name)
    meaning = model.graph
    types = input_types(model, input_type)
    for name, kind in types.items():
        meaning = insert_input_quantiser(meaning, name, kind)
    analysis = analyse(meaning)
    problems = [*model.problems, *analysis.problems]
    if problems or analysis.graph is None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ModelError(f"{model.name} cannot be mapped:\n{lines}")
    passes = (lower_to_sequence,) if sequential else (continue_lines, lower)
    return Loaded(model, meaning, analysis, run_passes(analysis.graph, passes))


def prepare(
    loaded: Loaded,
    device: Device,
    *,
    clock_mhz: float,
    goal: Goal,
    link: str = LINKS[0],
    cache: Path | None = None,
) -> Prepared:
    """Folds for the goal and inserts adapters and buffers.

    Parameters
    ----------
    link : str
        One of `hwgen.design.LINKS`.
    cache : Path, optional
        Folder for the compiled simulator of beats, and for what is found: prices, foldings,
        buffers. Without one, or without a C++ compiler, buffers keep the capacity that the
        schedule shows to be enough.

    Raises
    ------
    FoldingError, FitError
    """
    store = Store(cache)
    try:
        return _prepared(loaded, device, clock_mhz, goal, link, cache, store)
    finally:
        store.write()


def _prepared(
    loaded: Loaded,
    device: Device,
    clock_mhz: float,
    goal: Goal,
    link: str,
    cache: Path | None,
    store: Store,
) -> Prepared:
    graph, taken = loaded.dataflow, _link_resources(loaded.dataflow, device, link)
    overhead, rounds = taken, FOLDING_ROUNDS
    while True:
        rounds -= 1
        folded = _folded(graph, device, clock_mhz, goal, overhead, store)
        folded, unshrunk = adapt(folded, device, cache, store)
        timing = schedule(folded)
        prepared = Prepared(loaded, device, clock_mhz, folded, timing, taken, link, unshrunk, store)
        excess = prepared.resources.excess(device)
        if not excess:
            return prepared
        if not rounds:
            parts = ", ".join(f"{used} {name} of {have}" for name, (used, have) in excess.items())
            raise FitError(
                f"{loaded.model.name} does not fit {device.name} at this folding: {parts}; "
                f"use a larger device, or fold more"
            )
        # Converters and buffers are known only now: fold again with room for them.
        adapters = (node.op for node in folded if node.name not in graph.by_name)
        overhead = reduce(add, (price(cost_of(op, device), device) for op in adapters), taken)


def adapt(
    graph: Graph, device: Device, cache: Path | None, store: Store | None = None
) -> tuple[Graph, str]:
    """A folded graph with forks, converters and buffers, and why these are not the smallest."""
    graph = run_passes(graph, (insert_forks, insert_width_converters))
    return size_buffers(graph, device, cache=cache, store=Store(cache) if store is None else store)


def _folded(
    graph: Graph,
    device: Device,
    clock_mhz: float,
    goal: Goal,
    overhead: Resources,
    store: Store,
) -> Graph:
    if goal.folding is not None:
        try:
            text = goal.folding.read_text()
        except OSError as error:
            raise FoldingError(f"{goal.folding}: cannot be read: {error.strerror}") from error
        folded = fold_from_file(graph, text, source=str(goal.folding))
    else:
        folded = _chosen(graph, device, clock_mhz, goal.fps, overhead, store)
    for node in folded:
        recall(node.op, store)
    return folded


def _chosen(
    graph: Graph,
    device: Device,
    clock_mhz: float,
    fps: float | None,
    overhead: Resources,
    store: Store,
) -> Graph:
    """The cheapest folding for a rate, or the fastest that fits; as found before, if it was."""
    parts = graph_parts(graph)
    key = store.key("folding", device, clock_mhz, fps, overhead, *(parts or ()))
    if parts is not None and (known := store.get(key)) is not None:
        return fold_from_file(graph, known, source="results kept")
    if fps is None:
        folded = fold_to_fit(graph, device, overhead=overhead, store=store)
    else:
        folded = fold_for_rate(
            graph, device, clock_mhz=clock_mhz, fps=fps, overhead=overhead, store=store
        )
    text = folding_text(folded.nodes)
    if parts is not None and _keys(fold_from_file(graph, text, source="")) == _keys(folded):
        store.put(key, text)
    return folded


def _keys(graph: Graph) -> list[str]:
    return [node.op.key for node in graph]


def _link_resources(graph: Graph, device: Device, link: str) -> Resources:
    if link == "none":
        return price(Count(), device)
    entry, exit_ = graph.end_types
    count = link_cost(link_stream(entry), link_stream(exit_), device, full=link == "uart")
    return price(count, device)

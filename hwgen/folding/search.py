"""Chooses how far every op is folded: cheapest for a rate, or fastest for a device.

For a given interval the choice is separable: each op takes its cheapest folding of at most that
many cycles. Resources of different kinds are made comparable by prices. If a kind is used beyond
half of the device, prices follow the shares for a number of rounds, and the choice whose fullest
kind is used least is taken. `--fit` bisects over the intervals that foldings offer.

An op that emits another order than the dense one follows its consumer, and is chosen with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import astuple, dataclass, fields, replace
from functools import reduce
from operator import add
from typing import Any

from cores import pixel_converter
from cores.cost import Resources, price
from cores.facets import RoughlyCosted, Sharing, Sparse, cost_of
from cores.op import Op
from cores.types import StreamType
from hwgen.errors import FitError, FoldingError
from hwgen.folding.followers import followers, following
from hwgen.graph.ir import Graph, Node
from hwgen.store import Store, ours, recall
from platforms.device import Device

HEADROOM = 0.85
"""Share of a device's logic that `--fit` fills by estimate: placement and timing suffer beyond
it."""

FASTER = 8
"""Foldings that are this many times faster than others that will do are not looked at;
products that cost nothing do not count."""

HOPELESS = 1.3
"""Share of a device from which on rough prices are exact enough: they are off by a tenth."""

ROOMY = 0.5
"""Share of a device up to which the plain price decides."""

PRICE_ROUNDS = 40
DEARER = 0.2
"""How strongly the price of a resource follows its share; found by trying: higher powers swing."""


@dataclass(frozen=True)
class Candidate:
    """One legal folding of an op, the one of that number, and of what follows it, with what they
    take; about that, if `rough`."""

    ops: Mapping[str, Op]
    number: int
    cycles: int
    resources: Resources
    rough: bool = False


PriceTable = dict[tuple[int, bool], Resources]
"""What foldings take, by their number, and whether that is rough."""


class Choices:
    """All foldings of the ops of a graph on a device, priced once and when asked for.

    Where a price takes a search, a rough one decides which foldings are priced.

    Parameters
    ----------
    graph : Graph
        Dataflow graph.
    device : Device
    overhead : Resources
        What the rest of the design takes (link, clocking, buffers).
    store : Store, optional
        Keeps prices for other runs.
    """

    def __init__(
        self, graph: Graph, device: Device, overhead: Resources, store: Store | None = None
    ):
        self.graph = graph
        self.device = device
        self.overhead = overhead
        self._store = Store() if store is None else store
        users = followers(graph)
        self._fed: dict[str, list[tuple[str, str]]] = {}
        for name, (user, port) in users.items():
            self._fed.setdefault(user, []).append((name, port))
        self._options: dict[str, list[tuple[int, Op]]] = {
            node.name: [(op.cycles, op) for op in _foldings(node, device)]
            for node in graph
            if node.name not in users
        }
        self._tables: dict[str, PriceTable] = {}
        self._table_of: dict[str, PriceTable] = {}
        self._exact: set[tuple[str, int]] = set()

    def least_cycles(self) -> dict[str, int]:
        """Of each op, with what follows it, at its fastest folding."""
        found = {}
        for name, options in self._options.items():
            least = min(cycles for cycles, _ in options)
            fastest = [op for cycles, op in options if cycles == least]
            found[name] = min(_cycles(op, self._with_followers(name, op)) for op in fastest)
        return found

    def _legal(self, name: str, interval: int) -> list[Candidate]:
        """Foldings of at most that many cycles; those much faster than asked for, which take more
        of everything, only where there is no other."""
        options = self._options[name]
        most = max((cycles for cycles, _ in options if cycles <= interval), default=0)
        near, far = [], []
        for number, (cycles, op) in enumerate(options):
            if cycles <= interval:
                (near if cycles * FASTER > most * _density(op) else far).append(number)
        for numbers in (near, far):
            found = (self._candidate(name, number) for number in numbers)
            if legal := [c for c in found if c.cycles <= interval]:
                return legal
        return []

    def _candidate(self, name: str, number: int) -> Candidate:
        """A folding, by its number among the options, with the ops that follow it; priced once,
        for all layers that are equal."""
        _, op = self._options[name][number]
        ops = self._with_followers(name, op)
        table, exact = self._table(name), (name, number) in self._exact
        # An exact price that another layer or another run asked for must not change this choice.
        rough = not exact and (number, True) in table
        if (number, rough) not in table:
            resources, rough = self._price(op, ops, exact=exact)
            table[number, rough] = resources
        return Candidate(ops, number, _cycles(op, ops), table[number, rough], rough)

    def _table(self, name: str) -> PriceTable:
        """Known prices of the foldings of a node."""
        if name not in self._table_of:
            parts = [name, *(producer for producer, _ in self._fed.get(name, ()))]
            ops = [self.graph.by_name[part].op for part in parts]
            known = all(map(ours, ops))
            key = self._store.key("prices", self.device, *(op.key for op in ops)) if known else name
            if key not in self._tables:
                rows = self._store.get(key) or []
                self._tables[key] = {
                    (number, bool(rough)): Resources(*row) for number, rough, *row in rows
                }
            self._table_of[name] = self._tables[key]
        return self._table_of[name]

    def keep(self) -> None:
        """Puts all prices into the store."""
        for key, table in self._tables.items():
            if key not in self.graph.by_name:
                rows = [[number, int(rough), *astuple(r)] for (number, rough), r in table.items()]
                self._store.put(key, rows)

    def _with_followers(self, name: str, op: Op) -> dict[str, Op]:
        ops = {name: op}
        for producer, port in self._fed.get(name, ()):
            ops[producer] = following(self.graph.by_name[producer].op, op.inputs[port])
        return ops

    def _price(self, op: Op, ops: Mapping[str, Op], *, exact: bool) -> tuple[Resources, bool]:
        """What they take, and whether that is rough."""
        # On a copy, which takes along what its price is made of: that of all foldings of a large
        # layer is more than memory holds. What takes a search is kept.
        weighed = op if exact else copy(op)
        _, *others = [*ops.values(), *_between_single_positions(weighed)]
        rough = None
        if isinstance(weighed, RoughlyCosted) and not exact:
            rough = weighed.rough_cost(self.device)
        if rough is None:
            recall(weighed, self._store)
        costs = [cost_of(weighed, self.device) if rough is None else rough]
        costs += [cost_of(each, self.device) for each in others]
        prices = (price(cost, self.device) for cost in costs)
        return reduce(add, prices), rough is not None

    def intervals(self) -> list[int]:
        """Every interval worth trying, shortest first."""
        fastest = max(self.least_cycles().values())
        offered = {cycles for options in self._options.values() for cycles, _ in options}
        return sorted(interval for interval in offered if interval >= fastest)

    def at_most(self, interval: int) -> tuple[dict[str, Candidate], Resources] | None:
        """The cheapest choice with that interval and its total; None if some op cannot reach it.

        Of a design that fills much of the device, the cheapest is the one whose scarcest resource
        is used least. Only of one far beyond the device, prices stay rough.
        """
        legal = {name: _useful(self._legal(name, interval)) for name in self._options}
        while all(legal.values()):
            chosen, total, fullest = self._cheapest(legal)
            rough = [name for name, candidate in chosen.items() if candidate.rough]
            if not rough or fullest > HOPELESS:
                return chosen, total
            for name in rough:
                self._exact.add((name, chosen[name].number))
                legal[name] = _useful(self._legal(name, interval))
        return None

    def _cheapest(
        self, legal: Mapping[str, Sequence[Candidate]]
    ) -> tuple[dict[str, Candidate], Resources, float]:
        """Of each op's candidates one, with their total, and the share that it takes of the
        resource it takes most of."""
        budget = {f.name: max(1.0, b) for f, b in _budget(self.device)}
        weight = {name: 1.0 / available for name, available in budget.items()}
        best: dict[str, Candidate] = {}
        most, least = self.overhead, float("inf")
        for _ in range(PRICE_ROUNDS):
            chosen = {
                name: min(found, key=lambda c: (_weighed(c.resources, weight), c.cycles))
                for name, found in legal.items()
            }
            total = reduce(add, (c.resources for c in chosen.values()), self.overhead)
            shares = {name: getattr(total, name) / budget[name] for name in budget}
            fullest = max(shares.values())
            if fullest < least:
                best, most, least = chosen, total, fullest
            if fullest <= ROOMY:
                break
            for name, share in shares.items():
                weight[name] *= (max(share, 0.1) / fullest) ** DEARER
        return best, most, least


def _foldings(node: Node, device: Device) -> list[Op]:
    try:
        return list(node.op.foldings(device))
    except ValueError as error:
        raise FitError(f"{node.name} does not fit {device.name}: {error}") from error


def fold_for_rate(
    graph: Graph,
    device: Device,
    *,
    clock_mhz: float,
    fps: float,
    overhead: Resources,
    store: Store | None = None,
) -> Graph:
    """The cheapest folding that delivers `fps` frames per second at `clock_mhz`.

    Raises
    ------
    FoldingError
        No folding is fast enough, or none that is fits the device; says by how much and which node
        binds.
    """
    choices = Choices(graph, device, overhead, store)
    interval = int(clock_mhz * 1e6 / fps)
    picked = choices.at_most(interval) if interval else None
    choices.keep()
    if picked is None:
        name, cycles = max(choices.least_cycles().items(), key=lambda pair: pair[1])
        raise FoldingError(
            f"{fps:g} frames/s at {clock_mhz:g} MHz leave {interval} cycles per frame; {name} "
            f"needs at least {cycles} ({clock_mhz * 1e6 / cycles:.0f} frames/s): ask for less, "
            f"or raise the clock"
        )
    chosen, total = picked
    if excess := _excess(total, device):
        raise FoldingError(
            f"{fps:g} frames/s at {clock_mhz:g} MHz do not fit {device.name}: {excess}; "
            f"the largest is {_largest(chosen, total, device)}: ask for fewer frames/s, "
            f"or use --fit"
        )
    return _apply(graph, chosen)


def fold_to_fit(
    graph: Graph, device: Device, *, overhead: Resources, store: Store | None = None
) -> Graph:
    """The fastest folding whose estimate fits the device.

    Raises
    ------
    FitError
        Even the smallest folding does not fit; says by how much and which node is largest.
    """
    choices = Choices(graph, device, overhead, store)
    intervals = choices.intervals()
    fitting: dict[str, Candidate] | None = None
    low, high = 0, len(intervals)
    while low < high:
        middle = (low + high) // 2
        picked = choices.at_most(intervals[middle])
        if picked and not _excess(picked[1], device):
            fitting, high = picked[0], middle
        else:
            low = middle + 1
    choices.keep()
    if fitting is None:
        picked = choices.at_most(intervals[-1])
        assert picked is not None
        chosen, total = picked
        raise FitError(
            f"the model does not fit {device.name} at any folding: {_excess(total, device)}; "
            f"the largest is {_largest(chosen, total, device)}: use a larger device, "
            f"fewer bits or smaller layers{_shared_units(graph)}"
        )
    return _apply(graph, fitting)


def _of_several_positions(op: Op) -> list[StreamType]:
    """Streams of an op with several positions in a beat."""
    return [kind for kind in (*op.inputs.values(), *op.outputs.values()) if kind.pixels > 1]


def _cycles(op: Op, ops: Mapping[str, Op]) -> int:
    """Of an op and those that go with it. Its neighbours make and take no more than a position
    per cycle."""
    positions = (kind.positions for kind in _of_several_positions(op))
    return max(*(each.cycles for each in ops.values()), *positions, 1)


def _density(op: Op) -> float:
    return op.density if isinstance(op, Sparse) else 1.0


def _between_single_positions(op: Op) -> Iterator[Op]:
    """What an op of several positions per beat needs where its neighbours have one; it is priced
    with the op, whatever they will have."""
    for kind in op.inputs.values():
        if kind.pixels > 1:
            yield pixel_converter.cheapest(replace(kind, pixels=1), kind.pixels)
    for kind in op.outputs.values():
        if kind.pixels > 1:
            yield pixel_converter.cheapest(kind, 1)


def _useful(found: Any) -> list[Candidate]:
    """Candidates that no other one equals or beats in cycles and in every resource."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda c: (c.cycles, c.resources.lut4)):
        if not any(other.resources.within(one.resources) for other in kept):
            kept.append(one)
    return kept


def _budget(device: Device) -> list[tuple[Any, float]]:
    available = Resources.available(device)
    return [
        (f, getattr(available, f.name) * (HEADROOM if f.name in ("lut4", "ff") else 1.0))
        for f in fields(Resources)
    ]


def _weighed(resources: Resources, weight: Mapping[str, float]) -> float:
    return sum(getattr(resources, name) * one for name, one in weight.items())


def _excess(total: Resources, device: Device) -> str:
    parts = []
    for f, budget in _budget(device):
        used = getattr(total, f.name)
        if used > budget:
            parts.append(f"{used} {f.name} of {budget:.0f}")
    return ", ".join(parts)


def _shared_units(graph: Graph) -> str:
    """The way out of a unit per layer, for messages about a graph that has not taken it."""
    if any(isinstance(node.op, Sharing) for node in graph):
        return ""
    return ", or let all layers share one set of units (--sequential)"


def _largest(chosen: Mapping[str, Candidate], total: Resources, device: Device) -> str:
    tightest = max(
        _budget(device), key=lambda pair: getattr(total, pair[0].name) / max(1.0, pair[1])
    )[0].name
    name = max(chosen, key=lambda key: getattr(chosen[key].resources, tightest))
    return f"{name} with {getattr(chosen[name].resources, tightest)} {tightest}"


def _apply(graph: Graph, chosen: Mapping[str, Candidate]) -> Graph:
    ops = {name: op for candidate in chosen.values() for name, op in candidate.ops.items()}
    return graph.map_ops(lambda node: ops[node.name])

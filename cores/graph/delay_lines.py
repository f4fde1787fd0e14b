"""When every sum of a graph is computed: the schedule with the fewest registers found.

A sum computed in stage s uses its operands as they are after stage s - 1; a node that is used later
waits in a delay line, which all its users share.
"""

from collections.abc import Sequence

from cores.graph.sums import SumGraph


def schedule(graph: SumGraph) -> list[int]:
    """Stage after which each node is there; 0 for inputs.

    Outputs are taken after the last stage, the fewest that the graph allows. Nodes are moved one by
    one, from as late as possible, while that saves registers.
    """
    last = depth(graph)
    users = _users(graph)
    widths = [dtype.width for dtype in graph.ranges]
    kept = {output.node for output in graph.outputs}
    nodes = range(graph.inputs, len(widths))
    stages = [0] * graph.inputs + [last] * len(nodes)

    def uses(node: int, *, but: int = -1) -> list[int]:
        """Stages after which the node is used."""
        found = [stages[user] - 1 for user in users[node] if user != but]
        return [*found, last] if node in kept else found

    def best(node: int) -> int:
        """Stage that costs the fewest bits, its own and those of its operands, all else equal."""
        new = graph.sums[node - graph.inputs]
        operands = {new.low, new.high}
        held = {operand: max(uses(operand, but=node), default=0) for operand in operands}

        def bits(stage: int) -> int:
            waits = (widths[operand] * max(held[operand], stage - 1) for operand in operands)
            return sum(waits) - widths[node] * stage

        earliest = 1 + max(stages[operand] for operand in operands)
        found = min(range(earliest, min(uses(node)) + 1), key=bits)
        return found if bits(found) < bits(stages[node]) else stages[node]

    for node in reversed(nodes):
        stages[node] = min(uses(node))
    before: list[int] = []
    while stages != before:
        before = list(stages)
        for node in (*nodes, *reversed(nodes)):
            stages[node] = best(node)
    return stages


def last_uses(graph: SumGraph, stages: Sequence[int]) -> list[int]:
    """Stage after which each node is used last."""
    last = depth(graph)
    ends = list(stages)
    for new, stage in zip(graph.sums, stages[graph.inputs :], strict=True):
        for operand in (new.low, new.high):
            ends[operand] = max(ends[operand], stage - 1)
    for output in graph.outputs:
        if output.node is not None:
            ends[output.node] = last
    return ends


def registers(graph: SumGraph, stages: Sequence[int]) -> int:
    """Flip-flops of the sums and of the delay lines."""
    spans = zip(graph.ranges, stages, last_uses(graph, stages), strict=True)
    waiting = sum(dtype.width * (end - stage) for dtype, stage, end in spans)
    return waiting + sum(dtype.width for dtype in graph.ranges[graph.inputs :])


def merged_registers(graph: SumGraph, stages: Sequence[int]) -> int:
    """Flip-flops that are left when synthesis has merged equal ones."""
    alive: list[set[int]] = [set() for _ in range(depth(graph) + 1)]
    spans = zip(_bits(graph), stages, last_uses(graph, stages), strict=True)
    for bits, stage, end in spans:
        for held in alive[max(1, stage) : end + 1]:
            held.update(bits)
    return sum(map(len, alive))


def _bits(graph: SumGraph) -> list[list[int]]:
    """A number for each bit of each node, the same where bits are: those below the shift of a sum
    are its low operand's."""
    known = 0
    found: list[list[int]] = []
    for node, dtype in enumerate(graph.ranges):
        new = graph.sum_of(node)
        passed = found[new.low][: new.shift] if new is not None and not new.opposite else []
        if new is not None and len(passed) < new.shift:
            passed = []
        found.append([*passed, *range(known, known + dtype.width - len(passed))])
        known += dtype.width
    return found


def depth(graph: SumGraph) -> int:
    """Stages of the longest path to an output."""
    return max((graph.arrivals[o.node] for o in graph.outputs if o.node is not None), default=0)


def _users(graph: SumGraph) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in graph.ranges]
    for node, new in enumerate(graph.sums, graph.inputs):
        for operand in {new.low, new.high}:
            users[operand].append(node)
    return users

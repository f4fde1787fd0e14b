"""What each node of a model becomes, or why it cannot: one line per ONNX node, without any tool."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwgen import registry
from hwgen.frontend.reader import Model, read
from hwgen.prepare import input_types
from hwgen.problem import Problem
from hwgen.tensor.walk import analyse, insert_input_quantiser


@dataclass(frozen=True)
class InspectedNode:
    """One node of the model file.

    Parameters
    ----------
    node : str
        Name in the file, or operator and number where it has none.
    operator : str
    becomes : str
        What hwgen makes of it; empty if it cannot be mapped.
    problems : tuple of Problem
    """

    node: str
    operator: str
    becomes: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Inspection:
    """All lines, and the problems and warnings that belong to no single node."""

    model: Model
    lines: tuple[InspectedNode, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]

    @property
    def mappable(self) -> bool:
        return not self.problems and not any(line.problems for line in self.lines)


def inspect(
    path: Path, input_type: str | None = None, *, plugins: Sequence[str] = ()
) -> Inspection:
    """Reads and analyses a model and collects everything there is to say about it.

    Parameters
    ----------
    plugins : sequence of str
        See `registry.find`.

    Raises
    ------
    ModelError
        The file cannot be read at all.
    InputError
        A plugin cannot be used.
    """
    model = read(path, registry.find(plugins).reader_of)
    graph = model.graph
    for name, kind in input_types(model, input_type).items():
        graph = insert_input_quantiser(graph, name, kind)
    analysis = analyse(graph)
    problems = [*model.problems, *analysis.problems]
    lines = []
    for source in model.sources:
        names = {source.name, *source.nodes}
        mine = tuple(problem for problem in problems if problem.node in names)
        fates = dict.fromkeys(
            analysis.fates[name] for name in source.nodes if name in analysis.fates
        )
        if len(fates) > 1:
            fates.pop("constant", None)
        becomes = "" if mine else ", ".join(fates) or source.note or "not reached"
        lines.append(InspectedNode(source.name, source.op_type, becomes, mine))
        problems = [problem for problem in problems if problem not in mine]
    return Inspection(
        model, tuple(lines), tuple(problems), tuple(str(text) for text in analysis.warnings)
    )

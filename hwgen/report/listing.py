"""Terminal and JSON views of an inspection and of the boards."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from hwgen.verbs.inspection import Inspection


def show_inspection(found: Inspection, console: Console) -> None:
    width = max((len(line.node) for line in found.lines), default=0)
    kinds = max((len(line.operator) for line in found.lines), default=0)
    for line in found.lines:
        head = f"{line.node:{width}}  {line.operator:{kinds}}  "
        for text in [str(problem) for problem in line.problems] or [line.becomes]:
            mark = "[red]no[/]  " if line.problems else "[green]yes[/] "
            console.print(mark + escape(head + text), highlight=False, soft_wrap=True)
    for problem in found.problems:
        console.print("[red]no[/]  " + escape(str(problem)), highlight=False, soft_wrap=True)
    for text in found.warnings:
        console.print("[yellow]warning[/] " + escape(text), highlight=False, soft_wrap=True)


def inspection_record(found: Inspection) -> dict[str, Any]:
    return {
        "model": {"name": found.model.name, "hash": found.model.hash},
        "mappable": found.mappable,
        "nodes": [
            {
                "node": line.node,
                "operator": line.operator,
                "becomes": line.becomes,
                "problems": [str(problem) for problem in line.problems],
            }
            for line in found.lines
        ],
        "problems": [str(problem) for problem in found.problems],
        "warnings": list(found.warnings),
    }


def show_boards(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """One line for each board, then the notes."""
    heads = ("board", "device", "clock in", "clock", "rx", "tx", "link", "programmed by")
    lines: list[tuple[str, ...]] = [heads]
    for row in rows:
        link, program = row["link"], row["program"]
        lines.append(
            (
                row["name"],
                row["device"],
                f"{row['oscillator_mhz']:g} MHz",
                f"{row['clock_mhz']:g} MHz",
                link["rx"],
                link["tx"],
                link["via"],
                f"{program['command']} ({program['memory']})",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        text = "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        console.print(escape(text.rstrip()), highlight=False, soft_wrap=True)
    for row in rows:
        if note := row["program"]["note"]:
            console.print(f"{row['name']}: {note}", highlight=False, soft_wrap=True)

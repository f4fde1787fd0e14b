"""The Markdown view of records: one table between two markers of a text."""

from collections.abc import Mapping, Sequence
from typing import Any

from hwgen.errors import InputError
from hwgen.report.table import FIGURES, RESOURCE_NAMES

BEGIN = "<!-- results: written by `hwgen report --into` -->"
END = "<!-- end of results -->"


def results_table(records: Sequence[Mapping[str, Any]]) -> str:
    """A column per record, a row per figure, each number with its evidence."""
    rows: list[list[str]] = []
    for key, label, form in FIGURES:
        cells = [_figure(record.get(key), form) for record in records]
        if any(cells):
            rows.append([label, *cells])
    for key, label in RESOURCE_NAMES.items():
        cells = [_resource(record["resources"].get(key)) for record in records]
        if any(cells):
            rows.append([label, *cells])
    for label, get in (
        ("compared exactly", _samples),
        ("differing elements", lambda record: str(_mismatches(record))),
        ("tools", _tools),
    ):
        rows.append([label, *(get(record) for record in records)])
    head = ["", *(f"{r['model']['name']} on {r['board']}" for r in records)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replace_results(text: str, table: str, *, source: str) -> str:
    """The text with the table between its markers.

    Raises
    ------
    InputError
        The text lacks the markers.
    """
    if BEGIN not in text or END not in text:
        raise InputError(f"{source}: must contain the lines {BEGIN!r} and {END!r}")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _figure(entry: Mapping[str, Any] | None, form: str) -> str:
    return f"{form.format(entry['value'])} ({entry['evidence']})" if entry else ""


def _resource(item: Mapping[str, Any] | None) -> str:
    if not item or not item["available"]:
        return ""
    used = item["used"]
    return f"{used['value']:,} of {item['available']:,} ({used['evidence']})"


def _samples(record: Mapping[str, Any]) -> str:
    rungs = record.get("bit_exact", [])
    return "; ".join(f"{rung['rung']}: {rung['samples']:,}" for rung in rungs)


def _mismatches(record: Mapping[str, Any]) -> int:
    return sum(rung["mismatches"] for rung in record.get("bit_exact", []))


def _tools(record: Mapping[str, Any]) -> str:
    versions = record.get("tool_versions", {})
    return ", ".join(versions[name] for name in versions if name.startswith(("yosys", "nextpnr")))

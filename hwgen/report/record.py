"""The one record of a build or estimate: a JSON value in which every number says how it was
found."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EVIDENCE = ("estimated", "simulated", "placed", "measured")


def entry(value: Any, evidence: str) -> dict[str, Any]:
    """One figure with its evidence.

    Raises
    ------
    ValueError
        `evidence` is not one of `EVIDENCE`.
    """
    if evidence not in EVIDENCE:
        raise ValueError(f"evidence must be one of {', '.join(EVIDENCE)}, not {evidence!r}")
    return {"value": value, "evidence": evidence}


def use(used: int, available: int, evidence: str) -> dict[str, Any]:
    """One resource: how much of how much."""
    return {"used": entry(used, evidence), "available": available}


def write(record: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())

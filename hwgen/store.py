"""Results that are kept from one run to the next, by the content that they follow from."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import cores
import hwgen
import platforms
from cores.facets import Searching
from cores.fields.key import content_key
from hwgen.graph.ir import Graph

FILE = "results.sqlite3"

PATIENCE = 10.0
"""Seconds for which another process may be writing; after that a result is not kept."""


class Store:
    """Results on disk, for any number of processes at once.

    SQLite, of the standard library, locks the file and never leaves half of a result in it. A file
    that it cannot read is thrown away. Every result is kept under the code that found it: with
    another line in it, everything is found anew.

    Parameters
    ----------
    folder : Path, optional
        Made if it does not exist; without one, results are kept until `write` alone.
    """

    def __init__(self, folder: Path | None = None):
        self._path = None if folder is None else folder / FILE
        self._new: dict[str, str] = {}

    def key(self, kind: str, *parts: object) -> str:
        """Of a result of some kind that follows from what `cores.fields.key.content_key` takes."""
        return content_key((kind, code_key(), *parts))

    def get(self, key: str) -> Any:
        """The result; None if there is none."""
        if key in self._new:
            return json.loads(self._new[key])
        query = "SELECT value FROM results WHERE key = ?"
        found = self._do(lambda connection: connection.execute(query, (key,)).fetchall())
        with suppress(ValueError):  # not JSON: found anew
            return json.loads(found[0][0]) if found else None
        return None

    def put(self, key: str, value: Any) -> None:
        """Keeps a result, anything but None that JSON has; `write` takes it to the file."""
        self._new[key] = json.dumps(value)

    def write(self) -> None:
        """Writes what is new into the file."""
        if self._new:
            rows = [*self._new.items()]
            self._do(
                lambda c: [c.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", rows)]
            )
        self._new.clear()

    def _do(self, action: Callable[[sqlite3.Connection], list[Any]]) -> list[Any]:
        for _ in range(2 if self._path is not None else 0):
            assert self._path is not None
            try:
                with _opened(self._path) as connection, connection:
                    return action(connection)
            except (sqlite3.OperationalError, OSError):
                return []  # locked for too long, a full disk, a folder that cannot be written
            except sqlite3.DatabaseError:  # cut, or not a database
                for name in (FILE, f"{FILE}-journal"):
                    self._path.with_name(name).unlink(missing_ok=True)
        return []


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT)")
        yield connection


@cache
def code_key() -> str:
    """Hash of all source files that results follow from."""
    digest = hashlib.sha256()
    for package in (cores, hwgen, platforms):
        (folder,) = package.__path__
        for path in sorted(Path(folder).rglob("*.[chp]*")):
            if path.suffix in (".py", ".cpp", ".hpp"):
                digest.update(f"{path.relative_to(folder)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def ours(value: object) -> bool:
    """Whether its class is of these packages, so that `code_key` covers it."""
    return type(value).__module__.partition(".")[0] in ("cores", "hwgen")


def graph_parts(graph: Graph) -> tuple[object, ...] | None:
    """All of a dataflow graph, as `Store.key` takes it; None if an op is somebody else's, whose
    code no key covers."""
    if not all(ours(node.op) for node in graph):
        return None
    nodes = [[node.name, node.op.key, [*map(str, node.inputs)]] for node in graph]
    outputs = [[name, str(value)] for name, value in graph.outputs.items()]
    return [[*pair] for pair in graph.inputs.items()], nodes, outputs


def recall(op: object, store: Store) -> None:
    """Spares an op the search for its unit, or keeps what that finds."""
    if not isinstance(op, Searching) or (sought := op.sought) is None:
        return
    key = store.key("search", *sought)
    known = store.get(key)
    if known is not None:
        with suppress(ValueError):
            op.recall(known)
            return
    store.put(key, op.found())

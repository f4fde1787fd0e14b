"""Imports run downwards, from room to room as the table says, and in no circle between modules;
`onnx` is known to the reader only, Amaranth to what makes or simulates hardware."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("platforms", "cores", "hwgen")


class Room(NamedTuple):
    """Modules, and packages with all that no other room names, and the rooms that they import."""

    parts: str
    may_import: str = ""


ROOMS = {
    "devices": Room("platforms.device platforms.pll platforms.programming platforms.rtlil"),
    "families": Room("platforms.ice40 platforms.ecp5 platforms.families", "devices"),
    "tools": Room(
        "platforms.clocks platforms.clock_generator platforms.tools platforms.pnr_report",
        "devices families",
    ),
    "boards": Room("platforms.boards", "devices families tools"),
    "platforms": Room("platforms", "devices families tools boards"),
    "contract": Room(
        "cores.types cores.op cores.timing cores.stalling cores.pipeline cores.cost "
        "cores.choices cores.fields cores.facets",
        "devices",
    ),
    "silicon": Room("cores.silicon", "devices families contract"),
    "parts": Room(
        "cores.sum cores.memory cores.graph cores.dot cores.steps cores.window",
        "devices contract silicon",
    ),
    "engine": Room("cores.engine", "devices contract parts"),
    "protocol": Room("cores.link.packets"),
    "link": Room("cores.link", "devices contract protocol"),
    "cores": Room("cores", "devices contract silicon parts engine"),
    "harness": Room("cores.beats cores.sim cores.conformance", "devices contract"),
    "package": Room("hwgen"),
    "problems": Room("hwgen.errors hwgen.problem hwgen.vectors"),
    "host": Room("hwgen.host", "problems protocol"),
    "ir": Room("hwgen.graph.ir", "contract problems"),
    "numerics": Room("hwgen.numerics", "problems"),
    "integer": Room("hwgen.integer", "contract cores problems"),
    "analysis": Room("hwgen.analysis", "contract problems host ir numerics integer"),
    "tensor": Room("hwgen.tensor", "contract problems host ir numerics analysis"),
    "graph": Room("hwgen.graph", "contract engine cores problems ir integer tensor"),
    "frontend": Room("hwgen.frontend", "problems numerics ir tensor"),
    "registry": Room("hwgen.registry", "contract problems integer tensor graph frontend"),
    "passes": Room("hwgen.passes", "contract parts engine cores problems ir integer graph"),
    "simulators": Room("hwgen.simulators", "devices tools contract cores harness problems ir"),
    "store": Room("hwgen.store", "platforms contract cores package ir"),
    "timing": Room("hwgen.timing", "devices contract cores problems ir simulators store"),
    "builder": Room("hwgen.builder", "devices contract ir"),
    "folding": Room("hwgen.folding", "devices contract cores problems ir store"),
    "options": Room("hwgen.design hwgen.session", "devices tools boards platforms problems"),
    "prepare": Room(
        "hwgen.prepare",
        "devices contract link problems ir tensor frontend registry passes timing folding options "
        "store",
    ),
    "report": Room("hwgen.report", "devices tools contract problems prepare"),
    "ladder": Room(
        "hwgen.ladder",
        "devices tools boards platforms contract protocol link harness problems host ir tensor "
        "graph simulators prepare",
    ),
    "board": Room(
        "hwgen.board",
        "devices tools boards platforms contract link cores problems host simulators builder "
        "options prepare ladder",
    ),
    "explore": Room(
        "hwgen.folding.explore", "devices contract problems folding options prepare report board"
    ),
    "verbs": Room(
        "hwgen.verbs",
        "devices tools boards platforms contract problems tensor frontend registry simulators "
        "options prepare report ladder board",
    ),
    "listing": Room("hwgen.report.listing", "verbs"),
    "commands": Room(
        "hwgen.cli hwgen.command hwgen.__main__",
        "problems host registry options report explore verbs listing",
    ),
}
"""From the lowest on: each may import those that it names, which come before it, and itself."""

MOST_FILES = 30

AMARANTH = (
    *("devices", "families", "tools", "boards", "platforms", "contract", "silicon", "parts"),
    *("engine", "link", "cores", "harness", "simulators", "builder", "board"),
)
"""Rooms that make hardware or simulate it."""


def modules() -> dict[str, Path]:
    """Every module of the three packages by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(module: str) -> Iterator[str]:
    """What a module imports anywhere in it, for type checkers too."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


IMPORTS = {module: {*imports_of(module)} - {module} for module in MODULES}


def room_of(module: str) -> str:
    """The room that names the module, or the package nearest to it."""
    owners = {part: name for name, room in ROOMS.items() for part in room.parts.split()}
    while module not in owners:
        module = module.rpartition(".")[0]
    return owners[module]


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """One way back for each set of modules that reach each other, shortest first."""
    found: dict[frozenset[str], list[str]] = {}
    for start in imports:
        paths = [[start]]
        seen = {start}
        while paths:
            path = paths.pop(0)
            after = sorted(imports[path[-1]] & imports.keys())
            if start in after:
                found.setdefault(frozenset(path), [*path, start])
                break
            paths += [[*path, module] for module in after if module not in seen]
            seen.update(after)
    return sorted(found.values(), key=len)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_what_it_may(name):
    may = {name, *ROOMS[name].may_import.split()}
    wrong = [
        f"{module} imports {other}, of the room {room_of(other)}"
        for module in MODULES
        if room_of(module) == name
        for other in sorted(IMPORTS[module] & MODULES.keys())
        if room_of(other) not in may
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_rooms_have_few_enough_files_to_look_through(package):
    paths = (ROOT / package).rglob("*")
    files = [path for path in paths if path.is_file() and path.suffix != ".pyc"]
    counts = Counter(path.parent for path in files)
    crowded = {str(room.relative_to(ROOT)): n for room, n in counts.items() if n > MOST_FILES}
    assert files and not crowded


def test_the_table_is_an_order_of_rooms_that_exist():
    before: set[str] = set()
    for name, room in ROOMS.items():
        assert {*room.may_import.split()} <= before, name
        assert {*room.parts.split()} <= MODULES.keys(), name
        before.add(name)


def test_no_circle_between_modules():
    assert circles(IMPORTS) == []


def test_the_search_finds_a_circle():
    imports = {"a": {"b"}, "b": {"c", "numpy"}, "c": {"b"}, "d": {"a", "c"}}
    assert circles(imports) == [["b", "c", "b"]]


@pytest.mark.parametrize(
    ("library", "rooms"), [("onnx", ("frontend",)), ("amaranth", AMARANTH), ("pytest", ())]
)
def test_a_library_is_imported_where_it_is_needed(library, rooms):
    for module, others in IMPORTS.items():
        if room_of(module) not in rooms:
            assert library not in {other.partition(".")[0] for other in others}, module


def test_nothing_comes_with_the_numbers_of_the_protocol():
    """The driver installs alone, and uses them."""
    assert IMPORTS["cores"] == IMPORTS["cores.link"] == set()
    assert IMPORTS["cores.link.packets"] == {"enum"}

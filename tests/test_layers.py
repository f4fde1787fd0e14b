"""Rooms import downwards only: hwgen uses cores, cores use platforms; the host driver uses
neither."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "platforms": {"cores", "hwgen", "onnx", "pytest"},
    "cores": {"hwgen", "onnx", "pytest"},
    "hwgen": {"pytest"},
    "hwgen/host": {"cores", "platforms", "amaranth", "onnx"},
    "hwgen/passes": {"amaranth", "onnx"},
}
SOLE_ONNX_USER = "hwgen/frontend"
LEAF = "cores.link.packets"
"""The numbers of the link's protocol: the driver uses them too, as nothing comes with them."""


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, that of `LEAF` left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module not in (None, LEAF):
            assert not node.level, path
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_run_downwards(room):
    for path in sorted((ROOT / room).rglob("*.py")):
        upward = imports(path) & FORBIDDEN[room]
        assert not upward, f"{path.relative_to(ROOT)} imports {sorted(upward)}"


def test_only_the_reader_imports_onnx():
    for path in sorted((ROOT / "hwgen").rglob("*.py")):
        if not path.is_relative_to(ROOT / SOLE_ONNX_USER):
            assert "onnx" not in imports(path), path


def test_nothing_comes_with_the_numbers_of_the_protocol():
    for package in ("cores", "cores/link"):
        assert not imports(ROOT / package / "__init__.py")
    assert imports(ROOT / f"{LEAF.replace('.', '/')}.py") == {"enum"}

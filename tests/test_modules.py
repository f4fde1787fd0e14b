"""Every module has a test that imports it, at the level of its own claim."""

import ast
from pathlib import Path

from tests.test_layers import MODULES

ROOT = Path(__file__).parent.parent

TO_BE_TESTED = {
    "platforms.ecp5": "synthesis tidy",
    "platforms.ice40": "synthesis tidy",
    "cores.dot": "dot_product matvec_arithmetic matvec_examples",
    "cores.engine": "engine examples timing",
    "cores.fields": "arguments",
    "cores.graph": "graph_pipeline row_tree",
    "cores.link": "batches firmware loading machine receiving registers replying running",
    "cores.silicon": "banks chains",
    "cores.silicon.ecp5": "logic multiplier single_port",
    "cores.silicon.ice40": "block_ram carry logic multiplier single_port",
    "cores.steps": (
        "parallel_thresholds requantize search_tree shared_blocks thermometer threshold_search"
    ),
    "cores.window": "window_examples",
    "hwgen.analysis": (
        "edge_plan elementwise entry exits grounded joins known moves pooling product "
        "quantisers windows"
    ),
    "hwgen.folding": "followers",
    "hwgen.frontend": (
        "convolution elementwise linear parts pooling qdq qoperator quantizers resize "
        "structure transposed unsupported"
    ),
    "hwgen.graph": "line",
    "hwgen.host": "batches run",
    "hwgen.integer": "arguments",
    "hwgen.ladder": "blame netlist_check",
    "hwgen.numerics": "quantiser",
    "hwgen.passes": "layer_lines layer_parts",
    "hwgen.report": "listing pareto",
    "hwgen.simulators": "cell cell_code frame_driver gates program",
    "hwgen.simulators.cells": "ecp5 ice40 ice40_mac16",
    "hwgen.verbs": "boards building",
}
"""Modules by their package, seen so far through those that use them; no other may join them."""


def imported(text: str) -> set[str]:
    """Modules that a file imports, and names from them."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_module_is_imported_by_a_test():
    tested = set().union(*(imported(path.read_text()) for path in (ROOT / "tests").rglob("*.py")))
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    known = {f"{room}.{name}" for room, names in TO_BE_TESTED.items() for name in names.split()}
    assert MODULES.keys() - packages - tested - known == set()


def test_imports_of_a_module_and_of_its_names_count():
    text = "import a.b\nfrom c.d import e\n"
    assert imported(text) == {"a.b", "c.d", "c.d.e"}

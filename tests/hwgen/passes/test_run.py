from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import CheckError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.integer.op import IntTensor
from hwgen.integer.products import IntMatMul
from hwgen.integer.steps import IntStep
from hwgen.passes.run import probe_inputs, run_passes


def small() -> Graph:
    kind = IntTensor((2,), np.array([0, -1]), np.array([1, 5]))
    nodes = (
        Node("fc", IntMatMul(np.array([[1, 2]]), np.array([0])), (Value("x", ""),)),
        Node("act", IntStep(np.array([[3]]), np.array([[0, 1]])), (Value("fc"),)),
    )
    return Graph({"x": kind}, nodes, {"y": Value("act")})


def keep(graph: Graph) -> Graph:
    return graph


def double(graph: Graph) -> Graph:
    """Changes what fc computes."""

    def change(node: Node):
        return node.op if node.name != "fc" else IntMatMul(2 * node.op.weights, node.op.offset)

    return graph.map_ops(change)


def rename_and_raise(graph: Graph) -> Graph:
    """Another name and another function: only the output shows it."""
    nodes = (
        replace(graph.nodes[0], name="fc2"),
        replace(graph.nodes[1], name="act2", inputs=(Value("fc2"),), op=raised(graph.nodes[1].op)),
    )
    return replace(graph, nodes=nodes, outputs={"y": Value("act2")})


def raised(step: IntStep) -> IntStep:
    return IntStep(step.starts, step.values + 1)


def break_rule(graph: Graph) -> Graph:
    return graph.map_ops(
        lambda node: node.op if node.name == "fc" else replace(node.op, starts=np.zeros((1, 1)))
    )


def test_probes_hold_both_ends_of_every_channel():
    x = probe_inputs(small(), 0)["x"]
    assert x[:4].tolist() == [[0, -1], [1, 5], [1, -1], [0, 5]]
    assert ((x >= [0, -1]) & (x <= [1, 5])).all()


def test_the_first_node_that_differs_is_named():
    with pytest.raises(
        CheckError, match=r"^pass double: node fc: element \(0, 0\) must stay -2, not -4$"
    ):
        run_passes(small(), [keep, double], check="numerics")


def test_without_names_in_common_the_output_is_compared():
    with pytest.raises(
        CheckError,
        match=r"^pass rename_and_raise: output y: element \(0, 0\) must stay 0, not 1$",
    ):
        run_passes(small(), [rename_and_raise], check="numerics")


def test_rules_are_verified_after_each_pass():
    with pytest.raises(
        CheckError, match=r"^pass break_rule: act: starts must be int64, not float64$"
    ):
        run_passes(small(), [break_rule])


def test_dump_writes_the_text_after_each_pass(tmp_path):
    run_passes(small(), [keep, keep], dump=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00_keep.npz",
        "00_keep.txt",
        "01_keep.npz",
        "01_keep.txt",
    ]


def test_other_checks_are_refused():
    with pytest.raises(ValueError, match=r"^check must be 'verify' or 'numerics', not 'all'$"):
        run_passes(small(), [], check="all")

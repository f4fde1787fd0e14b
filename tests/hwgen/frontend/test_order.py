import pytest
from onnx import helper

from hwgen.errors import ModelError
from hwgen.frontend.order import node_labels, topological


def nodes(*edges: str):
    """Each as "a b>c": reads a and b, makes c."""
    made = []
    for edge in edges:
        given, out = edge.split(">")
        made.append(helper.make_node("Add", given.split(), [out]))
    return made


def order(*edges: str, outputs=("y",)):
    found = nodes(*edges)
    return topological(found, {"x": None}, outputs, node_labels(found, {}))


def test_each_node_comes_after_what_it_reads_else_in_file_order():
    assert order("a b>y", "x x>b", "x x>a") == [1, 2, 0]
    assert order("x x>a", "x x>b", "a b>y") == [0, 1, 2]


def test_nodes_that_no_output_needs_are_left_out():
    assert order("x x>unused", "x x>y") == [1]


def test_names_are_unique_and_made_up_where_there_are_none():
    found = nodes("x x>a", "x x>b", "x x>c")
    found[1].name = found[2].name = "twice"
    assert node_labels(found, {"Add_0": None}) == ("Add_0_1", "twice", "twice_1")


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (("a x>y", "y x>a"), r"^Add_0, Add_1: nodes must not form a cycle$"),
        (("x x>y", "x x>y"), r"^Add_1: tensor 'y' must be made once, not twice$"),
        (("x gone>y",), r"^Add_0: input 'gone' must be made by a node; none makes it$"),
        (("x x>a",), r"^output y: must be made by a node; none makes it$"),
    ],
)
def test_graphs_that_are_none_are_refused(edges, message):
    with pytest.raises(ModelError, match=message):
        order(*edges)

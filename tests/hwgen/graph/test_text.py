import numpy as np
import pytest

from cores.argmax import ArgMax
from cores.choices import Block, Popcount
from cores.fields.key import content_key
from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.stages import BUILT_IN, classes
from hwgen.graph.text import content_hash, load, parse, save, write
from hwgen.integer.op import IntTensor
from hwgen.passes.lower import lower
from hwgen.tensor.elementwise import Binary
from hwgen.tensor.library import OPS as TENSOR_OPS
from hwgen.tensor.op import TensorType
from hwgen.tensor.walk import analyse
from tests.hwgen.chains import Chain, quant, random_model
from tests.hwgen.integer.foreign import Halve
from tests.hwgen.integer.instances import INSTANCES
from tests.hwgen.tensor.instances import INSTANCES as TENSOR


def small() -> Graph:
    """Odd names, a folded op, a one-row table."""
    fc = MatVec(
        np.ones((4, 2), np.int64),
        IntType(0, 1),
        offset=np.arange(4),
        pe=2,
        arithmetic=Popcount(),
        memory=Block(),
    )
    kind = fc.outputs["o"].dtype
    th = MultiThreshold((4,), kind, np.array([[1, 2]]), np.array([[0, 1, 3]]))
    nodes = (
        Node('/body/"fc";1', fc, (Value("x", ""),)),
        Node("th", th, (Value('/body/"fc";1'),)),
        Node("fifo", Buffer(th.outputs["o"], 5), (Value("th"),)),
        Node("top", ArgMax((4,), IntType(0, 3)), (Value("fifo"),)),
    )
    inputs = {"x": StreamType((2,), IntType(0, 1), 2)}
    return Graph(inputs, nodes, {"y": Value("top")}, "small")


def test_one_line_a_node():
    text, arrays = write(small())
    weights = content_hash(np.ones((4, 2), np.int64))
    lines = text.splitlines()
    assert lines[0] == 'graph "small"'
    assert lines[1] == 'input "x" = StreamType((2,), u1, 2, 1, "dense")'
    assert lines[2].startswith(f'"/body/\\"fc\\";1" = MatVec("x", @{weights}, u1, offset=@')
    assert lines[2].endswith(", pe=2, arithmetic=popcount, memory=block)")
    assert lines[-1] == 'output "y" = "top"'
    assert arrays[weights].tolist() == [[1, 1]] * 4


def test_written_and_read_back_is_the_same(tmp_path):
    graph = small()
    save(graph, tmp_path / "ir" / "00")
    again = load(tmp_path / "ir" / "00")
    assert write(again)[0] == write(graph)[0]
    x = np.array([[0, 1], [1, 1]])
    for one, other in zip(graph, again, strict=True):
        assert type(one.op) is type(other.op)
    assert again.by_name['/body/"fc";1'].op.compute(x).tolist() == [[1, 2, 3, 4], [2, 3, 4, 5]]


def assert_survives(graph: Graph, classes=BUILT_IN) -> None:
    """To the last bit of every array: a key covers element types, shapes and contents."""
    again = parse(*write(graph), classes)
    assert (again.name, again.outputs) == (graph.name, graph.outputs)
    assert [(node.name, node.inputs) for node in again] == [
        (node.name, node.inputs) for node in graph
    ]
    for found, wanted in zip(again, graph, strict=True):
        assert content_key(found.op) == content_key(wanted.op)
    for name, kind in graph.inputs.items():
        assert content_key(again.inputs[name]) == content_key(kind)


def of_one_node(op, inputs, outputs=("o",)) -> Graph:
    node = Node("n", op, tuple(Value(name, "") for name in inputs))
    return Graph(inputs, (node,), {port: node[port] for port in outputs})


@pytest.mark.parametrize("kind", OPS, ids=lambda kind: kind.__name__)
def test_every_operator_survives_the_text_form(kind):
    for op in kind.examples(np.random.default_rng(0)):
        assert_survives(of_one_node(op, dict(op.inputs), op.outputs))


@pytest.mark.parametrize("case", INSTANCES, ids=lambda case: type(case[0]).__name__)
def test_every_integer_op_survives_the_text_form(case):
    op, kinds = case
    assert_survives(of_one_node(op, {f"x{k}": kind for k, kind in enumerate(kinds)}))


def test_every_tensor_op_has_an_instance():
    assert {type(op) for op in TENSOR} == {*TENSOR_OPS}


@pytest.mark.parametrize("op", TENSOR, ids=lambda op: type(op).__name__)
def test_every_tensor_op_survives_the_text_form(op):
    assert_survives(of_one_node(op, {"x": TensorType((1, 2), "FLOAT")}))


def test_arrays_that_differ_in_shape_alone_stay_apart():
    nodes = tuple(Node(f"n{k}", op) for k, op in enumerate(TENSOR[:2]))
    assert_survives(Graph({"x": TensorType((1, 2), "FLOAT")}, nodes, {}))


@pytest.mark.parametrize("seed", range(5))
def test_a_model_survives_at_every_stage(seed):
    model = random_model(np.random.default_rng(seed))
    assert_survives(model)
    found = analyse(model).graph
    assert found is not None
    assert_survives(found)
    assert_survives(lower(found))


def test_an_op_from_elsewhere_is_read_where_it_is_known():
    kind = IntTensor((2,), np.array([0, 0]), np.array([3, 3]))
    graph = of_one_node(Halve(np.array([0, 1])), {"x": kind})
    assert_survives(graph, classes(Halve))
    with pytest.raises(InputError, match=r"class must be one of IntMatMul, .*, not Halve$"):
        parse(*write(graph))


def test_the_hash_covers_shape_and_type():
    x = np.zeros((2, 3), np.int64)
    others = [x.reshape(3, 2), x.astype(np.int32), np.ones((2, 3), np.int64)]
    assert len({content_hash(array) for array in [x, *others]}) == 4
    assert content_hash(x.T) == content_hash(np.zeros((3, 2), np.int64))


def test_tensor_graphs_are_written():
    chain = Chain((2,)).binary("add", 1.0, name="plus").then(quant(0.5, 0, 3), name="q")
    text, _ = write(chain.graph)
    lines = text.splitlines()
    assert lines[1] == 'input "x" = TensorType((1, 2), "FLOAT")'
    assert lines[3] == '"plus" = Binary("x", "Constant_0", fn="add")'
    assert lines[4].endswith(', 0, 3, rounding="HALF_EVEN", round_first=false)')
    assert isinstance(chain.nodes[1].op, Binary)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"a" = Gelu("x")', r"class must be one of MatVec, .*, not Gelu$"),
        ('"a" = MatVec("x", @000000000000, u1)', r"array @000000000000 must be in the npz file$"),
        ('"a" = MatVec("x"', r"next must be sign, not end of line$"),
        ('"a" # MatVec', r"column 4 must be a known sign, not ' '$"),
        (
            '"a" = MatVec("x", 1, 2, 3, 4)',
            r"MatVec must have at most 2 fields without a name, not 4$",
        ),
        ('"a" = IntMatMul("x")', r"class must be one of MatVec, .*, not IntMatMul$"),
        ('node "a"', r"a line must be of a graph, input, output or node, not node$"),
    ],
)
def test_other_lines_are_refused(line, message):
    text = f'graph "g"\ninput "x" = StreamType((2,), u1, 1, 1, "dense")\n{line}\n'
    with pytest.raises(InputError, match=rf"^line 3: .*: {message}"):
        parse(text, {})


def test_a_graph_of_values_that_nobody_makes_is_refused():
    text = 'graph "g"\ninput "x" = StreamType((2,), u1, 1, 1, "dense")\noutput "y" = "z"\n'
    with pytest.raises(
        InputError, match=r"^graph g: output y: value must come from a node of the graph, not z$"
    ):
        parse(text, {})


def test_classes_of_one_name_are_refused():
    class IntMatMul(Halve):
        pass

    with pytest.raises(
        ValueError,
        match=r"^IntMatMul of tests\.hwgen\.graph\.test_text must have a name of its own, not that "
        r"of one in hwgen\.integer\.products$",
    ):
        classes(IntMatMul)


def test_what_is_no_op_is_refused():
    message = r"^TensorType must be a subclass of one of TensorOp, IntegerOp, Op$"
    with pytest.raises(TypeError, match=message):
        classes(TensorType)

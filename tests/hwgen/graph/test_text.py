import numpy as np
import pytest

from cores.argmax import ArgMax
from cores.choices import Block, Popcount
from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.graph.text import content_hash, load, parse, save, write
from hwgen.tensor.elementwise import Binary
from tests.hwgen.chains import Chain, quant


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


@pytest.mark.parametrize("kind", OPS, ids=lambda kind: kind.__name__)
def test_every_operator_survives_the_text_form(kind):
    for op in kind.examples(np.random.default_rng(0)):
        inputs = dict(op.inputs)
        node = Node("n", op, tuple(Value(name, "") for name in inputs))
        outputs = {port: node[port] for port in op.outputs}
        text, arrays = write(Graph(inputs, (node,), outputs))
        assert write(parse(text, arrays))[0] == text


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
    assert lines[3] == '"plus" = Binary("x", "Constant_0", "add")'
    assert lines[4].endswith(', 0, 3, "HALF_EVEN", false)')
    assert isinstance(chain.nodes[1].op, Binary)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"a" = Gelu("x")', r"operator must be one of MatVec, .*, not Gelu$"),
        ('"a" = MatVec("x", @000000000000, u1)', r"array @000000000000 must be in the npz file$"),
        ('"a" = MatVec("x"', r"expected sign, not end of line$"),
        ('"a" # MatVec', r"unknown sign at column 4$"),
    ],
)
def test_other_lines_are_refused(line, message):
    text = f'graph "g"\ninput "x" = StreamType((2,), u1, 1, 1, "dense")\n{line}\n'
    with pytest.raises(InputError, match=rf"^line 3: .*: {message}"):
        parse(text, {})

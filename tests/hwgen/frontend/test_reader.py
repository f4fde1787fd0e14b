import random

import numpy as np
import pytest
from onnx import helper

from hwgen.errors import ModelError
from hwgen.frontend.reader import SourceNode, read
from hwgen.graph.ir import Value
from hwgen.tensor.elementwise import Constant, Unary
from hwgen.tensor.moves import Reshape
from hwgen.tensor.op import TensorType
from hwgen.tensor.products import MatMul
from hwgen.tensor.quantisers import Quant
from hwgen.tensor.unsupported import Unsupported
from tests.onnx_models import Maker, random_mlp, save


def kinds(model) -> list[str]:
    return [type(node.op).__name__ for node in model.graph]


def test_one_layer_by_hand(tmp_path):
    maker = Maker((1, 2))
    x = maker.quant("x", scale=0.5, name="in_q")
    w = maker.quant(maker.constant([[1.0, -1.0], [2.0, 3.0]], "w"), name="w_q")
    maker.node("MatMul", x, w, name="fc")
    model = read(maker.save(tmp_path))
    assert model.graph.inputs == {"x": TensorType((1, 2), "FLOAT")}
    assert [node.name for node in model.graph] == ["in_q", "w", "w_q", "fc"]
    assert kinds(model) == ["Quant", "Constant", "Quant", "MatMul"]
    assert model.graph.by_name["fc"].inputs == (Value("in_q"), Value("w_q"))
    assert model.graph.outputs == {"fc_out": Value("fc")}
    assert model.graph.by_name["w"].op.value.dtype == np.float32
    assert model.sources == (
        SourceNode("in_q", "qonnx.custom_op.general.Quant", ("in_q",)),
        SourceNode("w_q", "qonnx.custom_op.general.Quant", ("w_q",)),
        SourceNode("fc", "MatMul", ("fc",)),
    )
    assert (model.name, model.problems) == ("model", ())


def test_names_need_not_be_present_or_unique(tmp_path):
    maker = Maker((1, 2))
    y = maker.node("Relu", maker.node("Neg", "x", name="x", outputs=["a"]), outputs=["b"])
    maker.node("Abs", maker.node("Relu", y, outputs=["c"]), outputs=["d"])
    proto = maker.model()
    for node in proto.graph.node[1:3]:
        node.name = "same"
    proto.graph.node[3].name = ""
    model = read(save(proto, tmp_path))
    assert [source.name for source in model.sources] == ["x_1", "same", "same_1", "Abs_3"]
    assert [node.name for node in model.graph] == ["x_1", "same", "same_1", "Abs_3"]


def test_constants_give_way_to_node_names(tmp_path):
    maker = Maker((1, 2))
    maker.node("Add", "x", maker.constant([1.0, 2.0], "add"), name="add")
    assert [node.name for node in read(maker.save(tmp_path)).graph] == ["add_1", "add"]


def test_parts_of_decomposed_nodes_give_way_too(tmp_path):
    maker = Maker((1, 2))
    y = maker.node("Add", "x", maker.constant([1.0, 2.0], "f#zero"), name="a")
    maker.node("LeakyRelu", y, name="f")
    names = [node.name for node in read(maker.save(tmp_path)).graph]
    assert "f#zero" in names and "f#zero_1" in names


def test_a_refused_node_leaves_nothing_behind(tmp_path):
    maker = Maker((1, 2))
    w = maker.constant(np.eye(2, dtype=np.float32), "w")
    y = maker.node("Gemm", "x", w, maker.constant([np.nan, 0.0]), name="fc")
    maker.node("MatMul", y, w, name="next")
    model = read(maker.save(tmp_path))
    assert [node.name for node in model.graph] == ["w", "fc", "next"]
    assert isinstance(model.graph.by_name["fc"].op, Unsupported)
    assert model.sources[0].nodes == ("fc",)


def test_a_node_whose_shape_alone_is_used_is_not_in_the_graph(tmp_path):
    maker = Maker((1, 2, 3))
    shape = maker.node("Shape", maker.node("Flatten", "x", name="f"))
    maker.node("Reshape", "x", shape, name="r")
    model = read(maker.save(tmp_path))
    assert [node.name for node in model.graph] == ["r"]
    assert model.sources[0] == SourceNode("f", "Flatten", (), "no output depends on it")


def test_shapes_that_the_file_declares_help_after_unknown_operators(tmp_path):
    maker = Maker((1, 8))
    y = maker.node("Mystery", "x", name="m", domain="ours")
    maker.node("Flatten", maker.node("Relu", y), name="f")
    proto = maker.model()
    proto.graph.value_info.append(helper.make_tensor_value_info(y, 1, ["N", 3, 5]))
    model = read(save(proto, tmp_path))
    assert model.graph.by_name["f"].op == Reshape((1, 15))


def test_order_of_the_file_does_not_matter(tmp_path):
    proto = random_mlp(np.random.default_rng(1), (6, 5, 4))
    expected = read(save(proto, tmp_path))
    nodes = list(proto.graph.node)
    for seed in range(5):
        random.Random(seed).shuffle(nodes)
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        model = read(save(proto, tmp_path))
        made = {node.name: node.inputs for node in model.graph}
        assert made == {node.name: node.inputs for node in expected.graph}
        assert [source.name for source in model.sources] == [node.name for node in nodes]


def test_cycle_is_an_error(tmp_path):
    maker = Maker((1, 2))
    maker.node("Add", "x", "b_out", name="a")
    maker.node("Relu", "a_out", name="b")
    with pytest.raises(ModelError, match=r"^a, b: nodes must not form a cycle$"):
        read(maker.save(tmp_path))


def test_tensor_made_by_nothing_is_an_error(tmp_path):
    maker = Maker((1, 2))
    maker.node("Add", "x", "ghost", name="a")
    message = r"^a: input 'ghost' must be made by a node; none makes it$"
    with pytest.raises(ModelError, match=message):
        read(maker.save(tmp_path))
    with pytest.raises(ModelError, match=r"^output y: must be made by a node; none makes it$"):
        read(maker.save(tmp_path, "y"))


def test_tensor_made_twice_is_an_error(tmp_path):
    maker = Maker((1, 2))
    maker.node("Relu", "x", name="a", outputs=["y"])
    maker.node("Neg", "x", name="b", outputs=["y"])
    with pytest.raises(ModelError, match=r"^b: tensor 'y' must be made once, not twice$"):
        read(maker.save(tmp_path))


def test_nodes_that_no_output_needs_are_named_but_not_read(tmp_path):
    maker = Maker((1, 2))
    maker.node("Relu", "x", name="live")
    maker.node("Conv", "x", "x", name="dead")
    model = read(maker.save(tmp_path, "live_out"))
    assert model.sources[1] == SourceNode("dead", "Conv", (), "no output depends on it")
    assert model.problems == ()


def test_stored_numbers_and_pass_through_are_noted(tmp_path):
    maker = Maker((1, 2))
    one = maker.node("Constant", name="one", value_float=1.0)
    y = maker.node("Identity", "x", name="same")
    shape = maker.node("Shape", y, name="shape")
    y = maker.node("Reshape", maker.node("Add", y, one, name="add"), shape, name="reshape")
    model = read(maker.save(tmp_path))
    assert model.sources == (
        SourceNode("one", "Constant", ("one",)),
        SourceNode("same", "Identity", (), "passes its input on"),
        SourceNode("shape", "Shape", (), "stored numbers"),
        SourceNode("add", "Add", ("add",)),
        SourceNode("reshape", "Reshape", ("add",)),
    )
    assert model.graph.by_name["one"].op.value.dtype == np.float32


def test_all_problems_are_told_at_once(tmp_path):
    maker = Maker((1, 1, 8, 8))
    y = maker.node("LRN", "x", name="c", size=3)
    y = maker.quant(y, scale=0.0, name="q")
    y = maker.node("LpPool", y, name="p", kernel_shape=[2, 2])
    y = maker.node("Flatten", y, name="f")
    y = maker.quant(y, bits=2.5, name="r")
    model = read(maker.save(tmp_path))
    assert [str(problem) for problem in model.problems] == [
        (
            "c: operator must be one that hwgen maps, not LRN (normalisation by statistics of the "
            "input is not built yet); nearest form: BatchNormalization"
        ),
        "q: scale must be finite and not 0, not 0.0; train or export the model again",
        (
            "p: operator must be one that hwgen maps, not LpPool (pooling by this function is not "
            "built); nearest form: MaxPool or AveragePool"
        ),
        (
            "r: bit width must be one integer from 1 to 64, not 2.5; "
            "train with one integer bit width for each quantiser"
        ),
    ]
    unsupported = [n.name for n in model.graph if isinstance(n.op, Unsupported)]
    assert unsupported == ["c", "q", "p", "r"]
    assert model.graph.by_name["f"].op.shape == (1, 7 * 7)


def test_an_unknown_shape_downstream_is_no_problem_of_its_own(tmp_path):
    maker = Maker((1, 8))
    y = maker.node("Mystery", "x", name="m", domain="ours")
    y = maker.node("Relu", maker.node("Flatten", y, name="f"), name="r")
    model = read(maker.save(tmp_path))
    assert [problem.node for problem in model.problems] == ["m"]
    assert isinstance(model.graph.by_name["f"].op, Unsupported)
    assert model.graph.by_name["r"].op == Unary("relu")


def test_a_type_that_is_unknown_downstream_is_no_problem_of_its_own(tmp_path):
    maker = Maker((1, 8))
    scale, zero = maker.constant(0.5), maker.constant(np.uint8(3))
    y = maker.node("QLinearWhatever", scale, zero, "x", name="m", domain="com.microsoft")
    maker.node("DequantizeLinear", y, scale, zero, name="dq")
    assert [problem.node for problem in read(maker.save(tmp_path)).problems] == ["m"]


def test_stored_numbers_that_are_not_finite_are_named(tmp_path):
    maker = Maker((1, 2))
    w = maker.constant([[np.nan, 1.0], [np.inf, 0.0]], "w")
    maker.node("MatMul", "x", maker.quant(w, name="q"), name="fc")
    assert [str(problem) for problem in read(maker.save(tmp_path)).problems] == [
        (
            "q: stored numbers must be finite, not 2 NaN or infinite of 4 in tensor 'w'; "
            "train or export the model again"
        )
    ]


def test_parameters_that_break_the_definition_are_a_problem(tmp_path):
    maker = Maker((1, 2))
    maker.opset = 11
    maker.node("Unsqueeze", "x", name="u", axes="first")
    (problem,) = read(maker.save(tmp_path)).problems
    assert str(problem).startswith("u: Unsqueeze must follow its ONNX definition, not ")


def test_outputs_that_an_operator_does_not_have_are_a_problem(tmp_path):
    maker = Maker((1, 2))
    maker.node("Relu", "x", name="r", outputs=["a", "b"])
    model = read(maker.save(tmp_path, "b"))
    assert [str(problem) for problem in model.problems] == [
        "r: Relu must give at most 1 outputs, not 2"
    ]


def test_several_inputs_and_outputs_are_read_by_name(tmp_path):
    maker = Maker((1, 2))
    maker.input("z", (1, 2))
    maker.node("Add", "x", "z", name="a")
    maker.node("Neg", "a_out", name="b")
    model = read(maker.save(tmp_path, "b_out", "a_out", "z"))
    assert model.graph.outputs == {"b_out": Value("b"), "a_out": Value("a"), "z": Value("z", "")}


def test_shared_initialisers_are_one_constant(tmp_path):
    maker = Maker((1, 2))
    w = maker.constant(np.eye(2, dtype=np.float32), "w")
    maker.node("MatMul", maker.node("MatMul", "x", w), w)
    model = read(maker.save(tmp_path))
    assert kinds(model) == ["Constant", "MatMul", "MatMul"]


def test_wide_and_narrow_floats_are_stored_as_they_are(tmp_path):
    for dtype in (np.float16, np.float32, np.float64):
        maker = Maker((1, 2))
        maker.node("MatMul", "x", maker.constant(np.eye(2, dtype=dtype), "w"))
        assert read(maker.save(tmp_path)).graph.by_name["w"].op.value.dtype == dtype


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 15, 17, 18, 21])
def test_an_mlp_reads_the_same_in_every_opset(tmp_path, opset):
    proto = random_mlp(np.random.default_rng(2), (6, 5, 4), head="ArgMax", opset=opset)
    model = read(save(proto, tmp_path))
    assert model.problems == ()
    assert [type(n.op) for n in model.graph].count(MatMul) == 2
    assert [type(n.op) for n in model.graph].count(Quant) == 4
    assert any(isinstance(node.op, Constant) for node in model.graph)

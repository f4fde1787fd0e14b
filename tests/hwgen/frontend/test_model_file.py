from hashlib import blake2s

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwgen.errors import ModelError
from hwgen.frontend.model_file import graph_inputs
from hwgen.frontend.reader import read
from tests.onnx_models import Maker


def small() -> Maker:
    maker = Maker((1, 4))
    maker.node("MatMul", maker.quant("x"), maker.constant(np.ones((4, 2), np.float32), "w"))
    return maker


def refuses(path, rest: str):
    with pytest.raises(ModelError, match=f"^{rest}$") as info:
        read(path)
    assert info.value.status == 2


def test_missing_file(tmp_path):
    refuses(tmp_path / "no.onnx", ".*no.onnx: must be a readable file, not: No such file.*")


def test_directory(tmp_path):
    refuses(tmp_path, ".*: must be an ONNX file, not a directory")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.onnx"
    path.touch()
    refuses(path, ".*: must be an ONNX file, not an empty file")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" * 9, b"hello, world\n", b"\x00" * 64])
def test_other_formats(tmp_path, data):
    path = tmp_path / "other.onnx"
    path.write_bytes(data)
    refuses(path, ".*: must be .*")


def test_every_truncation_is_an_error_or_a_problem(tmp_path):
    data = small().model().SerializeToString()
    path = tmp_path / "cut.onnx"
    whole = 0
    for length in range(1, len(data)):
        path.write_bytes(data[:length])
        try:
            whole += not read(path).problems
        except ModelError:
            continue
    # a file cut between its last fields can be a whole model with older operator versions
    assert whole <= 2


def test_hash_is_that_of_the_bytes(tmp_path):
    path = small().save(tmp_path)
    assert read(path).hash == blake2s(path.read_bytes()).hexdigest()


def test_missing_external_data(tmp_path):
    model = small().model()
    tensor = model.graph.initializer[-1]
    onnx.external_data_helper.set_external_data(tensor, location="gone.bin")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    refuses(path, ".*: the external data of its tensors must lie beside it: .*gone.bin.*")


def test_stored_tensor_that_does_not_fill_its_shape(tmp_path):
    model = small().model()
    model.graph.initializer[-1].raw_data = b"\x00" * 12
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    refuses(path, "initialiser w: the stored tensor must fill its shape: .*")


def test_stored_strings_are_refused(tmp_path):
    maker = small()
    maker.constants.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"a"]))
    refuses(
        maker.save(tmp_path),
        "initialiser s: stored tensors must hold floats or integers, not STRING; "
        "export the model with float32 or integer constants",
    )


def test_old_opset_is_refused(tmp_path):
    maker = small()
    maker.opset = 6
    refuses(
        maker.save(tmp_path),
        ".*: the ONNX opset must be 7 or later, not 6; export the model again with a newer opset",
    )


@pytest.mark.parametrize("batch", [1, "N", 0, -1, None])
def test_open_batch_is_taken_as_1(batch):
    assert graph_inputs(Maker((batch, 4)).model("x"))["x"].shape == (1, 4)


def test_other_batch_is_refused(tmp_path):
    maker = Maker((8, 4))
    maker.node("Relu", "x")
    refuses(
        maker.save(tmp_path),
        "input x: dimension 0 is the batch and must be 1, not 8; export the model with batch 1",
    )


@pytest.mark.parametrize(("size", "found"), [("width", "'width'"), (0, "0"), (-1, "-1")])
def test_dynamic_dimension_is_refused(tmp_path, size, found):
    maker = Maker((1, 3, size))
    maker.node("Relu", "x")
    refuses(
        maker.save(tmp_path),
        f"input x: dimension 2 must be a fixed number, not {found}; "
        "export the model with a fixed input shape",
    )


def test_input_of_truth_values_is_refused(tmp_path):
    maker = Maker((1, 4), elem=TensorProto.BOOL)
    maker.node("Not", "x")
    refuses(maker.save(tmp_path), "input x: must hold floats or integers, not BOOL")


def test_input_without_shape_is_refused(tmp_path):
    maker = Maker((1, 4))
    maker.node("Relu", "x")
    model = maker.model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    refuses(path, "input x: must have a shape; export the model with a fixed input shape")


def test_initialisers_among_the_inputs_are_no_inputs(tmp_path):
    maker = small()
    maker.input("w", (4, 2))
    model = read(maker.save(tmp_path))
    assert list(model.graph.inputs) == ["x"]
    assert not model.problems


def test_local_functions_are_inlined(tmp_path):
    model = small().model()
    body = [helper.make_node("Relu", ["a"], ["b"], name="inner")]
    imports = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("mine", "Act", ["a"], ["b"], body, imports))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    last = model.graph.node[-1].output[0]
    model.graph.node.append(helper.make_node("Act", [last], ["y"], domain="mine"))
    model.graph.output[0].name = "y"
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert not read(path).problems
    assert [source.op_type for source in read(path).sources][-1] == "Relu"

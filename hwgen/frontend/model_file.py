"""The file: bytes to a model, its graph inputs and its stored tensors, or one clear error."""

from hashlib import blake2s
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import inliner, numpy_helper
from onnx.external_data_helper import load_external_data_for_model

from hwgen.errors import ModelError
from hwgen.frontend.call import FLOATS, INT_RANGES
from hwgen.tensor.op import TensorType

QUANT_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
STANDARD_DOMAINS = ("", "ai.onnx")
OLDEST_OPSET = 7  # the first with numpy broadcasting
EXACT_FLOAT = {"BFLOAT16": np.float32}
SMALL_INTS = {"INT4": np.int8, "UINT4": np.uint8, "INT2": np.int8, "UINT2": np.uint8}


def load(path: str | Path) -> tuple[onnx.ModelProto, str]:
    """The model of a file, local functions inlined, and the BLAKE2s hash of the file's bytes.

    Raises
    ------
    ModelError
        The file is missing, unreadable, truncated, not ONNX, or lacks its external data.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except IsADirectoryError as error:
        raise ModelError(f"{path}: must be an ONNX file, not a directory") from error
    except OSError as error:
        raise ModelError(f"{path}: must be a readable file, not: {error.strerror}") from error
    if not data:
        raise ModelError(f"{path}: must be an ONNX file, not an empty file")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{path}: must be a complete ONNX file; it is another format or was cut off"
        ) from error
    _check(path, model)
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"{path}: the external data of its tensors must lie beside it: {error}"
        ) from error
    if model.functions:
        known = [(f.domain, f.name) for f in model.functions if f.domain in QUANT_DOMAINS]
        model = inliner.inline_selected_functions(model, known, exclude=True)
    return model, blake2s(data).hexdigest()


def _check(path: Path, model: onnx.ModelProto) -> None:
    """Refuses what decodes as protobuf without being a whole model."""
    if not model.ir_version or not model.HasField("graph"):
        raise ModelError(f"{path}: must be an ONNX model; this file has no IR version or no graph")
    if not model.graph.output or not model.graph.node:
        raise ModelError(
            f"{path}: the graph must have nodes and outputs, not {len(model.graph.node)} nodes and "
            f"{len(model.graph.output)} outputs; was the file cut off?"
        )
    if opset(model) < OLDEST_OPSET:
        raise ModelError(
            f"{path}: the ONNX opset must be {OLDEST_OPSET} or later, not {opset(model)}; "
            "export the model again with a newer opset"
        )
    if model.graph.sparse_initializer:
        raise ModelError(f"{path}: stored tensors must be dense, not sparse initialisers")


def opset(model: onnx.ModelProto) -> int:
    """Version of the standard operators; 1 where the file names none, as ONNX has it."""
    return max((o.version for o in model.opset_import if o.domain in STANDARD_DOMAINS), default=1)


def elem_name(elem_type: int) -> str:
    """``FLOAT``, ``INT8``, …; ``UNKNOWN`` for numbers that this onnx does not know."""
    names = onnx.TensorProto.DataType
    return names.Name(elem_type) if elem_type in names.values() else "UNKNOWN"


def stored_array(tensor: onnx.TensorProto, owner: str) -> tuple[np.ndarray, str]:
    """The elements as stored, small formats in the next wider numpy type, and the element type.

    Raises
    ------
    ModelError
        The bytes do not match the shape, or the elements are no numbers.
    """
    elem = elem_name(tensor.data_type)
    if elem == "STRING" or elem.startswith(("COMPLEX", "FLOAT8", "FLOAT6", "FLOAT4", "UN")):
        raise ModelError(
            f"{owner}: stored tensors must hold floats or integers, not {elem}; "
            "export the model with float32 or integer constants"
        )
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{owner}: the stored tensor must fill its shape: {error}") from error
    wider = EXACT_FLOAT.get(elem) or SMALL_INTS.get(elem)
    return (array.astype(wider) if wider else array), elem


def graph_inputs(model: onnx.ModelProto) -> dict[str, TensorType]:
    """The inputs that a user feeds: initialisers listed among them are none.

    A batch dimension without a fixed size is taken as 1.

    Raises
    ------
    ModelError
        A dimension other than the batch is not fixed, or the batch is not 1.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = {}
    for info in model.graph.input:
        if info.name in stored:
            continue
        if not info.type.HasField("tensor_type"):
            raise ModelError(f"input {info.name}: must be a tensor, not a sequence or optional")
        if not info.type.tensor_type.HasField("shape"):
            raise ModelError(
                f"input {info.name}: must have a shape; export the model with a fixed input shape"
            )
        elem = elem_name(info.type.tensor_type.elem_type)
        if elem not in FLOATS and elem not in INT_RANGES:
            raise ModelError(f"input {info.name}: must hold floats or integers, not {elem}")
        inputs[info.name] = TensorType(_fixed_shape(info), elem)
    return inputs


def _fixed_shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    shape = []
    for axis, dim in enumerate(info.type.tensor_type.shape.dim):
        size = dim.dim_value
        if axis == 0:
            size = max(size, 1)
            if size != 1:
                raise ModelError(
                    f"input {info.name}: dimension 0 is the batch and must be 1, not {size}; "
                    "export the model with batch 1"
                )
        elif size < 1:
            found = repr(dim.dim_param) if dim.dim_param else str(size)
            raise ModelError(
                f"input {info.name}: dimension {axis} must be a fixed number, not {found}; "
                "export the model with a fixed input shape"
            )
        shape.append(size)
    if not shape:
        raise ModelError(f"input {info.name}: must have a batch dimension of 1, not no dimension")
    return tuple(shape)

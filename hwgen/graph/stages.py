"""The stages of a graph, and the classes that the text form of each stage names."""

from collections.abc import Mapping

from cores.engine.layer import Layer, Rescale
from cores.library import OPS as OPERATORS
from cores.op import Op
from cores.types import StreamType
from hwgen.errors import CheckError
from hwgen.graph.ir import Graph
from hwgen.integer.library import OPS as INTEGER_OPS
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.tensor.library import OPS as TENSOR_OPS
from hwgen.tensor.op import TensorOp, TensorType

INPUTS: dict[str, type] = {"tensor": TensorType, "integer": IntTensor, "dataflow": StreamType}
"""What describes a graph input at each stage."""

OPS: dict[str, type] = {"tensor": TensorOp, "integer": IntegerOp, "dataflow": Op}
"""Base of the ops of a stage."""

Classes = Mapping[str, Mapping[str, type]]
"""Classes by stage and name."""


def stage(graph: Graph) -> str:
    """``tensor``, ``integer`` or ``dataflow``, told by the type of the inputs.

    Raises
    ------
    CheckError
        The inputs are of no stage, or of several.
    """
    kinds = {type(kind) for kind in graph.inputs.values()}
    for name, kind in INPUTS.items():
        if kinds == {kind}:
            return name
    found = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
    raise CheckError(f"{graph.name}: inputs must be all of one stage, not {found}")


def classes(*more: type) -> Classes:
    """Everything that stands in a graph: the ops of the tree, those of other packages, and what
    they are made of.

    Parameters
    ----------
    more : type
        Ops from elsewhere, of any stage.

    Raises
    ------
    TypeError
        One is no op of any stage.
    ValueError
        Another one of its stage has the same name.
    """
    # The tree's own come first: of two with one name, the other is at fault.
    kinds = [(_stage_of(op), op) for op in (*TENSOR_OPS, *INTEGER_OPS, *OPERATORS)]
    kinds += [("dataflow", Layer), ("dataflow", Rescale), *INPUTS.items()]
    kinds += [(_stage_of(op), op) for op in more]
    found: dict[str, dict[str, type]] = {name: {} for name in INPUTS}
    for name, kind in kinds:
        known = found[name].setdefault(kind.__name__, kind)
        if known is not kind:
            raise ValueError(
                f"{kind.__name__} of {kind.__module__} must have a name of its own, not that of "
                f"one in {known.__module__}"
            )
    return found


def _stage_of(op: type) -> str:
    for name, base in OPS.items():
        if issubclass(op, base):
            return name
    bases = ", ".join(base.__name__ for base in OPS.values())
    raise TypeError(f"{op.__name__} must be a subclass of one of {bases}")


BUILT_IN = classes()
"""What the tree has."""

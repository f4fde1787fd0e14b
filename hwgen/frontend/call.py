"""What the reader of one ONNX node sees: its inputs, its attributes and the graph that grows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwgen.graph.ir import Node, Value
from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.op import TensorOp

INT_RANGES = {
    f"{sign}INT{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("", "U")
    for bits in (2, 4, 8, 16, 32, 64)
}
FLOATS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")

Shape = tuple[int, ...]


class RefusalError(Exception):
    """A node that cannot be read; the walk turns it into a problem and goes on."""

    def __init__(self, rule: str, found: str, fix: str = ""):
        super().__init__(rule, found, fix)
        self.rule, self.found, self.fix = rule, found, fix


class UnmappedError(RefusalError):
    """An operator that hwgen does not have; `fix` names the nearest form that it has."""

    def __init__(self, what: str, reason: str, nearest: str = ""):
        fix = f"nearest form: {nearest}" if nearest else ""
        super().__init__("operator must be one that hwgen maps", f"{what} ({reason})", fix)
        self.reason, self.nearest = reason, nearest


class ShapeUnknownError(Exception):
    """A node that needs a shape that an unmapped operator before it hides."""


@dataclass(frozen=True, eq=False)
class Grid:
    """How an integer tensor is kept: the graph's value is (n - zero_point) * scale."""

    scale: np.ndarray
    zero_point: np.ndarray

    def same(self, other: "Grid") -> bool:
        return np.array_equal(self.scale, other.scale) and np.array_equal(
            self.zero_point, other.zero_point
        )


@dataclass(frozen=True, eq=False)
class Tensor:
    """What is known of one ONNX tensor.

    Parameters
    ----------
    shape : tuple of int or None
        None where an unmapped operator hides it.
    elem : str
        ONNX element type.
    value : Value or None
        Where the graph has it; None for a stored tensor that no node has used.
    const : array or None
        The elements as stored, where they are stored.
    name : str
        Name that a stored tensor gets in the graph.
    origin : int
        Index of the ONNX node that made a stored tensor; -1 for an initialiser.
    grid : Grid or None
        For the integers that a QuantizeLinear makes.
    bounds : (int, int) or None
        For integers: the range they are known to lie in.
    shared : bool
        More than one node, or a graph output beside a node, uses the elements.
    """

    shape: Shape | None
    elem: str
    value: Value | None = None
    const: np.ndarray | None = None
    name: str = ""
    origin: int = -1
    grid: Grid | None = None
    bounds: tuple[int, int] | None = None
    shared: bool = False

    @property
    def is_float(self) -> bool:
        return self.elem in FLOATS


class Builder:
    """The graph that grows; knows which ONNX node made which graph nodes.

    Parameters
    ----------
    inputs : names of the graph inputs
    labels : unique names of the ONNX nodes, in file order
    """

    def __init__(self, inputs: Mapping[str, Any], labels: tuple[str, ...]):
        self.nodes: dict[str, Node] = {}
        self.labels = labels
        self.made: list[list[str]] = [[] for _ in labels]
        self._reserved = {*inputs, *labels}
        self._stored: dict[Tensor, Value] = {}

    def add(self, name: str, op: Any, values: tuple[Value, ...], origin: int) -> Node:
        """A new node; `name` gets a number where it is taken."""
        own = origin >= 0 and name == self.labels[origin]
        fresh, count = name, 0
        while fresh in self.nodes or (fresh in self._reserved and not (own and not count)):
            count += 1
            fresh = f"{name}_{count}"
        self.nodes[fresh] = Node(fresh, op, values)
        if origin >= 0:
            self.made[origin].append(fresh)
        return self.nodes[fresh]

    def value(self, tensor: Tensor) -> Value:
        """Where the graph has the tensor's elements (of a tensor with a grid: the real number)."""
        if tensor.value is not None:
            return tensor.value
        if tensor not in self._stored:
            assert tensor.const is not None
            if tensor.is_float and not np.isfinite(tensor.const).all():
                bad = int((~np.isfinite(tensor.const)).sum())
                raise RefusalError(
                    "stored numbers must be finite",
                    f"{bad} NaN or infinite of {tensor.const.size} in tensor {tensor.name!r}",
                    "train or export the model again",
                )
            node = self.add(tensor.name, Constant(tensor.const), (), tensor.origin)
            self._stored[tensor] = node.out
        return self._stored[tensor]

    def origin(self, name: str) -> int:
        """Index of the ONNX node that made a graph node; -1 for an initialiser."""
        return next((i for i, names in enumerate(self.made) if name in names), -1)

    def narrow(self, value: Value, op: Any) -> None:
        """Replaces the op of the node that makes `value`, which has no other user."""
        self.nodes[value.node] = replace(self.nodes[value.node], op=op)

    def roll_back(self, count: int) -> None:
        """Takes all but the first `count` nodes back."""
        dropped = set(list(self.nodes)[count:])
        for name in dropped:
            del self.nodes[name]
        self._stored = {t: v for t, v in self._stored.items() if v.node not in dropped}
        for names in self.made:
            names[:] = [name for name in names if name not in dropped]


class Call:
    """One ONNX node while it is read.

    Parameters
    ----------
    index : position in the file
    kind : operator name
    inputs : one Tensor for each input, None where an optional one is left out
    attributes : as Python values; floats are float32 values, strings are decoded
    opset : version of the standard operators
    used : for each output, how often it is used; graph outputs count
    """

    def __init__(
        self,
        *,
        builder: Builder,
        index: int,
        kind: str,
        inputs: tuple[Tensor | None, ...],
        attributes: Mapping[str, Any],
        opset: int,
        used: tuple[int, ...],
    ):
        self.builder, self.index, self.kind = builder, index, kind
        self.label = builder.labels[index]
        self.inputs, self.attributes, self.opset = inputs, attributes, opset
        self.used = used

    # inputs

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def any_input(self, index: int) -> Tensor:
        """Input `index`, of any element type."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise RefusalError(f"{self.kind} must have input {index}", f"{len(self.inputs)} inputs")
        return tensor

    def real(self, index: int = 0) -> Tensor:
        """Input `index`, which must be of floats."""
        tensor = self.any_input(index)
        if not tensor.is_float:
            raise RefusalError(
                f"{self.kind} must work on floats",
                f"{tensor.elem} at input {index}",
                "integer arithmetic wraps; put a DequantizeLinear or Cast before it",
            )
        return tensor

    def stored(self, index: int, what: str) -> np.ndarray:
        """The elements of input `index`, which must be stored in the model."""
        const = self.any_input(index).const
        if const is None:
            raise RefusalError(
                f"{what} must be stored in the model",
                "computed by other nodes",
                "export with constant folding",
            )
        return const

    def integers(self, index: int, attribute: str, what: str) -> list[int] | None:
        """A list of integers, given as input or, in older opsets, as attribute."""
        if self.has(index):
            return [int(n) for n in self.stored(index, what).reshape(-1)]
        given = self.attributes.get(attribute)
        return None if given is None else [int(n) for n in np.reshape(given, -1)]

    def attr(self, name: str, default: Any) -> Any:
        return self.attributes.get(name, default)

    def shape(self, tensor: Tensor) -> Shape:
        if tensor.shape is None:
            raise ShapeUnknownError
        return tensor.shape

    # results

    def emit(self, op: TensorOp, *inputs: Tensor, elem: str | None = None, sub: str = "") -> Tensor:
        """A new node on the elements of `inputs`; integers with a grid are spelled out first.

        The result has the shape that the op says; none where that of an input is unknown.

        Raises
        ------
        ValueError
            The op does not take inputs of these shapes.
        """
        values = tuple(self.builder.value(self.plain(tensor)) for tensor in inputs)
        shapes = [tensor.shape for tensor in inputs if tensor.shape is not None]
        shape = op.result_shape(*shapes) if len(shapes) == len(inputs) else None
        name = f"{self.label}#{sub}" if sub else self.label
        node = self.builder.add(name, op, values, self.index)
        return Tensor(shape, elem or inputs[0].elem, node.out)

    def plain(self, tensor: Tensor) -> Tensor:
        """The tensor's own elements: for integers with a grid, n = value / scale + zero_point."""
        grid = tensor.grid
        if grid is None:
            return tensor
        n = self.binary("div", replace(tensor, grid=None), self.number(grid.scale, "scale"), "n")
        if grid.zero_point.any():
            n = self.binary("add", n, self.number(grid.zero_point, "zero"), "int")
        return replace(n, elem=tensor.elem, bounds=tensor.bounds)

    def number(self, value: Any, sub: str) -> Tensor:
        """A constant of this node: attributes are float32, as ONNX stores them."""
        array = value if isinstance(value, np.ndarray) else np.float32(value)
        array = np.asarray(array)
        return Tensor(
            array.shape, "FLOAT", const=array, name=f"{self.label}#{sub}", origin=self.index
        )

    def unary(self, fn: str, x: Tensor, sub: str = "") -> Tensor:
        return self.emit(Unary(fn), x, sub=sub)

    def binary(self, fn: str, a: Tensor, b: Tensor, sub: str = "") -> Tensor:
        elem = a.elem if a.const is None else b.elem
        broadcast(a.shape, b.shape)
        return self.emit(Binary(fn), a, b, elem=elem, sub=sub)


def broadcast(*shapes: Shape | None) -> Shape | None:
    """Shape of an elementwise result; None where a shape is unknown.

    Raises
    ------
    RefusalError
        The shapes do not broadcast.
    """
    known = [shape for shape in shapes if shape is not None]
    try:
        result = np.broadcast_shapes(*known)
    except ValueError:
        found = " and ".join(map(str, known))
        raise RefusalError("input shapes must broadcast", found) from None
    return result if len(known) == len(shapes) else None

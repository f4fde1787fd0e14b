"""The contract of a tensor op: shape, meaning in real numbers, and what it is in integers.

A tensor graph is the model as real numbers, every quantiser in one normal form. The reader makes it
from ONNX; nothing here knows ONNX. A graph input is described by a `TensorType`. All arithmetic is
meant in real numbers, with constants as stored; axes are those of the model, batch axis included.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwgen.analysis.context import Context
from hwgen.analysis.scaled import Abstract, Defined
from hwgen.errors import CheckError
from hwgen.graph.ir import Node
from hwgen.numerics.enclosed import Enclosed

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TensorType:
    """Shape and element type of a graph input: `elem` is an ONNX name such as ``FLOAT`` or
    ``INT8``."""

    shape: Shape
    elem: str


class TensorOp(ABC):
    """Base of the ops of the tensor graph; subclasses are frozen dataclasses.

    Nothing outside knows the ops by their class to find out what they mean: only passes that change
    the graph look for some. The three methods share no code: each is checked against the others.
    """

    arity: ClassVar[int | None] = 1
    """How many inputs it takes; None: any number."""

    @abstractmethod
    def result_shape(self, *shapes: Shape) -> Shape:
        """The shape of the result, from those of the inputs.

        Raises
        ------
        ValueError
            The op does not take inputs of these shapes; says what must hold.
        """

    @abstractmethod
    def evaluate(self, *x: Enclosed) -> Enclosed:
        """The result in real numbers.

        Parameters
        ----------
        x : Enclosed, (samples, *shape) or (1, *shape)
            Axis 0 is the sample; the model's axes follow it, its batch axis of length 1 first.

        Raises
        ------
        DomainError
            There is no real result.
        UndecidedError
            A tie cannot be decided.
        """

    @abstractmethod
    def analyse(self, at: Context, *x: Defined) -> Abstract:
        """What the result is in integers: a constant, scale * n + bias, a function of an integer
        that a quantiser closes later, or a value of the host.

        Parameters
        ----------
        at : Context
            Takes what the op adds to the integer graph.
        x : Known, Scaled, Tail or Host
            What the inputs are.

        Raises
        ------
        ProblemError
            The op cannot be mapped; says what must hold, what came, and what to do.
        """

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray | None:
        """How a stream should come that reaches the op as input `position`; None: as it likes.

        The order of a stream costs nothing where it begins, and memory where it must change.

        Parameters
        ----------
        index : int array in the input's shape
            Any number for each element.

        Returns
        -------
        int array in the natural shape, channels last, or None
            The same numbers in the order wanted.
        """
        return None

    def follow(self, index: np.ndarray) -> np.ndarray | None:
        """Where the elements of a stream go: `index`, as in `wanted_order`, in the order of the
        result; None where that ends the search for what wants an order.

        An op that keeps the axes returns `index` as it is, also where their lengths change.
        """
        return None


def require_shape(node: Node, shapes: Sequence[Shape], found: Shape) -> None:
    """Checks that a result has the shape that the node's op promises for its inputs.

    Raises
    ------
    CheckError
        It has another one, or the op does not take such inputs.
    """
    try:
        wanted = node.op.result_shape(*shapes)
    except ValueError as error:
        raise CheckError(f"{node.name}: {error}") from error
    if found != wanted:
        kind = type(node.op).__name__
        raise CheckError(f"{node.name}: {kind} must give the shape {wanted}, not {found}")


def require_op(node: Node) -> None:
    """Checks that a node's op is one of the tensor graph.

    Raises
    ------
    CheckError
    """
    if not isinstance(node.op, TensorOp):
        raise CheckError(f"{node.name}: op must be a TensorOp, not {type(node.op).__name__}")

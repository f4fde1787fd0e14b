"""The contract of an integer op: what it makes of exact integers, and which operator computes it.

An integer graph has whole frames, shapes without batch axis, channels last. A channel is an index
of the last axis, the axes in front of it are spatial. A graph input is described by an `IntTensor`;
every other value is what an op's `result_type` says, a range per channel from the actual weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cores.op import Op
from cores.types import IntType, StreamType
from hwgen.errors import CheckError


@dataclass(frozen=True, eq=False)
class IntTensor:
    """Shape (without batch axis, channels last) and exact range of each channel.

    Parameters
    ----------
    shape : tuple of int
    lo, hi : int64 array, (channels,)
    """

    shape: tuple[int, ...]
    lo: np.ndarray
    hi: np.ndarray

    @property
    def dtype(self) -> IntType:
        """The union of the channels' ranges."""
        return IntType(int(self.lo.min()), int(self.hi.max()))


class IntegerOp(ABC):
    """Base of the ops of the integer graph; subclasses are frozen dataclasses with int64 arrays.

    Nothing outside knows the ops by their class to find out what they mean. The three methods share
    no code: each is checked against the others.
    """

    arity: ClassVar[int | None] = 1
    """How many inputs it takes; None: any number from one."""

    by_channel: ClassVar[bool] = False
    """Whether it takes each channel of windows for itself, so that they may come in depthwise
    order."""

    @abstractmethod
    def result_type(self, *inputs: IntTensor) -> IntTensor:
        """Shape and range per channel of the result.

        The range holds every result, and is exactly what is reached where the elements of the
        inputs can take all values of their ranges independently.

        Raises
        ------
        ValueError
            A field does not fit the shapes of the inputs.
        """

    @abstractmethod
    def compute(self, *x: np.ndarray) -> np.ndarray:
        """The exact result for a batch, int64; axis 0 of `x` and of the result are the frames."""

    @abstractmethod
    def lower(self, types: Sequence[StreamType]) -> Op | None:
        """The operator of `cores` that computes this, not folded.

        Parameters
        ----------
        types : sequence of StreamType
            Of the inputs; their ranges are those of all channels together.

        Returns
        -------
        Op or None
            None where none is needed: the same elements in the same order, under another shape.

        Raises
        ------
        ValueError
            The operator does not take what this op asks of it.
        """


def require_op(op: object, node: str) -> IntegerOp:
    """The op of a node of an integer graph.

    Raises
    ------
    CheckError
        It is none.
    """
    if not isinstance(op, IntegerOp):
        raise CheckError(f"{node}: op must be an IntegerOp, not {type(op).__name__}")
    return op

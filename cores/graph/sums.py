"""Sums of sums: a graph of adders over shifted inputs, and what each node of it is worth."""

from dataclasses import dataclass, field

import numpy as np

from cores.types import IntType


@dataclass(frozen=True)
class SharedSum:
    """``low + (high << shift)``, or minus if `negative`; all of it negated if `opposite`.

    Parameters
    ----------
    low, high : int
        Nodes: inputs first, then sums.
    opposite : bool
        Only of a difference.
    """

    low: int
    high: int
    shift: int
    negative: bool
    opposite: bool = False


@dataclass(frozen=True)
class Output:
    """``node << shift``, negated if `negative`; zero if there is no node."""

    node: int | None
    shift: int = 0
    negative: bool = False


@dataclass(eq=False)
class SumGraph:
    """Sums over inputs of one range.

    Parameters
    ----------
    inputs : int
        Number of inputs.
    dtype : IntType
        Range of the inputs.

    Attributes
    ----------
    sums : list of SharedSum
    outputs : list of Output
    coefficients : list of int array, (inputs,)
        What every node is, as weights of the inputs.
    ranges : list of IntType
        Of every node: exactly the values it takes.
    arrivals : list of int
        Of every node, the adders on the longest path to it.
    """

    inputs: int
    dtype: IntType
    sums: list[SharedSum] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)

    def __post_init__(self):
        self.coefficients = list(np.eye(self.inputs, dtype=np.int64))
        self.ranges = [self.dtype] * self.inputs
        self.arrivals = [0] * self.inputs

    def add(self, new: SharedSum) -> int:
        """The node of a sum."""
        low, high = self.coefficients[new.low], self.coefficients[new.high] << new.shift
        total = low - high if new.negative else low + high
        self.coefficients.append(-total if new.opposite else total)
        self.ranges.append(reach(self.coefficients[-1], self.dtype))
        self.arrivals.append(1 + max(self.arrivals[new.low], self.arrivals[new.high]))
        self.sums.append(new)
        return len(self.coefficients) - 1

    def sum_of(self, node: int) -> SharedSum | None:
        return self.sums[node - self.inputs] if node >= self.inputs else None

    def bits(self, pair: SharedSum) -> int:
        """Bits of the adder of a pair: the low word's bits below the shift pass it by."""
        low, high = self.ranges[pair.low], self.ranges[pair.high]
        if pair.opposite:
            return _width(high, low, pair.shift, True)
        if not pair.negative and not low.signed and low.width <= pair.shift:
            return 0
        return _width(low, high, pair.shift, pair.negative) - pair.shift

    def matrix(self) -> np.ndarray:
        """The weights of the outputs."""
        rows = np.zeros((len(self.outputs), self.inputs), np.int64)
        for row, output in zip(rows, self.outputs, strict=True):
            if output.node is not None:
                row[:] = self.coefficients[output.node] << output.shift
                if output.negative:
                    row *= -1
        return rows

    @property
    def record(self) -> list:
        """Numbers that `of_record` makes the same graph of."""
        outputs = [[out.node, out.shift, out.negative] for out in self.outputs]
        sums = [[s.low, s.high, s.shift, s.negative, s.opposite] for s in self.sums]
        return [self.inputs, sums, outputs]

    @classmethod
    def of_record(cls, record: list, dtype: IntType) -> "SumGraph":
        """
        Raises
        ------
        ValueError
            `record` is not one of a graph.
        """
        try:
            inputs, sums, outputs = record
            graph = cls(inputs, dtype)
            for low, high, *rest in sums:
                if not 0 <= min(low, high) <= max(low, high) < len(graph.ranges):
                    raise ValueError(f"a sum must be of nodes before it, not of {low} and {high}")
                graph.add(SharedSum(low, high, *rest))
            graph.outputs += [Output(*output) for output in outputs]
        except (TypeError, IndexError) as error:
            raise ValueError(f"a record must hold the numbers of a graph: {error}") from error
        return graph


def reach(weights: np.ndarray, dtype: IntType) -> IntType:
    """Range of the product of `weights` with inputs of range `dtype`."""
    up, down = int(weights[weights > 0].sum()), int(weights[weights < 0].sum())
    return IntType(up * dtype.lo + down * dtype.hi, up * dtype.hi + down * dtype.lo)


def _width(low: IntType, high: IntType, shift: int, negative: bool) -> int:
    lo, hi = high.lo << shift, high.hi << shift
    if negative:
        lo, hi = -hi, -lo
    return IntType(low.lo + lo, low.hi + hi).width

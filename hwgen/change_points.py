"""Where a tail changes its value: the pieces of a piecewise constant function of an integer."""

from dataclasses import dataclass

import numpy as np

from hwgen.exact import Real
from hwgen.tail import Expr, evaluate

MAX_PIECES = 65536
"""Most pieces that one channel may have."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """One channel's function: values[k] with k = number of `starts` not above n.

    Parameters
    ----------
    starts : list of int
        Ascending; the first is above the lower end of the range.
    values : list of Real
        One more than `starts`; neighbours differ.
    """

    starts: list[int]
    values: list[Real]


def change_points(expr: Expr, lo: np.ndarray, hi: np.ndarray) -> list[Pieces]:
    """The pieces of `expr` on lo[c]..hi[c], both included, for each channel c.

    Parameters
    ----------
    expr : Expr
    lo, hi : int64 array, (channels,)

    Raises
    ------
    ModelError
        More than `MAX_PIECES` pieces in a channel, as where no quantiser ends the tail.
    DomainError, UndecidedError
        As from `hwgen.tail.evaluate`.
    """
    pieces = []
    for channel, (first, last) in enumerate(zip(lo.tolist(), hi.tolist(), strict=True)):
        starts, values = [], [evaluate(expr, first, channel)]
        for n in range(first + 1, last + 1):
            value = evaluate(expr, n, channel)
            if value != values[-1]:
                starts.append(n)
                values.append(value)
        pieces.append(Pieces(starts, values))
    return pieces

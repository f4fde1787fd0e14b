"""Where a tail changes its value: the pieces of a piecewise constant function of an integer.

Branch and bound over boxes (a channel and a range of n), all channels and boxes at once. Interval
arithmetic shows of each box either that every decision of the tail (quantiser outputs, thresholds
reached, signs, branches of relu, min and max) is the same on the whole box, or nothing; then the
box is halved. What intervals leave open on a single n is decided by exact arithmetic. Nothing is
assumed about the tail's shape.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwgen.errors import ModelError
from hwgen.numerics.exact import Real
from hwgen.numerics.images import Boxes, Images, nodes
from hwgen.numerics.tail import (
    Apply,
    Const,
    Expr,
    Parameter,
    Quantise,
    StepCount,
    decided,
    decision,
    evaluate,
)

MAX_PIECES = 65536
"""Most pieces that one channel may have."""
MAX_INTEGER = 2**52
"""Ranges lie within +- this, so that every n is a float64."""
BATCH = 1 << 15  # boxes evaluated together: their arrays stay in the cache
CHANNELS = 128  # channels searched together: bounds the memory


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

    def within(self, lo: int, hi: int) -> "Pieces":
        """The same function on the part lo..hi of its range."""
        first, last = bisect_right(self.starts, lo), bisect_right(self.starts, hi)
        return Pieces(self.starts[first:last], self.values[first : last + 1])


def change_points(expr: Expr, lo: np.ndarray, hi: np.ndarray) -> list[Pieces]:
    """The pieces of `expr` on lo[c]..hi[c], both included, for each channel c.

    Parameters
    ----------
    expr : Expr
    lo, hi : int64 array, (channels,)
        Within +- `MAX_INTEGER`.

    Raises
    ------
    ModelError
        More than `MAX_PIECES` pieces in a channel, as where no quantiser ends the tail.
    DomainError, UndecidedError
        As from `hwgen.numerics.tail.evaluate`.
    ValueError
        A range is empty or too wide.
    """
    lo, hi = np.asarray(lo, dtype=np.int64), np.asarray(hi, dtype=np.int64)
    wrong = np.flatnonzero((lo > hi) | (lo < -MAX_INTEGER) | (hi > MAX_INTEGER))
    if wrong.size:
        found = f"{lo[wrong[0]]}..{hi[wrong[0]]}"
        raise ValueError(f"each range must be lo <= hi, within +- 2^52, not {found}")
    if not any(isinstance(parameter, np.ndarray) for parameter in _parameters(expr)):
        union = Boxes(np.zeros(1, dtype=np.int64), lo.min(keepdims=True), hi.max(keepdims=True))
        [pieces] = _search(expr, union)
        return [pieces.within(*bounds) for bounds in zip(lo.tolist(), hi.tolist(), strict=True)]
    whole = Boxes(np.arange(len(lo)), lo, hi)
    found = []
    for first in range(0, len(whole), CHANNELS):
        found += _search(expr, whole[first : first + CHANNELS])
    return found


def _parameters(expr: Expr) -> Iterator[Parameter]:
    for node in nodes(expr):
        if isinstance(node, Const):
            yield node.value
        elif isinstance(node, Quantise):
            yield from (node.scale, node.zero_point)
        elif isinstance(node, StepCount):
            yield from (node.out_scale, node.out_bias)
            if len(node.thresholds) > 1:
                yield node.thresholds


def _search(expr: Expr, whole: Boxes) -> list[Pieces]:
    """The pieces of each of the given boxes, which are in different channels."""
    decides = any(
        isinstance(node, (Quantise, StepCount)) or (isinstance(node, Apply) and node.fn == "sign")
        for node in nodes(expr)
    )
    if not decides and (whole.last - whole.first).max() >= MAX_PIECES:
        raise _too_many(whole)
    images = Images(expr)
    done: list[tuple[np.ndarray, ...]] = []  # channel, first n, known, key columns
    open_boxes = whole
    while len(open_boxes):
        left = []
        for start in range(0, len(open_boxes), BATCH):
            boxes = open_boxes[start : start + BATCH]
            image = images.of(boxes)
            ready, key = image.single, [column[image.single] for column in image.key]
            done.append((boxes.channel[ready], boxes.first[ready], image.known[ready], *key))
            left.append(boxes[~ready].halves())
        open_boxes = Boxes(
            np.concatenate([boxes.channel for boxes in left]),
            np.concatenate([boxes.first for boxes in left]),
            np.concatenate([boxes.last for boxes in left]),
        )
        if len(open_boxes) and np.bincount(open_boxes.channel).max() > 2 * MAX_PIECES:
            raise _too_many(whole)
    channel, first, known, *key = (np.concatenate(column) for column in zip(*done, strict=True))
    order = np.lexsort((first, channel))
    channel, first, known = channel[order], first[order], known[order]
    values = _runs(expr, channel, first, known, [column[order] for column in key])
    pieces = [Pieces(*values[c]) for c in whole.channel.tolist()]
    if max(len(piece.values) for piece in pieces) > MAX_PIECES:
        raise _too_many(whole)
    return pieces


def _runs(
    expr: Expr,
    channel: np.ndarray,
    first: np.ndarray,
    known: np.ndarray,
    key: list[np.ndarray],
) -> dict[int, tuple[list[int], list[Real]]]:
    """Starts and values per channel, from boxes in ascending order."""
    root = expr if isinstance(expr, (Quantise, StepCount)) else None
    if root is not None:  # one decision is the whole key: take the open ones exactly
        for box in np.flatnonzero(~known):
            c, n = int(channel[box]), int(first[box])
            key[0][box] = decision(root, evaluate(root.arg, n, c), c)
        known = np.ones_like(known)
    fresh = np.ones(len(channel), dtype=bool)
    fresh[1:] = (channel[1:] != channel[:-1]) | ~known[1:] | ~known[:-1]
    for column in key:
        fresh[1:] |= column[1:] != column[:-1]
    found: dict[int, tuple[list[int], list[Real]]] = {}
    for box in np.flatnonzero(fresh).tolist():
        c, n = int(channel[box]), int(first[box])
        value = decided(root, int(key[0][box]), c) if root is not None else evaluate(expr, n, c)
        starts, values = found.setdefault(c, ([], []))
        if values and value == values[-1]:
            continue
        if values:
            starts.append(n)
        values.append(value)
    return found


def _too_many(whole: Boxes) -> ModelError:
    return ModelError(
        f"the function must have at most {MAX_PIECES} pieces on the integers "
        f"{whole.first.min()}..{whole.last.max()}; end it with a quantiser"
    )

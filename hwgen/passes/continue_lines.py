"""Steps beyond the range of a channel, where it never comes, so that they can be a line."""

import numpy as np

from cores.steps.linear_fit import Lines, fit, reached
from cores.types import IntType
from hwgen.graph.ir import Graph
from hwgen.integer.op import IntTensor
from hwgen.integer.steps import IntStep

MANY = 32
"""Steps from which on comparators are dearer than a line, which may need more of them."""

LEVELS = 256
"""Results for which steps are made that no channel reaches alone."""


def continue_lines(graph: Graph) -> Graph:
    """Replaces steps that are a line in each channel's own range by that line in the range of all.

    Requires: an integer graph.
    Ensures: an operator that sees the union of the ranges finds the same line, where one of its own
    inputs would not let it: what a channel of a smaller range never reaches.
    Keeps: the function of the graph on all inputs of its declared ranges.
    """
    return graph.map_ops(
        lambda node: (
            _continued(node.op, graph.types[node.inputs[0]])
            if isinstance(node.op, IntStep)
            else node.op
        )
    )


def _continued(step: IntStep, x: IntTensor) -> IntStep:
    count = step.starts.shape[1]
    if count < MANY or fit(x.dtype, step.starts, step.values) is not None:
        return step
    ranges = [IntType(int(lo), int(hi)) for lo, hi in zip(x.lo, x.hi, strict=True)]
    lines = fit(ranges, step.starts, step.values)
    out = reached(ranges, step.starts, step.values)
    if lines is None or out.levels > max(count + 1, LEVELS):
        return step
    rows = [
        _row(slope, offset, lines, x.dtype, out)
        for slope, offset in zip(lines.slopes, lines.offsets, strict=True)
    ]
    starts, values = (np.array(part, np.int64) for part in zip(*rows, strict=True))
    return IntStep(starts, values)


def _row(
    slope: int, offset: int, lines: Lines, dtype: IntType, out: IntType
) -> tuple[list[int], list[int]]:
    """Starts and values of one channel."""
    rising = [level << lines.shift for level in range(out.lo + 1, out.hi + 1)]
    if slope > 0:  # slope * x + offset >= end
        return [-((offset - end) // slope) for end in rising], [*range(out.lo, out.hi + 1)]
    if slope < 0:  # slope * x + offset < end
        starts = [(offset - end) // -slope + 1 for end in reversed(rising)]
        return starts, [*range(out.hi, out.lo - 1, -1)]
    level = min(out.hi, max(out.lo, offset >> lines.shift))
    starts = [dtype.lo] * (level - out.lo) + [dtype.hi + 1] * (out.hi - level)
    return starts, [*range(out.lo, out.hi + 1)]

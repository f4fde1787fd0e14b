"""Steps behind the sums of a layer, as the line in integers that an engine computes."""

from dataclasses import replace

import numpy as np

from cores.engine.layer import FACTORS, Rescale
from cores.linear_fit import Lines, fit, fit_even, reached
from cores.types import IntType
from hwgen.errors import ModelError
from hwgen.integer import Step
from hwgen.passes.layer_parts import Sums, excess
from hwgen.passes.pair_lines import fit_pairs


def rescaled(sums: Sums, step: Step, name: str) -> tuple[np.ndarray, Rescale, int]:
    """Weights with the sign of the steps, what makes results of their sums, and what these lack.

    Raises
    ------
    ModelError
        The steps are no line, nor one with ties to even.
    """
    out = reached(sums.ranges, step.starts, step.values)
    sums, lines = _lines(sums, step, out, name)
    lacking = excess(out, name)
    signs = np.where(np.array(lines.slopes) < 0, -1, 1)
    weights = sums.weights * signs.reshape(-1, *[1] * (sums.weights.ndim - 1))
    offsets = tuple(
        offset + slope * more - (lacking << lines.shift)
        for slope, offset, more in zip(lines.slopes, lines.offsets, sums.more.tolist(), strict=True)
    )
    lowered = IntType(out.lo - lacking, out.hi - lacking)
    slopes = tuple(map(abs, lines.slopes))
    return weights, Rescale(slopes, offsets, lines.shift, lowered, lines.late), lacking


def _lines(sums: Sums, step: Step, out: IntType, name: str) -> tuple[Sums, Lines]:
    """Of two tensors that are joined, the factors may be others."""
    reach = np.abs(sums.weights).max()
    if sums.add is None or reach <= FACTORS.hi:
        lines = fit(sums.ranges, step.starts, step.values)
        if lines is None:
            lines = fit_even(sums.ranges, step.starts, step.values)
        if lines is not None:
            return sums, lines
    if sums.add is not None:
        kinds = [source.kind for source in sums.sources]
        found = fit_pairs(kinds, sums.add, step, out=out, most=FACTORS.hi)
        if found is not None:
            factors, lines = found
            zeros = np.zeros_like(sums.offset)
            return replace(sums, weights=factors.T, offset=zeros), lines
    raise ModelError(
        f"{name}: the steps of some channel are not on a line in integers, as a sequence needs "
        "them; build it with one unit per layer"
    )

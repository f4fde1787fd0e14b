"""Steps behind the sums of a layer, as the line in integers that an engine computes."""

from dataclasses import replace

import numpy as np

from cores.engine.layer import BYTE, FACTORS, Rescale
from cores.steps.linear_fit import Lines, fit, fit_even, reached
from cores.types import IntType
from hwgen.errors import ModelError
from hwgen.integer.steps import IntStep
from hwgen.passes.layer_parts import LayerSums, excess
from hwgen.passes.pair_lines import fit_pairs

ODD = (1, -1, 127, 129)
"""What the numbers in the memory may lack where ties go to odd."""


def rescaled(sums: LayerSums, step: IntStep, name: str) -> tuple[np.ndarray, Rescale, int]:
    """Weights with the sign of the steps, what makes results of their sums, and what these lack.

    Raises
    ------
    ModelError
        The steps are no line, nor one with ties to even.
    """
    out = reached(sums.ranges, step.starts, step.values)
    lacking, more_levels = excess(out, name), 0
    odd = [each for each in ODD if BYTE.holds(IntType(out.lo - each, out.hi - each))]
    found = _lines(sums, step, out)
    if found is None and odd:
        # Ties go to odd, as behind an odd zero point; what lacks an odd number makes them even.
        found = _even(sums, replace(step, values=step.values + 1))
        lacking, more_levels = odd[0], 1
    if found is None:
        raise ModelError(
            f"{name}: the steps of some channel are not on a line in integers, as a sequence needs "
            "them; build it with one unit per layer"
        )
    sums, lines = found
    signs = np.where(np.array(lines.slopes) < 0, -1, 1)
    weights = sums.weights * signs.reshape(-1, *[1] * (sums.weights.ndim - 1))
    offsets = tuple(
        offset + slope * more - (lacking + more_levels << lines.shift)
        for slope, offset, more in zip(lines.slopes, lines.offsets, sums.more.tolist(), strict=True)
    )
    lowered = IntType(out.lo - lacking, out.hi - lacking)
    slopes = tuple(map(abs, lines.slopes))
    return weights, Rescale(slopes, offsets, lines.shift, lowered, lines.late), lacking


def _lines(sums: LayerSums, step: IntStep, out: IntType) -> tuple[LayerSums, Lines] | None:
    """Of two tensors that are joined, the factors may be others."""
    if sums.add is None or np.abs(sums.weights).max() <= FACTORS.hi:
        lines = fit(sums.ranges, step.starts, step.values)
        found = (sums, lines) if lines is not None else _even(sums, step)
        if found is not None:
            return found
    if sums.add is not None:
        kinds = [source.kind for source in sums.sources]
        found = fit_pairs(kinds, sums.add, step, out=out, most=FACTORS.hi)
        if found is not None:
            factors, lines = found
            zeros = np.zeros_like(sums.offset)
            return replace(sums, weights=factors.T, offset=zeros), lines
    return None


def _even(sums: LayerSums, step: IntStep) -> tuple[LayerSums, Lines] | None:
    if np.abs(sums.weights).max() > FACTORS.hi:
        return None
    lines = fit_even(sums.ranges, step.starts, step.values)
    return None if lines is None else (sums, lines)

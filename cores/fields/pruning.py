"""What weights that are 0 spare: nothing of a folded layer, their adders of an unfolded one."""

from dataclasses import dataclass

import numpy as np

from cores.cost import Resources

_NOTHING = Resources()


@dataclass(frozen=True)
class Pruned:
    """The zeros of an op's weights.

    Attributes
    ----------
    weights, zeros : int
        How many there are.
    spared : Resources
        What the op would take more with `filled` weights.
    """

    weights: int
    zeros: int
    spared: Resources

    @classmethod
    def of(
        cls, weights: np.ndarray, full: Resources = _NOTHING, found: Resources = _NOTHING
    ) -> "Pruned":
        """From what the op takes with `filled` weights, and with its own."""
        zeros = weights.size - int(np.count_nonzero(weights))
        spared = Resources(lut4=max(0, full.lut4 - found.lut4), ff=max(0, full.ff - found.ff))
        return cls(weights.size, zeros, spared)


def filled(weights: np.ndarray) -> np.ndarray:
    """The same without zeros: the other weights in their place, in order, again and again."""
    others = weights[weights != 0]
    found = weights.copy()
    if others.size:
        found[weights == 0] = np.resize(others, weights.size - others.size)
    return found

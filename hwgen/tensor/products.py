"""Sums of products: matrix products and convolutions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MatMul:
    """numpy's matmul of two tensors."""


@dataclass(frozen=True)
class Conv:
    """Cross-correlation of x (1, channels, *space) with weights (outputs, channels / groups,
    *kernel), padded with the real number 0; result (1, outputs, *space).

    Parameters
    ----------
    strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Before and after, one per spatial axis.
    groups : int
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int = 1

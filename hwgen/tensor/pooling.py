"""The largest element or the mean under a kernel or over axes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MaxPool:
    """Largest element under each kernel position of x (1, channels, *space); padding never wins.

    Parameters
    ----------
    kernel, strides, dilations : tuple of int
        One per spatial axis.
    pads : tuple of (int, int)
        Before and after, one per spatial axis; smaller than the kernel.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class AveragePool:
    """Mean under each kernel position of x (1, channels, *space); padding counts as zeros if
    `include_pad`, else not at all.

    Parameters are those of `MaxPool`.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    include_pad: bool = False


@dataclass(frozen=True)
class Mean:
    """Mean over `axes`, which stay with length 1 if `keepdims`."""

    axes: tuple[int, ...]
    keepdims: bool

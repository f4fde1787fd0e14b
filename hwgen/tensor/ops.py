"""Ops of the tensor graph: the model as real numbers, every quantiser in one normal form.

The reader makes these from ONNX; nothing here knows ONNX. A graph input is described by a
`TensorType`. All arithmetic is meant in real numbers, with constants as stored (DESIGN: the
referee); axes are those of the model, batch axis included.
"""

from dataclasses import dataclass

import numpy as np

ROUNDINGS = ("HALF_EVEN", "HALF_UP", "HALF_DOWN", "HALF_CEIL", "CEIL", "FLOOR", "UP", "DOWN")
"""HALF_EVEN: ties to even. HALF_UP / HALF_DOWN: ties away from / towards zero (QONNX's names).
HALF_CEIL: ties to +infinity. CEIL / FLOOR: to +/- infinity. UP / DOWN: away from / towards zero."""

UNARY = (
    "relu",
    "sigmoid",
    "tanh",
    "sqrt",
    "exp",
    "log",
    "abs",
    "neg",
    "sign",
    "erf",
    "reciprocal",
    "softplus",
)
BINARY = ("add", "sub", "mul", "div", "pow", "min", "max")


@dataclass(frozen=True)
class TensorType:
    """Shape and element type of a graph input: `elem` is an ONNX name such as ``FLOAT`` or
    ``INT8``."""

    shape: tuple[int, ...]
    elem: str


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor stored in the model (float32, float64 or integer as stored)."""

    value: np.ndarray


@dataclass(frozen=True, eq=False)
class Quant:
    """One quantiser: an integer n and the real number (n - zero_point) * scale that it stands for.

    n = clip(round(x / scale) + zero_point) if `round_first`, else
    n = clip(round(x / scale + zero_point)); the result is (n - zero_point) * scale, with
    lo <= n <= hi.

    `zero_point` may be fractional: a bipolar quantiser is scale 2s, zero_point 1/2, range 0..1,
    HALF_CEIL.

    Parameters
    ----------
    scale, zero_point : float array
        Broadcast against the input; constants as stored (float32 values held in float64).
    lo, hi : int or None
        Range of n; None where unbounded (Round, Floor, Ceil).
    rounding : str
        One of `ROUNDINGS`.
    round_first : bool
        QDQ and QOperator: True. QONNX: False. They differ at ties when the zero point is odd.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    lo: int | None
    hi: int | None
    rounding: str = "HALF_EVEN"
    round_first: bool = False


@dataclass(frozen=True, eq=False)
class MultiThreshold:
    """out_scale * (number of thresholds t of the channel with x >= t) + out_bias.

    Parameters
    ----------
    thresholds : float array, (channels or 1, count)
    out_scale, out_bias : float
    axis : int
        Channel axis of the input.
    """

    thresholds: np.ndarray
    out_scale: float
    out_bias: float
    axis: int


@dataclass(frozen=True)
class Unary:
    """Elementwise function of one tensor, one of `UNARY`."""

    fn: str


@dataclass(frozen=True)
class Binary:
    """Elementwise function of two tensors with numpy broadcasting, one of `BINARY`."""

    fn: str


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


@dataclass(frozen=True)
class Pad:
    """A constant `value` around a tensor: (before, after) for every axis, none negative."""

    pads: tuple[tuple[int, int], ...]
    value: float


@dataclass(frozen=True)
class Concat:
    """Two or more tensors behind one another along `axis`, which is not negative."""

    axis: int


@dataclass(frozen=True)
class Slice:
    """Elements start, start + step, ... below stop of every axis; steps are positive."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Repeat:
    """Every element `factors[axis]` times in a row along each axis, as nearest neighbours do."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Dilate:
    """`factors[axis]` - 1 zeros between neighbours along each axis; a transposed convolution is a
    `Conv` of this."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Reshape:
    """Same elements in row-major order under another shape (all dimensions known)."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Transpose:
    perm: tuple[int, ...]


@dataclass(frozen=True)
class Softmax:
    axis: int


@dataclass(frozen=True)
class ArgMax:
    """Index of the largest element, the lowest index at ties, along `axis` (kept with length 1 if
    `keepdims`)."""

    axis: int
    keepdims: bool
    largest: bool = True


@dataclass(frozen=True)
class Unsupported:
    """A node that hwgen cannot map: kept so that all problems of a model are reported at once.

    Parameters
    ----------
    what : str
        Operator with domain, as ``LayerNormalization`` or ``com.microsoft.QGemm``.
    reason : str
        What must hold, and what came instead.
    nearest : str
        The nearest form that can be mapped; empty if there is none.
    """

    what: str
    reason: str
    nearest: str = ""

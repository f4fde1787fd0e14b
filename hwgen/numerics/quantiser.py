"""The parameters of quantisers: one normal form for all of them, and counted thresholds.

Every tensor op that quantises hands one of these to what computes or maps it.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Quantiser:
    """An integer n and the real number (n - zero_point) * scale that it stands for.

    n = clip(round(x / scale) + zero_point) if `round_first`, else
    n = clip(round(x / scale + zero_point)), with lo <= n <= hi.

    `zero_point` may be fractional: a bipolar quantiser is scale 2s, zero_point 1/2, range 0..1,
    HALF_CEIL.

    Parameters
    ----------
    scale, zero_point : float array
        Broadcast against the input; constants as stored (float32 values held in float64).
    lo, hi : int or None
        Range of n; None where unbounded (Round, Floor, Ceil).
    rounding : str
        One of `hwgen.numerics.exact.ROUNDINGS`.
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
class Thresholds:
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

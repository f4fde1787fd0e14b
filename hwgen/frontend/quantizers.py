"""QONNX's quantisers in the one normal form (`hwgen.tensor.quantisers.Quant`), exactly.

Source
------
The operator texts of QONNX (github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops).
"""

import numpy as np

from hwgen.frontend.call import Call, RefusalError, Tensor, broadcast
from hwgen.tensor.quantisers import MultiThreshold, Quant

ROUNDING_MODES = {
    "ROUND": "HALF_EVEN",
    "HALF_EVEN": "HALF_EVEN",
    "HALF_UP": "HALF_UP",
    "HALF_DOWN": "HALF_DOWN",
    "CEIL": "CEIL",
    "FLOOR": "FLOOR",
    "UP": "UP",
    "DOWN": "DOWN",
    "ROUND_TO_ZERO": "DOWN",
}
MAX_BITS = 64
ZERO, HALF, ONE = np.array(0.0), np.array(0.5), np.array(1.0)


def quant(call: Call) -> Tensor:
    """Quant and IntQuant: x, scale, zero point, bit width."""
    x = call.real(0)
    scale = finite(call, 1, "scale")
    zero_point = finite(call, 2, "zero point", may_be_zero=True)
    bits = bit_width(call, 3)
    signed, narrow = flag(call, "signed"), flag(call, "narrow")
    if bits == 1 and zero_point.any():
        raise RefusalError(
            "zero point of a 1-bit quantiser must be 0",
            str(zero_point.ravel()[zero_point.ravel() != 0][0]),
            "export binary values as BipolarQuant, or with zero point 0",
        )
    mode = rounding(call, "ROUND")
    if bits == 1 and signed:
        return quantised(call, x, bipolar(scale))
    lo, hi = int_range(bits, signed=signed, narrow=narrow)
    return quantised(call, x, Quant(scale, zero_point, lo, hi, mode))


def bipolar_quant(call: Call) -> Tensor:
    """BipolarQuant: scale where x >= 0, else -scale, whatever the sign of the scale."""
    x, scale = call.real(0), finite(call, 1, "scale")
    if (scale > 0).all():
        return quantised(call, x, bipolar(scale))
    magnitude = quantised(call, x, bipolar(np.abs(scale)), sub="magnitude")
    return call.binary("mul", magnitude, call.number(np.sign(scale), "sign"))


def trunc(call: Call) -> Tensor:
    """Trunc: x, scale, zero point, input bits, [output scale,] output bits.

    The integer q = round(x / scale + zero_point) is divided by 2^shift and rounded; as quantisers:
    first (scale, zero_point), unbounded, then (scale * 2^shift, zero_point / 2^shift).
    """
    if len(call.inputs) not in (5, 6):
        raise RefusalError(
            "Trunc must have 5 inputs, or 6 with an output scale", str(len(call.inputs))
        )
    x, scale = call.real(0), finite(call, 1, "scale")
    zero_point = finite(call, 2, "zero point", may_be_zero=True)
    in_bits, mode = bit_width(call, 3), rounding(call, "FLOOR")
    second = len(call.inputs) == 6
    if second:
        out_scale = finite(call, 4, "output scale")
        signed, narrow = bool(call.attr("signed", 1)), bool(call.attr("narrow", 0))
        lo, hi = int_range(bit_width(call, 5), signed=signed, narrow=narrow)
        if not (out_scale / scale > 0).all():
            raise RefusalError("Trunc must have scales of one sign", f"{scale} and {out_scale}")
        step = np.exp2(np.round(np.log2(out_scale / scale)))
    else:
        out_scale, lo, hi = scale, None, None
        step = np.exp2(np.float64(in_bits - bit_width(call, 4)))
    coarse, coarse_zero = np.asarray(scale * step), np.asarray(zero_point / step)
    exact = quantised(call, x, Quant(scale, zero_point, None, None), sub="integer")
    out = Quant(coarse, coarse_zero, lo, hi, mode)
    if second and (coarse == out_scale).all():
        return quantised(call, exact, out)
    # (n - coarse_zero) * coarse becomes (n - z) * out_scale, z = coarse_zero in version 2
    value = quantised(call, exact, out, sub="quant")
    value = call.binary("div", value, call.number(coarse, "coarse"), "n")
    if not second and zero_point.any():
        value = call.binary("add", value, call.number(coarse_zero - zero_point, "zero"), "shifted")
    return call.binary("mul", value, call.number(out_scale, "scale"))


def multi_threshold(call: Call) -> Tensor:
    x, thresholds = call.real(0), call.stored(1, "thresholds").astype(np.float64)
    if not np.isfinite(thresholds).all():
        bad = int((~np.isfinite(thresholds)).sum())
        raise RefusalError(
            "thresholds must be finite",
            f"{bad} NaN or infinite of {thresholds.size}",
            "train or export the model again",
        )
    if thresholds.ndim != 2:
        raise RefusalError(
            "thresholds must have shape (channels or 1, count)", str(thresholds.shape)
        )
    shape = call.shape(x)
    if len(shape) < 2:
        raise RefusalError("MultiThreshold must work on at least 2 dimensions", str(shape))
    last = str(call.attr("data_layout", "NCHW")).endswith("C") or len(shape) not in (2, 4)
    axis = len(shape) - 1 if last else 1
    if thresholds.shape[0] not in (1, shape[axis]):
        raise RefusalError(
            f"thresholds must be given for 1 or all {shape[axis]} channels",
            f"{thresholds.shape[0]}",
            "check data_layout",
        )
    scale, bias = float(call.attr("out_scale", 1.0)), float(call.attr("out_bias", 0.0))
    if not np.isfinite([scale, bias]).all() or scale == 0:
        raise RefusalError(
            "out_scale and out_bias must be finite, out_scale not 0", f"{scale}, {bias}"
        )
    return call.emit(MultiThreshold(thresholds, scale, bias, axis), x)


def rounded(call: Call, mode: str) -> Tensor:
    """Round, Floor and Ceil: a quantiser of step 1 without ends."""
    return quantised(call, call.real(0), Quant(ONE, ZERO, None, None, mode))


def bipolar(scale: np.ndarray) -> Quant:
    """scale where x / scale >= 0, else -scale."""
    return Quant(np.asarray(2 * scale), HALF, 0, 1, "HALF_CEIL")


def quantised(call: Call, x: Tensor, op: Quant, sub: str = "") -> Tensor:
    """A Quant node on x, against which its constants must broadcast."""
    broadcast(x.shape, broadcast(op.scale.shape, op.zero_point.shape))
    return call.emit(op, x, sub=sub)


def finite(call: Call, index: int, what: str, *, may_be_zero: bool = False) -> np.ndarray:
    """A stored parameter in float64, which holds float32 and smaller exactly.

    Raises
    ------
    RefusalError
        It is NaN, infinite, or 0 where that has no meaning.
    """
    values = np.asarray(call.stored(index, what)).astype(np.float64)
    rule = f"{what} must be finite" if may_be_zero else f"{what} must be finite and not 0"
    bad = ~np.isfinite(values) if may_be_zero else ~np.isfinite(values) | (values == 0)
    if bad.any():
        place = f" ({int(bad.sum())} of {bad.size} values)" if bad.size > 1 else ""
        raise RefusalError(
            rule, f"{values[bad].ravel()[0]}{place}", "train or export the model again"
        )
    return values


def bit_width(call: Call, index: int) -> int:
    """The bit width of a stored tensor: one integer for all elements."""
    widths = np.unique(call.stored(index, "bit width").astype(np.float64))
    if widths.size != 1 or not 1 <= widths[0] <= MAX_BITS or widths[0] % 1:
        found = " and ".join(f"{width:g}" for width in widths[:3])
        raise RefusalError(
            f"bit width must be one integer from 1 to {MAX_BITS}",
            found,
            "train with one integer bit width for each quantiser",
        )
    return int(widths[0])


def int_range(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Range of n; narrow lowers the top of an unsigned range and raises the bottom of a signed."""
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def flag(call: Call, name: str) -> bool:
    if name not in call.attributes:
        raise RefusalError(f"{call.kind} must have the attribute {name}", "without it")
    return bool(call.attributes[name])


def rounding(call: Call, default: str) -> str:
    mode = str(call.attr("rounding_mode", default)).upper()
    if mode not in ROUNDING_MODES:
        raise RefusalError(
            f"rounding mode must be one of {', '.join(ROUNDING_MODES)}",
            mode,
            "export the quantiser with one of these",
        )
    return ROUNDING_MODES[mode]

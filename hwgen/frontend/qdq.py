"""QuantizeLinear, Clip on integers, DequantizeLinear: the same normal form, rounding first.

The integers between the two are kept as the real numbers that they stand for, with a `Grid`, so
that a pair becomes one `Quant`; they are spelled out only where something else uses them.
"""

from dataclasses import replace

import numpy as np

from hwgen.frontend.call import INT_RANGES, Call, Grid, RefusalError, Tensor, broadcast
from hwgen.frontend.model_file import elem_name
from hwgen.frontend.quantizers import ONE, ZERO, finite, quantised
from hwgen.tensor import Quant


def quantize_linear(call: Call) -> Tensor:
    x = call.plain(call.any_input(0))
    elem = _target(call)
    grid = _grid(call, x)
    lo, hi = INT_RANGES[elem]
    real = quantised(call, x, Quant(grid.scale, grid.zero_point, lo, hi, round_first=True))
    return replace(real, elem=elem, grid=grid, bounds=(lo, hi))


def dequantize_linear(call: Call) -> Tensor:
    """Of a quantiser's integers: their real number. Of stored integers: a Quant on the real
    numbers that they stand for. Of an integer graph input: (n - zero_point) * scale."""
    n = call.any_input(0)
    if n.elem not in INT_RANGES:
        raise RefusalError(
            "DequantizeLinear must read integers", n.elem, "use 4- or 8-bit integers"
        )
    grid = _grid(call, n)
    scale_elem = call.any_input(1).elem
    if n.const is not None:
        return _stored(call, n, n.const, grid)
    if n.grid is not None:
        if not n.grid.same(grid):
            raise RefusalError(
                "QuantizeLinear and DequantizeLinear must have the same scale and zero point",
                f"{_text(n.grid)} and {_text(grid)}",
                "export the pair with shared parameters",
            )
        return replace(n, grid=None, bounds=None, elem=scale_elem)
    real = replace(n, elem=scale_elem)
    if grid.zero_point.any():
        real = call.binary("sub", real, call.number(grid.zero_point, "zero"), "n")
    return call.binary("mul", real, call.number(grid.scale, "scale"))


def _stored(call: Call, n: Tensor, integers: np.ndarray, grid: Grid) -> Tensor:
    """float64 holds 8-bit times float32 exactly; wider products are off by 2^-53, which the
    quantiser's rounding takes back to the stored integer."""
    lo, hi = n.bounds or INT_RANGES[n.elem]
    real = np.asarray((integers.astype(np.float64) - grid.zero_point) * grid.scale)
    source = Tensor(real.shape, "DOUBLE", const=real, name=n.name, origin=n.origin)
    out = quantised(call, source, Quant(grid.scale, grid.zero_point, lo, hi, round_first=True))
    return replace(out, elem="FLOAT")


def clip_integers(call: Call, lo: int | None, hi: int | None) -> Tensor:
    """Clip or Relu between the two: narrows the range of the quantiser before it."""
    n = call.any_input(0)
    low, high = n.bounds or INT_RANGES[n.elem]
    # as Clip has it: min(max(n, lo), hi), so that hi wins where they cross
    lo, hi = low if lo is None else lo, high if hi is None else hi
    low, high = bounds = min(max(low, lo), hi), min(max(high, lo), hi)
    if n.const is not None:
        clipped = np.clip(n.const, low, high).astype(n.const.dtype)
        name = {"name": call.label, "origin": call.index}
        return Tensor(n.shape, n.elem, const=clipped, bounds=bounds, **name)
    if n.grid is None:
        unit = Quant(ONE, ZERO, low, high, round_first=True)
        return replace(quantised(call, n, unit), bounds=bounds)
    op = Quant(n.grid.scale, n.grid.zero_point, low, high, round_first=True)
    real = replace(n, bounds=bounds)
    assert n.value is not None
    before = call.builder.nodes.get(n.value.node)
    if before and isinstance(before.op, Quant) and not n.shared:
        call.builder.narrow(n.value, op)
        return real
    out = quantised(call, replace(n, grid=None), op)
    return replace(real, value=out.value)


def _target(call: Call) -> str:
    """Element type that QuantizeLinear makes: that of the zero point, else the attribute."""
    named = call.attr("output_dtype", 0)
    elem = call.any_input(2).elem if call.has(2) else elem_name(named) if named else "UINT8"
    if elem not in INT_RANGES:
        raise RefusalError("QuantizeLinear must make integers", elem, "use 4- or 8-bit integers")
    return elem


def _grid(call: Call, x: Tensor) -> Grid:
    """Scale and zero point with the rank that lets them broadcast against x."""
    if call.attr("block_size", 0):
        raise RefusalError(
            "scales must be given for the tensor or for each channel",
            f"blocks of {call.attributes['block_size']}",
            "quantise per channel",
        )
    scale = finite(call, 1, "scale")
    zero_point = np.zeros_like(scale)
    if call.has(2):
        zero_point = finite(call, 2, "zero point", may_be_zero=True)
    if scale.size == zero_point.size == 1:
        return Grid(scale.reshape(()), zero_point.reshape(()))
    shape = call.shape(x)
    axis = call.attr("axis", 1)
    if scale.ndim != 1 or zero_point.shape not in ((), scale.shape):
        raise RefusalError(
            "scale and zero point must be alike, with at most 1 dimension", _text(scale)
        )
    if not -len(shape) <= axis < len(shape) or shape[axis] != scale.size:
        raise RefusalError(
            f"scale must have one value for each channel of axis {axis} of shape {shape}",
            f"{scale.size} values",
        )
    column = [1] * len(shape)
    column[axis] = -1
    zero_point = np.broadcast_to(zero_point, scale.shape)
    grid = Grid(scale.reshape(column), zero_point.reshape(column))
    broadcast(shape, grid.scale.shape)
    return grid


def _text(item: Grid | np.ndarray) -> str:
    if isinstance(item, np.ndarray):
        return f"shape {item.shape}"
    if item.scale.size > 1:
        return f"{item.scale.size} scales from {item.scale.min():g}"
    return f"scale {item.scale.item()!r}, zero point {item.zero_point.item():g}"

"""QuantizeLinear, Clip on integers, DequantizeLinear: the same normal form, rounding first.

The integers between the two are kept as the real numbers that they stand for, with a `Grid`, so
that a pair becomes one `Quant`; they are spelled out only where something else uses them.
"""

from dataclasses import replace

import numpy as np

from hwgen.frontend.call import INT_RANGES, Call, Grid, RefusalError, Tensor, broadcast
from hwgen.frontend.model_file import elem_name
from hwgen.frontend.quantizers import ONE, ZERO, finite, quantised
from hwgen.tensor.quantisers import Quant


def quantize_linear(call: Call) -> Tensor:
    x = call.plain(call.any_input(0))
    return to_integers(call, x, grid_of(call, x), integer_elem(call, 2))


def to_integers(call: Call, x: Tensor, grid: Grid, elem: str, sub: str = "") -> Tensor:
    """Integers of type `elem` on a grid, from real numbers."""
    lo, hi = INT_RANGES[elem]
    real = quantised(call, x, Quant(grid.scale, grid.zero_point, lo, hi, round_first=True), sub)
    return replace(real, elem=elem, grid=grid, bounds=(lo, hi))


def dequantize_linear(call: Call) -> Tensor:
    n = call.any_input(0)
    return to_reals(call, n, grid_of(call, n), call.any_input(1).elem)


def to_reals(call: Call, n: Tensor, grid: Grid, elem: str, sub: str = "") -> Tensor:
    """Of a quantiser's integers: their real number. Of stored integers: a Quant on the real
    numbers that they stand for. Of an integer graph input: (n - zero_point) * scale."""
    call.shape(n)  # behind an unmapped operator, the type is unknown as well
    if n.elem not in INT_RANGES:
        raise RefusalError(f"{call.kind} must read integers", n.elem, "use 4- or 8-bit integers")
    if n.const is not None:
        return _stored(call, n, n.const, grid, sub)
    if n.grid is not None:
        if not n.grid.same(grid):
            raise RefusalError(
                f"the maker of integers and {call.kind} must have the same scale and zero point",
                f"{_text(n.grid)} and {_text(grid)}",
                "export the pair with shared parameters",
            )
        return replace(n, grid=None, bounds=None, elem=elem)
    real = replace(n, elem=elem, bounds=None)
    if grid.zero_point.any():
        centred = f"{sub}_n" if sub else "n"
        real = call.binary("sub", real, call.number(grid.zero_point, f"{sub}zero"), centred)
    return call.binary("mul", real, call.number(grid.scale, f"{sub}scale"), sub)


def _stored(call: Call, n: Tensor, integers: np.ndarray, grid: Grid, sub: str) -> Tensor:
    """float64 holds 8-bit times float32 exactly; wider products are off by 2^-53, which the
    quantiser's rounding takes back to the stored integer."""
    lo, hi = n.bounds or INT_RANGES[n.elem]
    real = np.asarray((integers.astype(np.float64) - grid.zero_point) * grid.scale)
    source = Tensor(real.shape, "DOUBLE", const=real, name=n.name, origin=n.origin)
    op = Quant(grid.scale, grid.zero_point, lo, hi, round_first=True)
    return replace(quantised(call, source, op, sub), elem="FLOAT")


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


def integer_elem(call: Call, index: int) -> str:
    """Element type that the node makes: that of the zero point at `index`, else the attribute."""
    named = call.attr("output_dtype", 0)
    elem = call.any_input(index).elem if call.has(index) else elem_name(named) if named else "UINT8"
    if elem not in INT_RANGES:
        raise RefusalError(f"{call.kind} must make integers", elem, "use 4- or 8-bit integers")
    return elem


def grid_of(call: Call, x: Tensor, scale_index: int = 1, axis: int | None = None) -> Grid:
    """Scale and, behind it, zero point, with the rank that lets them broadcast against x.

    Parameters
    ----------
    axis : int or None
        Axis of scales per channel; None for the attribute.
    """
    if call.attr("block_size", 0):
        raise RefusalError(
            "scales must be given for the tensor or for each channel",
            f"blocks of {call.attributes['block_size']}",
            "quantise per channel",
        )
    scale = finite(call, scale_index, "scale")
    zero_point = np.zeros_like(scale)
    if call.has(scale_index + 1):
        zero_point = finite(call, scale_index + 1, "zero point", may_be_zero=True)
    if scale.size == zero_point.size == 1:
        return Grid(scale.reshape(()), zero_point.reshape(()))
    shape = call.shape(x)
    along = int(call.attr("axis", 1)) if axis is None else axis
    if scale.ndim != 1 or zero_point.shape not in ((), (1,), scale.shape):
        raise RefusalError(
            "scale and zero point must be alike, with at most 1 dimension", _text(scale)
        )
    if not -len(shape) <= along < len(shape) or shape[along] != scale.size:
        raise RefusalError(
            f"scale must have one value for each channel of axis {along} of shape {shape}",
            f"{scale.size} values",
        )
    column = [1] * len(shape)
    column[along] = -1
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

"""Operators that join, cut and pad tensors, or move elements between space and channels."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hwgen.frontend.call import Call, Grid, RefusalError, Shape, Tensor
from hwgen.frontend.shapes import normal_axis
from hwgen.frontend.structure import on_grid
from hwgen.numerics.exact import Real
from hwgen.numerics.functions import quantise
from hwgen.tensor.elementwise import Constant
from hwgen.tensor.moves import Concat, Pad, Reshape, Slice, Transpose
from hwgen.tensor.quantisers import Quant


def concat(call: Call) -> Tensor:
    """Integers keep their grid where all have the same."""
    tensors = [call.any_input(index) for index in range(len(call.inputs))]
    shapes = [call.shape(tensor) for tensor in tensors]
    axis = normal_axis(call.attr("axis", 1), len(shapes[0]))
    require_joinable(call, shapes, axis)
    tensors = [x for x, shape in zip(tensors, shapes, strict=True) if shape[axis]]
    grid = tensors[0].grid
    same = all(x.grid is not None and grid is not None and x.grid.same(grid) for x in tensors)
    keep = grid if same and grid is not None and grid.scale.ndim == 0 else None
    if len({x.elem for x in tensors}) > 1:
        raise RefusalError(
            "Concat must join tensors of one type", " and ".join(x.elem for x in tensors)
        )
    if len(tensors) == 1:
        return tensors[0]
    sources = [x if keep is None else Tensor(x.shape, x.elem, x.value) for x in tensors]
    out = call.emit(Concat(axis), *sources)
    return Tensor(out.shape, out.elem, out.value, grid=keep, bounds=_union(tensors))


def _union(tensors: Sequence[Tensor]) -> tuple[int, int] | None:
    bounds = [x.bounds for x in tensors if x.bounds is not None]
    if len(bounds) < len(tensors):
        return None
    return min(lo for lo, _ in bounds), max(hi for _, hi in bounds)


def require_joinable(call: Call, shapes: Sequence[Shape], axis: int) -> None:
    """Checks that tensors of these shapes can stand behind one another.

    Raises
    ------
    RefusalError
        They differ on another axis.
    """
    first = shapes[0]
    for shape in shapes:
        if len(shape) != len(first) or any(
            size != other and at != axis
            for at, (size, other) in enumerate(zip(shape, first, strict=True))
        ):
            raise RefusalError(
                f"tensors that {call.kind} joins must differ on axis {axis} only",
                " and ".join(map(str, shapes)),
            )


def split(call: Call) -> tuple[Tensor, ...]:
    """One Slice per output; sizes are given, or equal with a shorter last one."""
    x = call.any_input(0)
    shape = call.shape(x)
    axis = normal_axis(call.attr("axis", 0), len(shape))
    length, count = shape[axis], len(call.used)
    sizes = call.integers(1, "split", "sizes of Split")
    if sizes is None:
        step = -(-length // count)
        sizes = [min(step, length - step * index) for index in range(count)]
    if sum(sizes) != length or min(sizes) < 1 or len(sizes) != count:
        raise RefusalError(
            f"Split must cut the {length} elements of axis {axis} into {count} parts",
            f"sizes {sizes}",
        )
    parts, start = [], 0
    for index, size in enumerate(sizes):
        sub = str(index) if index else ""
        parts.append(_cut(call, x, {axis: (start, start + size, 1)}, sub))
        start += size
    return tuple(parts)


def slice_(call: Call) -> Tensor:
    """starts, ends, axes and steps as inputs, or the first three as attributes before opset 10."""
    x = call.any_input(0)
    shape = call.shape(x)
    names = ("starts", "ends", "axes", "steps")
    given = [call.integers(i, name, name) for i, name in enumerate(names, start=1)]
    starts, ends, axes, steps = given
    if starts is None or ends is None:
        raise RefusalError("Slice must have starts and ends", "none")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    cuts = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise RefusalError("Slice must have positive steps", str(step))
        axis = normal_axis(axis, len(shape))
        first, stop, _ = slice(start, end).indices(shape[axis])
        cuts[axis] = (first, stop, step)
    return _cut(call, x, cuts)


def gather(call: Call) -> Tensor:
    """A Slice, where the stored indices go up in equal steps; a single index drops its axis."""
    x, index = call.any_input(0), call.stored(1, "indices of Gather").astype(np.int64)
    shape = call.shape(x)
    axis = normal_axis(call.attr("axis", 0), len(shape))
    size, picked = shape[axis], index.reshape(-1).tolist()
    places = [place + size if place < 0 else place for place in picked]
    steps = {after - before for before, after in pairwise(places)} or {1}
    if index.ndim > 1 or not places or len(steps) > 1 or min(steps) < 1:
        raise RefusalError(
            "Gather must pick elements in equal steps upwards",
            f"{picked[:8]}{' ...' if len(picked) > 8 else ''}",
            "Slice and Concat",
        )
    if min(places) < 0 or max(places) >= size:
        raise RefusalError(f"indices of Gather must lie in -{size}..{size - 1}", str(picked[:8]))
    (step,) = steps
    sub = "" if index.ndim else "kept"
    y = _cut(call, x, {axis: (places[0], places[-1] + 1, step)}, sub)
    if index.ndim:
        return y
    return on_grid(call, Reshape((*shape[:axis], *shape[axis + 1 :])), y)


def _cut(call: Call, x: Tensor, cuts: dict[int, tuple[int, int, int]], sub: str = "") -> Tensor:
    """Part of a tensor; axes that are not named stay whole."""
    shape = call.shape(x)
    rows = [cuts.get(axis, (0, size, 1)) for axis, size in enumerate(shape)]
    result = tuple(len(range(*row)) for row in rows)
    if not all(result):
        raise RefusalError(f"{call.kind} must leave some elements of {shape}", f"shape {result}")
    if result == shape:
        return x
    if x.const is not None:
        array = x.const[tuple(slice(*row) for row in rows)]
        name = {"name": call.label, "origin": call.index}
        return Tensor(result, x.elem, const=array, bounds=x.bounds, **name)
    starts, stops, steps = (tuple(column) for column in zip(*rows, strict=True))
    return on_grid(call, Slice(starts, stops, steps), x, sub=sub)


def pad(call: Call) -> Tensor:
    """Constant padding; negative pads cut. Before opset 11, pads and value are attributes."""
    mode = str(call.attr("mode", "constant"))
    if mode != "constant":
        raise RefusalError(
            "Pad must be of mode constant", mode, "constant padding, or auto_pad of a convolution"
        )
    x = call.any_input(0)
    shape = call.shape(x)
    pairs = _pairs(call, len(shape))
    cuts = {
        axis: (max(-before, 0), size + min(after, 0), 1)
        for axis, (size, (before, after)) in enumerate(zip(shape, pairs, strict=True))
        if before < 0 or after < 0
    }
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    more = any(map(any, grown))
    if cuts:
        x = _cut(call, x, cuts, "cut" if more else "")
        shape = call.shape(x)
    if not more:
        return x
    value, grid = _padding(call, x)
    result = tuple(size + sum(pair) for size, pair in zip(shape, grown, strict=True))
    if x.const is not None:
        array = np.pad(x.const, grown, constant_values=value)
        return Tensor(result, x.elem, const=array, name=call.label, origin=call.index)
    number = value if grid is None else float((value - grid.zero_point) * grid.scale)
    source = x if grid is None else Tensor(x.shape, x.elem, x.value)
    out = call.emit(Pad(grown, number), source)
    bounds = x.bounds and (int(min(x.bounds[0], value)), int(max(x.bounds[1], value)))
    return Tensor(out.shape, x.elem, out.value, grid=grid, bounds=bounds)


def _pairs(call: Call, rank: int) -> list[tuple[int, int]]:
    """(before, after) of every axis."""
    pads = call.integers(1, "pads", "pads")
    axes = call.integers(3, "axes", "axes")
    axes = list(range(rank)) if axes is None else [normal_axis(axis, rank) for axis in axes]
    if pads is None or len(pads) != 2 * len(axes):
        raise RefusalError(f"Pad must have {2 * len(axes)} pads", f"{len(pads or ())}")
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        pairs[axis] = (before, after)
    return pairs


def _padding(call: Call, x: Tensor) -> tuple[float, Grid | None]:
    """The number that padding holds, and the grid that integers keep."""
    value = [float(call.attr("value", 0.0))]
    if call.has(2):
        value = _stored_reals(call, 2)
    if len(value) != 1 or not np.isfinite(value).all():
        raise RefusalError("Pad must have a finite value", str(value))
    keep = x.grid is not None and x.grid.scale.ndim == 0
    return value[0], x.grid if keep else None


def _stored_reals(call: Call, index: int) -> list[float]:
    """Elements of input `index`: stored, or what a quantiser makes of stored ones."""
    tensor, nodes = call.any_input(index), call.builder.nodes
    node = nodes.get(tensor.value.node) if tensor.value is not None else None
    source = nodes.get(node.inputs[0].node) if node and isinstance(node.op, Quant) else None
    if node is None or source is None or not isinstance(source.op, Constant):
        return call.stored(index, f"value of {call.kind}").reshape(-1).astype(float).tolist()
    quantiser = node.op
    rows = np.broadcast_arrays(source.op.value, quantiser.scale, quantiser.zero_point)
    found = []
    for number, scale, zero_point in zip(*(row.reshape(-1).tolist() for row in rows), strict=True):
        given = {"scale": Real.of(scale), "zero_point": Real.of(zero_point)}
        ways = {"rounding": quantiser.rounding, "round_first": quantiser.round_first}
        ends = {"lo": quantiser.lo, "hi": quantiser.hi}
        n = quantise(Real.of(number), **given, **ends, **ways)
        found.append(float((Real.of(n) - zero_point) * scale))
    return found


def depth_to_space(call: Call) -> Tensor:
    """As Reshape, Transpose, Reshape; mode DCR has the block outside the channels, CRD inside."""
    shape, block = _blocks(call, "DepthToSpace")
    batch, channels, rows, cols = shape
    mode = str(call.attr("mode", "DCR"))
    if mode not in ("DCR", "CRD"):
        raise RefusalError("DepthToSpace must have mode DCR or CRD", mode)
    if channels % block**2:
        raise RefusalError(
            f"channels of DepthToSpace must be a multiple of {block**2}", f"{channels}"
        )
    rest = channels // block**2
    if mode == "DCR":
        inner, perm = (batch, block, block, rest, rows, cols), (0, 3, 4, 1, 5, 2)
    else:
        inner, perm = (batch, rest, block, block, rows, cols), (0, 1, 4, 2, 5, 3)
    return _reordered(call, inner, perm, (batch, rest, rows * block, cols * block))


def space_to_depth(call: Call) -> Tensor:
    shape, block = _blocks(call, "SpaceToDepth")
    batch, channels, rows, cols = shape
    if rows % block or cols % block:
        raise RefusalError(
            f"spatial axes of SpaceToDepth must be multiples of {block}", f"shape {shape}"
        )
    inner = (batch, channels, rows // block, block, cols // block, block)
    result = (batch, channels * block**2, rows // block, cols // block)
    return _reordered(call, inner, (0, 3, 5, 1, 2, 4), result)


def _blocks(call: Call, kind: str) -> tuple[Shape, int]:
    shape, block = call.shape(call.any_input(0)), int(call.attr("blocksize", 0))
    if len(shape) != 4 or block < 1:
        raise RefusalError(
            f"{kind} must have a positive blocksize and 4 dimensions", f"{block} and shape {shape}"
        )
    return shape, block


def _reordered(call: Call, inner: Shape, perm: tuple[int, ...], result: Shape) -> Tensor:
    x = call.any_input(0)
    x = on_grid(call, Reshape(inner), x, sub="blocks")
    x = on_grid(call, Transpose(perm), x, sub="order")
    return on_grid(call, Reshape(result), x)

"""Pooling, and reductions over axes."""

from math import prod

from hwgen.frontend.call import Call, RefusalError, Shape, Tensor
from hwgen.frontend.geometry import Geometry, geometry, rounded_up, spatial
from hwgen.frontend.shapes import normal_axis
from hwgen.frontend.structure import on_grid
from hwgen.tensor.moves import Reshape, Transpose
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean


def max_pool(call: Call) -> Tensor:
    return max_pooled(call, call.any_input(0))


def max_pooled(call: Call, x: Tensor) -> Tensor:
    """Of floats or integers: the order is the same on a grid with a positive scale."""
    shape = call.shape(x)
    found = _covered(call, rounded_up(call, geometry(call, spatial(call, shape))))
    op = MaxPool(found.kernel, found.strides, found.dilations, found.pads)
    return on_grid(call, op, x, ordered=True)


def average_pool(call: Call) -> Tensor:
    return averaged(call, call.real())


def averaged(call: Call, x: Tensor) -> Tensor:
    """AveragePool's attributes on x."""
    shape = call.shape(x)
    exact = geometry(call, spatial(call, shape))
    found = rounded_up(call, exact)
    include_pad = bool(call.attr("count_include_pad", 0)) and found.padded
    if include_pad and found != exact:
        raise RefusalError(
            f"{call.kind} with ceil_mode must not count padding",
            f"count_include_pad = 1 with windows that end {_beyond(exact, found)} behind it",
            "use ceil_mode = 0, or count_include_pad = 0",
        )
    if found.whole:
        axes = tuple(range(2, len(shape)))
        return call.emit(Mean(axes, True), x)
    if not include_pad:
        found = _covered(call, found)
    op = AveragePool(found.kernel, found.strides, found.dilations, found.pads, include_pad)
    return call.emit(op, x)


def _beyond(exact: Geometry, found: Geometry) -> int:
    pairs = zip(found.pads, exact.pads, strict=True)
    return max(wide[1] - own[1] for wide, own in pairs)


def _covered(call: Call, found: Geometry) -> Geometry:
    """Every kernel position must lie on an element of the input, not on padding alone."""
    for axis in range(len(found.space)):
        if min(found.taps_inside(axis)) < 1:
            raise RefusalError(
                f"every kernel position of {call.kind} must touch its input",
                f"one that lies on padding alone (pads {list(found.pads[axis])}, "
                f"kernel {found.kernel[axis]}, dilation {found.dilations[axis]})",
                "use less padding",
            )
    return found


def global_average_pool(call: Call) -> Tensor:
    return averaged_globally(call, call.real())


def averaged_globally(call: Call, x: Tensor) -> Tensor:
    shape = call.shape(x)
    spatial(call, shape)  # refuses what has no spatial axes
    axes = tuple(range(2, len(shape)))
    return call.emit(Mean(axes, True), x)


def global_max_pool(call: Call) -> Tensor:
    x = call.any_input(0)
    shape = call.shape(x)
    space = spatial(call, shape)
    ones = (1,) * len(space)
    op = MaxPool(space, ones, ones, ((0, 0),) * len(space))
    return on_grid(call, op, x, ordered=True)


def reduce_mean(call: Call) -> Tensor:
    return averaged_over(call, call.real(), call.integers(1, "axes", "axes"))


def averaged_over(call: Call, x: Tensor, given: list[int] | None) -> Tensor:
    axes, keepdims, _ = _reduction(call, call.shape(x), given)
    return call.emit(Mean(axes, keepdims), x) if axes else x


def reduce_sum(call: Call) -> Tensor:
    """The mean times the number of elements."""
    x = call.real()
    shape = call.shape(x)
    axes, keepdims, _ = _reduction(call, shape, call.integers(1, "axes", "axes"))
    if not axes:
        return x
    mean = call.emit(Mean(axes, keepdims), x, sub="mean")
    return call.binary("mul", mean, call.number(prod(shape[a] for a in axes), "count"))


def reduce_max(call: Call) -> Tensor:
    """A MaxPool over all of the reduced axes, which come last for it."""
    x = call.any_input(0)
    shape = call.shape(x)
    axes, _, result = _reduction(call, shape, call.integers(1, "axes", "axes"))
    if not axes:
        return x
    others = tuple(axis for axis in range(1, len(shape)) if axis not in axes)
    perm = (0, *others, *axes)
    space = tuple(shape[axis] for axis in axes)
    if axes[0] == 0 or len(space) > 2:
        raise RefusalError(
            "ReduceMax must reduce 1 or 2 axes, not the batch",
            f"axes {list(axes)}",
            "ReduceMax over the spatial axes",
        )
    if perm != tuple(range(len(perm))):
        x = on_grid(call, Transpose(perm), x, sub="last")
    flat = (1, prod(shape[axis] for axis in others), *space)
    if x.shape != flat:
        x = on_grid(call, Reshape(flat), x, sub="flat")
    ones = (1,) * len(space)
    op, pooled = MaxPool(space, ones, ones, ((0, 0),) * len(space)), (*flat[:2], *ones)
    x = on_grid(call, op, x, ordered=True, sub="" if pooled == result else "pool")
    return x if pooled == result else on_grid(call, Reshape(result), x)


def _reduction(
    call: Call, shape: Shape, given: list[int] | None
) -> tuple[tuple[int, ...], bool, Shape]:
    """Axes in ascending order, whether they stay, and the shape that is left."""
    if not given:
        noop = call.attr("noop_with_empty_axes", 0)
        given = [] if noop else list(range(len(shape)))
    axes = tuple(sorted({normal_axis(axis, len(shape)) for axis in given}))
    keepdims = bool(call.attr("keepdims", 1))
    kept = (1,) if keepdims else ()
    parts = ((kept if axis in axes else (size,)) for axis, size in enumerate(shape))
    return axes, keepdims, tuple(size for part in parts for size in part)

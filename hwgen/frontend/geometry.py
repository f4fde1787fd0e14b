"""Kernel positions on the spatial axes: strides, dilations and padding, as ONNX writes them."""

from dataclasses import dataclass, replace

from hwgen.frontend.call import Call, RefusalError, Shape

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Geometry:
    """Where a kernel lies on its input; one entry per spatial axis.

    Parameters
    ----------
    space, kernel, strides, dilations : tuple of int
    pads : tuple of (int, int)
        Before and after.
    """

    space: Shape
    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Pads

    @property
    def extents(self) -> Shape:
        """Elements from the first to the last tap, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def out(self) -> Shape:
        """Kernel positions on each axis."""
        rows = zip(self.space, self.pads, self.extents, self.strides, strict=True)
        return tuple((n + sum(pads) - extent) // stride + 1 for n, pads, extent, stride in rows)

    @property
    def whole(self) -> bool:
        """Whether the kernel is the input, taken once."""
        once = all(size == 1 for size in self.out)
        return self.kernel == self.space and once and not self.padded

    @property
    def padded(self) -> bool:
        return any(map(any, self.pads))

    def taps_inside(self, axis: int) -> list[int]:
        """For each kernel position on an axis, how many taps lie on the input."""
        (before, _), step = self.pads[axis], self.dilations[axis]
        starts = (at * self.strides[axis] - before for at in range(self.out[axis]))
        size, taps = self.space[axis], range(self.kernel[axis])
        return [sum(0 <= start + tap * step < size for tap in taps) for start in starts]


def spatial(call: Call, shape: Shape) -> Shape:
    """The spatial axes of an input (1, channels, *space)."""
    if len(shape) not in (3, 4) or shape[0] != 1:
        raise RefusalError(
            f"{call.kind} must work on 1 sample of channels and 1 or 2 spatial axes",
            f"shape {shape}",
            "export the model with batch 1; put a Reshape around the operator",
        )
    return shape[2:]


def geometry(call: Call, space: Shape, kernel: Shape | None = None) -> Geometry:
    """What the attributes say; `kernel` where the weights tell it."""
    found = unpadded(call, space, kernel)
    found = replace(found, pads=_pads(call, found))
    for size, pads, extent in zip(space, found.pads, found.extents, strict=True):
        if size + sum(pads) < extent:
            raise RefusalError(
                f"the kernel of {call.kind} must fit into its padded input",
                f"{extent} on {size + sum(pads)}",
            )
    return found


def unpadded(call: Call, space: Shape, kernel: Shape | None = None) -> Geometry:
    """The same without padding, whether or not the kernel fits."""
    given = call.attributes.get("kernel_shape")
    if given is None and kernel is None:
        raise RefusalError(f"{call.kind} must have a kernel_shape", "none")
    kernel = kernel or _numbers(call, "kernel_shape", given or (), len(space))
    if given is not None and tuple(given) != kernel:
        raise RefusalError(
            "kernel_shape must be that of the weights", f"{list(given)} and {list(kernel)}"
        )
    ones = (1,) * len(space)
    strides = _numbers(call, "strides", call.attr("strides", ones), len(space))
    dilations = _numbers(call, "dilations", call.attr("dilations", ones), len(space))
    return Geometry(space, kernel, strides, dilations, ((0, 0),) * len(space))


def rounded_up(call: Call, found: Geometry) -> Geometry:
    """With ceil_mode: one more position where the last one leaves elements over, unless it would
    begin behind them."""
    if not call.attr("ceil_mode", 0):
        return found
    pads = []
    for axis, (before, after) in enumerate(found.pads):
        size, stride = found.space[axis], found.strides[axis]
        extent = found.extents[axis]
        positions = -((extent - size - before - after) // stride) + 1
        positions -= (positions - 1) * stride >= size + before
        last = (positions - 1) * stride + extent
        pads.append((before, max(after, last - size - before)))
    return replace(found, pads=tuple(pads))


def same_pads(total: int, mode: str) -> tuple[int, int]:
    """SAME_UPPER has the odd one behind, SAME_LOWER before."""
    half = total // 2
    return (half, total - half) if mode == "SAME_UPPER" else (total - half, half)


def auto_pad(call: Call) -> str:
    mode = str(call.attr("auto_pad", "NOTSET"))
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise RefusalError(
            "auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode, "give pads"
        )
    return mode


def explicit_pads(call: Call, rank: int) -> Pads:
    """The attribute pads: all before, then all after."""
    pads = [int(n) for n in call.attr("pads", [0] * 2 * rank)]
    if len(pads) != 2 * rank or min(pads, default=0) < 0:
        raise RefusalError(
            f"pads of {call.kind} must be {2 * rank} numbers, none negative",
            str(pads),
            "cut with Slice where less is wanted",
        )
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def _pads(call: Call, found: Geometry) -> Pads:
    mode = auto_pad(call)
    if mode == "NOTSET":
        return explicit_pads(call, len(found.space))
    if mode == "VALID":
        return found.pads
    rows = zip(found.space, found.extents, found.strides, strict=True)
    totals = [max(0, (-(-n // stride) - 1) * stride + extent - n) for n, extent, stride in rows]
    return tuple(same_pads(total, mode) for total in totals)


def _numbers(call: Call, what: str, given: Shape, rank: int) -> Shape:
    numbers = tuple(int(n) for n in given)
    if len(numbers) != rank or min(numbers, default=0) < 1:
        raise RefusalError(
            f"{what} of {call.kind} must be {rank} positive numbers", str(list(numbers))
        )
    return numbers

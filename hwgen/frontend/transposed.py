"""Transposed convolutions: a convolution, with its kernel turned round, of a dilated input."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hwgen.frontend.call import Call, RefusalError, Tensor
from hwgen.frontend.convolution import biased, groups_of, misfit
from hwgen.frontend.geometry import (
    Geometry,
    Pads,
    auto_pad,
    explicit_pads,
    same_pads,
    spatial,
    unpadded,
)
from hwgen.tensor.elementwise import Constant
from hwgen.tensor.moves import Dilate, Slice
from hwgen.tensor.products import Conv
from hwgen.tensor.quantisers import Quant


def conv_transpose(call: Call) -> Tensor:
    x, w = call.real(0), call.real(1)
    shape, weights = call.shape(x), call.shape(w)
    space, groups = spatial(call, shape), groups_of(call, weights, shape)
    if shape[1] != weights[0] or shape[1] % groups:
        raise misfit(call, weights, shape)
    found = unpadded(call, space, weights[2:])
    pads = _pads(call, found)
    if max(found.strides) > 1:
        x = call.emit(Dilate((1, 1, *found.strides)), x, sub="dilated")
    w = _rearranged(call, w, lambda array: _turned(array, groups))
    y = _convolved(call, x, w, found, pads, groups)
    return biased(call, y, call.real(2)) if call.has(2) else y


def _convolved(
    call: Call, x: Tensor, w: Tensor, found: Geometry, pads: Pads, groups: int
) -> Tensor:
    """With negative padding, the result is cut."""
    ones, head = (1,) * len(pads), (1, call.shape(w)[0])
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pads)
    cuts = [(max(-before, 0), max(-after, 0)) for before, after in pads]
    unit = replace(found, space=call.shape(x)[2:], strides=ones, pads=grown)
    op, cut = Conv(ones, found.dilations, grown, groups), any(map(any, cuts))
    y = call.emit(op, x, w, sub="uncut" if cut else "")
    if not cut:
        return y
    starts = tuple(before for before, _ in cuts)
    stops = tuple(size - after for size, (_, after) in zip(unit.out, cuts, strict=True))
    op = Slice((0, 0, *starts), (*head, *stops), (1, 1, *ones))
    return call.emit(op, y)


def _pads(call: Call, found: Geometry) -> Pads:
    """Padding of the convolution on the dilated input: what the node takes away from all positions
    where the kernel touches it."""
    mode, rank = auto_pad(call), len(found.space)
    more = [int(n) for n in call.attr("output_padding", [0] * rank)]
    full = [
        stride * (size - 1) + extra + extent
        for size, stride, extra, extent in zip(
            found.space, found.strides, more, found.extents, strict=True
        )
    ]
    wanted = [int(n) for n in call.attr("output_shape", ())][-rank:]
    if not wanted and mode.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(found.space, found.strides, strict=True)]
    if wanted:
        cuts = [size - target for size, target in zip(full, wanted, strict=True)]
        taken: Pads = tuple(same_pads(cut, mode) for cut in cuts)
    else:
        taken = explicit_pads(call, rank) if mode == "NOTSET" else ((0, 0),) * rank
    kept = [size - sum(pair) for size, pair in zip(full, taken, strict=True)]
    if min(kept) < 1 or any(min(pair) < 0 for pair in taken):
        raise RefusalError(
            f"ConvTranspose must keep a part of its full result {full}", f"shape {kept}"
        )
    return tuple(
        (extent - 1 - before, extent - 1 - after + extra)
        for extent, (before, after), extra in zip(found.extents, taken, more, strict=True)
    )


def _turned(weights: np.ndarray, groups: int) -> np.ndarray:
    """(channels, outputs / groups, *kernel) as a convolution has them: outputs first, kernel
    reversed."""
    _, outputs, *kernel = weights.shape
    parts = weights.reshape(groups, -1, outputs, *kernel).swapaxes(1, 2)
    return np.flip(parts.reshape(groups * outputs, -1, *kernel), tuple(range(2, weights.ndim)))


def _rearranged(call: Call, w: Tensor, change: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Stored weights, quantised at most once, in another order."""
    if w.const is not None:
        array = change(w.const)
        return Tensor(array.shape, w.elem, const=array, name=w.name, origin=w.origin)
    nodes, shape = call.builder.nodes, call.shape(w)
    quantiser = nodes.get(w.value.node) if w.value is not None else None
    source = nodes.get(quantiser.inputs[0].node) if quantiser and quantiser.inputs else None
    if (
        quantiser is None
        or source is None
        or not isinstance(quantiser.op, Quant)
        or not isinstance(source.op, Constant)
    ):
        raise RefusalError(
            "weights of ConvTranspose must be stored, with one quantiser at most",
            "computed by other nodes",
            "export with constant folding",
        )

    def parameter(values: np.ndarray) -> np.ndarray:
        return _narrow(change(np.broadcast_to(values, shape)))

    array = change(np.broadcast_to(source.op.value, shape))
    stored = Tensor(array.shape, w.elem, const=array, name=source.name)
    scale, zero_point = parameter(quantiser.op.scale), parameter(quantiser.op.zero_point)
    op = replace(quantiser.op, scale=scale, zero_point=zero_point)
    value = call.builder.value(stored)
    node = call.builder.add(quantiser.name, op, (value,), call.builder.origin(quantiser.name))
    return Tensor(array.shape, w.elem, node.out)


def _narrow(values: np.ndarray) -> np.ndarray:
    """Without the repetition along axes on which all entries are the same."""
    for axis in range(values.ndim):
        first = values.take([0], axis=axis)
        values = first if (values == first).all() else values
    return values.reshape(()) if values.size == 1 else values

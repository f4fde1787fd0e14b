"""Convolutions: one op with its bias behind it."""

from hwgen.frontend.call import Call, RefusalError, Shape, Tensor
from hwgen.frontend.geometry import geometry, spatial
from hwgen.frontend.linear import column
from hwgen.tensor.products import Conv


def conv(call: Call) -> Tensor:
    """The product has the node's name, its bias is a node of its own."""
    y = correlated(call, call.real(0), call.real(1))
    return biased(call, y, call.real(2)) if call.has(2) else y


def correlated(call: Call, x: Tensor, w: Tensor, *, elem: str | None = None) -> Tensor:
    """x and weights (outputs, channels / groups, *kernel) with the node's attributes."""
    shape, weights = call.shape(x), call.shape(w)
    space, groups = spatial(call, shape), groups_of(call, weights, shape)
    if shape[1] != weights[1] * groups or weights[0] % groups:
        raise misfit(call, weights, shape)
    found = geometry(call, space, weights[2:])
    op = Conv(found.strides, found.dilations, found.pads, groups)
    return call.emit(op, x, w, elem=elem)


def groups_of(call: Call, weights: Shape, shape: Shape) -> int:
    """Number of groups, where the weights have a dimension for each of the input's."""
    groups = int(call.attr("group", 1))
    if len(weights) != len(shape) or groups < 1 or not all(weights):
        raise misfit(call, weights, shape)
    return groups


def misfit(call: Call, weights: Shape, shape: Shape) -> RefusalError:
    groups = int(call.attr("group", 1))
    return RefusalError(
        f"weights of {call.kind} must fit {shape[1]} channels in {groups} groups",
        f"shape {weights}",
    )


def biased(call: Call, y: Tensor, bias: Tensor) -> Tensor:
    return call.binary("add", y, column(call, bias, call.shape(y), "bias"), "biased")

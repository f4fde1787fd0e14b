"""Resize and Upsample: nearest neighbour, where that repeats every element equally often."""

from fractions import Fraction
from math import ceil, floor

import numpy as np

from hwgen.frontend.call import Call, RefusalError, Shape, Tensor
from hwgen.frontend.shapes import normal_axis
from hwgen.frontend.structure import on_grid
from hwgen.tensor.moves import Repeat

HALF = Fraction(1, 2)
NEAREST = "mode nearest with nearest_mode floor, coordinates asymmetric and integer scales"


def upsample(call: Call) -> Tensor:
    """Upsample, and Resize of opset 10: scales are an attribute or input 1; rounds down."""
    x = call.any_input(0)
    shape = call.shape(x)
    if call.has(1):
        scales = call.stored(1, "scales").reshape(-1)
    else:
        scales = np.reshape(call.attr("scales", ()), -1)
    return _repeated(call, x, _factors(call, shape, scales), "asymmetric", "floor")


def resize(call: Call) -> Tensor:
    if call.opset < 11:
        return upsample(call)
    x = call.any_input(0)
    shape = call.shape(x)
    axes = call.attr("axes", None)
    axes = range(len(shape)) if axes is None else [normal_axis(a, len(shape)) for a in axes]
    sizes = call.integers(3, "sizes", "sizes") if call.has(3) else None
    if sizes is not None:
        if call.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
            policy = call.attributes["keep_aspect_ratio_policy"]
            raise RefusalError("Resize must stretch to its sizes", policy, "give scales")
        scales = np.array([size / shape[a] for a, size in zip(axes, sizes, strict=True)])
    elif call.has(2):
        scales = call.stored(2, "scales").reshape(-1)
    else:
        raise RefusalError("Resize must have scales or sizes", "none")
    whole = np.ones(len(shape))
    whole[list(axes)] = scales
    coordinates = str(call.attr("coordinate_transformation_mode", "half_pixel"))
    rounding = str(call.attr("nearest_mode", "round_prefer_floor"))
    return _repeated(call, x, _factors(call, shape, whole), coordinates, rounding)


def _factors(call: Call, shape: Shape, scales: np.ndarray) -> tuple[int, ...]:
    mode = str(call.attr("mode", "nearest"))
    if mode != "nearest":
        raise RefusalError(f"{call.kind} must be of mode nearest", mode, NEAREST)
    if len(scales) != len(shape) or (scales % 1).any() or (scales < 1).any():
        found = ", ".join(f"{scale:g}" for scale in scales)
        raise RefusalError(
            f"{call.kind} must have {len(shape)} integer scales of at least 1", found, NEAREST
        )
    return tuple(int(scale) for scale in scales)


def _repeated(
    call: Call, x: Tensor, factors: tuple[int, ...], coordinates: str, rounding: str
) -> Tensor:
    """Repeat, where the rule takes element o // factor for every output o."""
    shape = call.shape(x)
    for size, factor in zip(shape, factors, strict=True):
        if factor == 1:
            continue
        for at in range(size * factor):
            source = _source(at, size, factor, coordinates, rounding)
            if source != at // factor:
                raise RefusalError(
                    f"{call.kind} must repeat every element {factor} times",
                    f"element {at} from {source} ({coordinates}, {rounding})",
                    NEAREST,
                )
    if max(factors) == 1:
        return x
    return on_grid(call, Repeat(factors), x)


def _source(at: int, size: int, factor: int, coordinates: str, rounding: str) -> int | None:
    """The input element that output `at` copies, by the definition of Resize."""
    match coordinates:
        case "asymmetric":
            place = Fraction(at, factor)
        case "half_pixel" | "half_pixel_symmetric" | "pytorch_half_pixel":
            alone = coordinates == "pytorch_half_pixel" and size * factor == 1
            place = Fraction(0) if alone else (at + HALF) / factor - HALF
        case "tf_half_pixel_for_nn":
            place = (at + HALF) / factor
        case "align_corners":
            place = Fraction(at * (size - 1), size * factor - 1)
        case _:
            return None
    match rounding:
        case "floor":
            nearest = floor(place)
        case "ceil":
            nearest = ceil(place)
        case "round_prefer_floor":
            nearest = ceil(place - HALF)
        case "round_prefer_ceil":
            nearest = floor(place + HALF)
        case _:
            return None
    return min(max(nearest, 0), size - 1)

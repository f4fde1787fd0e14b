"""Where two streams meet: residual sums, and channels behind one another."""

from collections.abc import Sequence
from math import prod

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.image import axes_of
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import ProblemError, Scaled
from hwgen.integer.joins import IntConcat
from hwgen.numerics.change_points import MAX_INTEGER
from hwgen.numerics.exact import Real
from hwgen.problem import Problem


def add_streams(asm: Assembly, name: str, fn: str, a: Scaled, b: Scaled) -> Scaled:
    """a + b or a - b of two streams whose integers are in the graph.

    Raises
    ------
    ProblemError
        Shapes or orders differ, or the scales have no common one.
    """
    if a.shape != b.shape:
        raise _refused(
            name,
            "both streams must have one shape",
            f"{a.shape} and {b.shape}",
            "repeat the smaller one in the model",
        )
    a, b = _aligned(asm, name, a, b)
    scale_b, bias_b = b.scale, b.bias
    if fn == "sub":
        scale_b, bias_b = (part.map(lambda k: -k) for part in (scale_b, bias_b))
    channels = (a.layout.channels,)
    found = combine(_common, a.scale, scale_b).rearrange(lambda c: np.broadcast_to(c, channels))
    for entry in found.palette:
        if entry is None:
            raise _unrelated(name, a, b)
    factors = np.array([found.item(c)[:2] for c in range(*channels)], object).T
    kinds = asm.types[a.root], asm.types[b.root]
    widest = sum(
        (np.abs(f) * np.maximum(np.abs(kind.lo), np.abs(kind.hi)).astype(object)).max()
        for f, kind in zip(factors, kinds, strict=True)
    )
    if widest > MAX_INTEGER:
        raise _unrelated(name, a, b)
    root = asm.join(name, (a.root, b.root), factors.astype(np.int64))
    asm.fates.setdefault(name, "Add")
    asm.fold((*a.trail, *b.trail), f"folded into {name}")
    bias = combine(lambda x, y: x + y, a.bias, bias_b)
    return Scaled(root, a.layout, found.map(lambda entry: entry[2]), bias)


def concatenate(asm: Assembly, name: str, axis: int, streams: Sequence[Scaled]) -> Scaled:
    """Streams behind one another along the channels.

    Raises
    ------
    ProblemError
        The axis is one of positions, or the streams come in different orders.
    """
    first = streams[0]
    parts = []
    for x in streams:
        along = axes_of(x.layout)
        inner = len(x.layout.natural) - 1
        one = x.layout.natural[-1] == 1 and x.shape[axis] == 1
        if along is None or not (along[axis] == inner or one):
            raise _refused(
                name,
                "streams must be joined along their channels",
                f"axis {axis} of {x.shape} in a {x.layout.natural} stream",
                "concatenate channels, or cut the model in front of this node",
            )
        parts.append(np.moveaxis(x.layout.index, axis, -1))
    spaces = {(*x.layout.natural[:-1],) for x in streams}
    places = [part[..., 0] // x.layout.channels for part, x in zip(parts, streams, strict=True)]
    if len(spaces) > 1 or not all(np.array_equal(places[0], place) for place in places):
        raise _refused(
            name,
            "streams must come in the same order of positions",
            " and ".join(str(x.layout.natural) for x in streams),
            "remove the Reshape or Transpose in front of one of them",
        )
    channels = sum(x.layout.channels for x in streams)
    before = np.cumsum([0, *(x.layout.channels for x in streams)])
    index = np.concatenate(
        [
            part // x.layout.channels * channels + part % x.layout.channels + shift
            for part, x, shift in zip(parts, streams, before, strict=False)
        ],
        axis=-1,
    )
    root = asm.add(name, IntConcat(), *(x.root for x in streams))
    asm.fates[name] = f"Concat of {channels} channels"
    scale, bias = (
        Coded.of_list([getattr(x, part).item(c) for x in streams for c in range(x.layout.channels)])
        for part in ("scale", "bias")
    )
    layout = StreamLayout(np.moveaxis(index, -1, axis), (*first.layout.natural[:-1], channels))
    return Scaled(root, layout, scale, bias, trail=tuple(n for x in streams for n in x.trail))


def _common(a: Real, b: Real) -> tuple[int, int, Real] | None:
    """(f, g, s) with a = f * s and b = g * s, f > 0; None if the ratio is not rational."""
    if a.sign() == 0 or b.sign() == 0:
        return None
    ratio = a / b
    if not ratio.is_rational:
        return None
    p, q = ratio.fraction.numerator, ratio.fraction.denominator
    scale = b / q
    return (p, q, scale) if p > 0 else (-p, -q, -scale)


def _aligned(asm: Assembly, name: str, a: Scaled, b: Scaled) -> tuple[Scaled, Scaled]:
    """Both with the same element of the model at the same place of the stream."""
    if np.array_equal(a.layout.index, b.layout.index):
        if a.layout.natural == b.layout.natural:
            return a, b
        if prod(a.layout.natural) == prod(b.layout.natural):
            return a, asm.reshape(name, b, a.layout.natural)
    raise _refused(
        name,
        "both streams must come in the same order",
        f"{a.layout.natural} of {a.root.node} and {b.layout.natural} of {b.root.node} with "
        "elements at other places",
        "remove the Reshape or Transpose in front of one of them",
    )


def _unrelated(name: str, a: Scaled, b: Scaled) -> ProblemError:
    return _refused(
        name,
        "the scales of its inputs must be multiples of a common one by integers",
        f"{float(a.scale.item(0)):.6g} of {a.root.node} and {float(b.scale.item(0)):.6g} of "
        f"{b.root.node}",
        "put a quantiser on each branch",
    )


def _refused(name: str, rule: str, found: str, fix: str) -> ProblemError:
    return ProblemError(Problem(name, rule, found, fix))

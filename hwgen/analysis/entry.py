"""The model's input on its way into the integer graph: its first quantiser, on the host.

A quantiser right at the input stays one. Where the model scales or shifts its input first, the
quantiser becomes float64 thresholds on the input itself, found exactly: the host's rounding in
between cannot matter.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from cores.types import IntType
from hwgen.analysis.assembly import Assembly
from hwgen.analysis.closed_form import crossing
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import Edge, count_fields, quantise_fields
from hwgen.analysis.elementwise import per_channel
from hwgen.analysis.known import stored_reals
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import Host, Scaled
from hwgen.integer.op import IntTensor
from hwgen.numerics.exact import ONE, ZERO, Real
from hwgen.numerics.quantiser import Quantiser, Thresholds

MAX_THRESHOLDS = 4096
"""Most levels of an input quantiser that are kept as thresholds of the input."""

Crossing = tuple[Fraction, bool]
"""Where a quantiser reaches its next level, and whether that point itself belongs to it."""


def enter(
    asm: Assembly, name: str, x: Host, q: Quantiser | Thresholds, order: np.ndarray
) -> tuple[Scaled, Edge]:
    """The quantised input as a graph input, and the host steps that make its integers.

    Parameters
    ----------
    order : int array in the natural shape
        Flat positions of the model's elements, from `hwgen.tensor.order.natural_order`.

    Raises
    ------
    ProblemError
        Scale, zero point or thresholds differ inside a channel.
    """
    layout = StreamLayout.in_order(order).rearrange(lambda index: index.reshape(x.shape))
    if isinstance(q, Thresholds):
        lo, hi = 0, np.shape(q.thresholds)[1]
        scale, bias = Coded.uniform(Real.of(q.out_scale)), Coded.uniform(Real.of(q.out_bias))
    else:
        assert q.lo is not None and q.hi is not None
        lo, hi = q.lo, q.hi
        scale, zero_point = stored_reals(q.scale), stored_reals(q.zero_point)
        bias = combine(lambda s, z: -(s * z), scale, zero_point)
    scale, bias = (
        per_channel(name, "its scale and zero point", layout, _spread(part, x.shape))
        for part in (scale, bias)
    )
    edge = _threshold_edge(x, q, layout, order)
    if edge is None:
        edge = _plain_edge(x, q).take(order)
    whole = np.full(layout.channels, 0, np.int64)
    root = asm.add_input(x.name, IntTensor(layout.natural, whole + lo, whole + hi))
    return Scaled(root, layout, scale, bias), edge.then("int64")


def enter_integers(asm: Assembly, x: Host, kind: IntType, order: np.ndarray) -> tuple[Scaled, Edge]:
    """An input of integer element type: no quantiser, only the order of its elements."""
    layout = StreamLayout.in_order(order).rearrange(lambda index: index.reshape(x.shape))
    zero = np.zeros(layout.channels, np.int64)
    root = asm.add_input(x.name, IntTensor(layout.natural, zero + kind.lo, zero + kind.hi))
    one, none = (Coded.uniform(k, (layout.channels,)) for k in (ONE, ZERO))
    return Scaled(root, layout, one, none), x.edge.take(order).then("int64")


def _plain_edge(x: Host, q: Quantiser | Thresholds) -> Edge:
    if isinstance(q, Thresholds):
        return x.edge.then("step", **count_fields(q))
    return x.edge.then("quantise", **quantise_fields(q))


def _threshold_edge(
    x: Host, q: Quantiser | Thresholds, layout: StreamLayout, order: np.ndarray
) -> Edge | None:
    """The quantiser as thresholds on the model's input; None where it can stay a quantiser or its
    line is not rational, not one per channel, or has too many levels."""
    if x.line is None or _is_identity(x.line):
        return None
    if isinstance(q, Thresholds):
        rows = Coded.of_list([[Real.of(t) for t in sorted(row)] for row in q.thresholds.tolist()])
        shape = [1] * len(x.shape)
        shape[q.axis] = -1 if len(rows.code) > 1 else 1
        crossings = rows.rearrange(lambda code: code.reshape(shape)).map(_counted)
        factor, shift, lo = *x.line, 0
    else:
        assert q.lo is not None and q.hi is not None
        if q.hi - q.lo > MAX_THRESHOLDS:
            return None
        scale, zero_point = stored_reals(q.scale), stored_reals(q.zero_point)
        factor, shift = (combine(lambda a, s: a / s, part, scale) for part in x.line)
        if not q.round_first:
            shift = combine(lambda b, z: b + z, shift, zero_point)
            zero_point = Coded.uniform(ZERO)
        crossings, lo = zero_point.map(lambda z: _rounded(q, z)), q.lo
    parts = (layout.per_channel(_spread(part, x.shape)) for part in (factor, shift, crossings))
    factor, shift, crossings = parts
    if factor is None or shift is None or crossings is None:
        return None
    rows = combine(lambda a, b, at: _float_steps(a, b, at, lo), factor, shift, crossings)
    if any(row is None for row in rows.palette):
        return None
    chosen = [rows.item(c) for c in range(len(rows.code))]
    chosen = chosen[:1] if rows.is_uniform else chosen
    starts, values = [row[0] for row in chosen], [row[1] for row in chosen]
    axis = len(layout.natural) - 1
    return x.raw.take(order).then("step", starts=starts, values=values, axis=axis)


def _is_identity(line: tuple[Coded, Coded]) -> bool:
    factor, shift = line
    return all(a.same(ONE) for a in factor.palette) and all(b.same(ZERO) for b in shift.palette)


def _spread(values: Coded, shape: tuple[int, ...]) -> Coded:
    return values.rearrange(lambda code: np.broadcast_to(code, shape))


def _counted(thresholds: Sequence[Real]) -> list[Crossing]:
    return [(t.fraction, True) for t in thresholds]


def _rounded(q: Quantiser, zero_point: Real) -> list[Crossing]:
    """Where round(u) + zero_point reaches lo + 1 .. hi."""
    assert q.lo is not None and q.hi is not None
    z = zero_point.fraction
    return [crossing(q.rounding, k - z) for k in range(q.lo + 1, q.hi + 1)]


def _float_steps(
    factor: Real, shift: Real, crossings: Sequence[Crossing], lo: int
) -> tuple[list[float], list[int]] | None:
    """float64 starts and levels of x -> level of factor * x + shift; None if not exact."""
    if not (factor.is_rational and shift.is_rational) or factor.sign() == 0:
        return None
    a, b = factor.fraction, shift.fraction
    top = lo + len(crossings)
    try:
        if a > 0:
            starts = [_float_from((u - b) / a, itself) for u, itself in crossings]
            return starts, list(range(lo, top + 1))
        starts = [_float_from((u - b) / a, not itself) for u, itself in reversed(crossings)]
        return starts, list(range(top, lo - 1, -1))
    except OverflowError:
        return None


def _float_from(bound: Fraction, itself: bool) -> float:
    """The least float64 that is at least `bound`, or above it unless `itself`."""
    x = float(bound)
    enough = Fraction(x) >= bound if itself else Fraction(x) > bound
    return x if enough else float(np.nextafter(x, np.inf))

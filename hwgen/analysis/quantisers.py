"""Quantisers on the abstract values of the analysis: they close what came before into integers."""

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.edge_plan import constant, count_fields, quantise_fields
from hwgen.analysis.elementwise import per_channel
from hwgen.analysis.grounded import grounded, rounds_twice
from hwgen.analysis.known import GRID_TOLERANCE, Known, quantise, stored_reals
from hwgen.analysis.scaled import Host, Inner, Scaled, Tail, parameter, whole
from hwgen.numerics.exact import Real
from hwgen.numerics.quantiser import Quantiser, Thresholds
from hwgen.numerics.tail import Expr, Quantise, StepCount


def quantise_known(name: str, x: Known, q: Quantiser, off_grid: list[str]) -> Known:
    """A quantised constant; its name joins `off_grid` if its values were not quantised before."""
    result, distance = quantise(x, q)
    bipolar = (q.lo, q.hi) == (0, 1)
    if distance > GRID_TOLERANCE and not bipolar and len(x.shape) > 1:
        off_grid.append(name)
    return result


def off_grid_warning(names: list[str]) -> str:
    """What to tell about weight quantisers whose values are not on their own grid."""
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (
        f"{shown}: the stored weights are not on the grid of their quantiser. Plain quantisers "
        "round them as the training did; exports of accumulator-aware quantisers (Brevitas A2Q, "
        "since 0.12.1) come out wrong. Compare with a reference vector of the training framework"
    )


def quantise_stream(asm: Assembly, name: str, x: Scaled | Tail, q: Quantiser) -> Scaled:
    """The quantised stream, its step function not yet in the integer graph; x itself where its
    values lie on the quantiser's grid, within its range."""
    scale, zero_point = (
        per_channel(name, what, x.layout, stored_reals(np.broadcast_to(array, _shape(array, x))))
        for what, array in (("its scale", q.scale), ("its zero point", q.zero_point))
    )
    if isinstance(x, Scaled) and _unchanged(asm, x, q, scale, zero_point):
        asm.fates[name] = "vanishes: its grid is that of its input"
        return x
    if rounds_twice(asm, x, q, scale):
        x = grounded(asm, x)
    tree = Quantise(
        x.tree, parameter(scale), parameter(zero_point), q.lo, q.hi, q.rounding, q.round_first
    )
    return _closed(name, x, tree, scale, combine(lambda s, z: -(s * z), scale, zero_point))


def threshold_stream(name: str, x: Scaled | Tail, op: Thresholds) -> Scaled:
    """The counted stream, its step function not yet in the integer graph."""
    rows = Coded.of_list([_reals(row) for row in np.asarray(op.thresholds)])
    if len(rows.code) > 1:
        shape = [1] * len(x.shape)
        shape[op.axis] = -1
        channel = per_channel(
            name, "its thresholds", x.layout, rows.rearrange(lambda code: code.reshape(shape))
        )
    else:
        channel = rows
    thresholds = np.stack([channel.item(c) for c in range(len(channel.code))])
    scale, bias = Real.of(op.out_scale), Real.of(op.out_bias)
    tree = StepCount(x.tree, thresholds, scale, bias)
    channels = (x.layout.channels,)
    return _closed(name, x, tree, Coded.uniform(scale, channels), Coded.uniform(bias, channels))


def quantise_host(x: Host, q: Quantiser | Thresholds) -> Host:
    """A quantiser that the host computes: real numbers in, real numbers out."""
    if isinstance(q, Thresholds):
        edge = x.edge.then("step", **count_fields(q))
        scale, bias = Coded.uniform(Real.of(q.out_scale)), Coded.uniform(Real.of(q.out_bias))
    else:
        edge = x.edge.then("quantise", **quantise_fields(q))
        scale, zero_point = stored_reals(q.scale), stored_reals(q.zero_point)
        bias = combine(lambda s, z: -(s * z), scale, zero_point)
    edge = edge.then("binary", constant(scale), fn="mul").then("binary", constant(bias), fn="add")
    return Host(edge, x.shape, x.source, x.name)


def _unchanged(asm: Assembly, x: Scaled, q: Quantiser, scale: Coded, zero_point: Coded) -> bool:
    """Whether every value of x is one of the quantiser's own, and 0 of both if of the quantiser."""
    if x.inner is not None:
        return False
    kind = asm.types[x.root]
    slope = combine(lambda a, s: a / s, x.scale, scale)
    shift = combine(lambda b, s, z: b / s + z, x.bias, scale, zero_point)
    for part in (slope, shift):
        if not all(map(whole, part.palette)):
            return False
    if any(whole(z) for z in zero_point.palette):  # padding may want the real number 0
        zero = combine(
            lambda z, k, a: a.sign() == 0 or whole((z - k) / a), zero_point, shift, slope
        )
        if not all(zero.palette):
            return False
    a, b = (part.numbers(lambda k: int(k.fraction), object) for part in (slope, shift))
    ends = np.concatenate([a * kind.lo.astype(object) + b, a * kind.hi.astype(object) + b])
    return (q.lo is None or q.lo <= ends.min()) and (q.hi is None or ends.max() <= q.hi)


def _closed(name: str, x: Scaled | Tail, tree: Expr, scale: Coded, bias: Coded) -> Scaled:
    root = x.root if isinstance(x, Scaled) else x.base.root
    channels = (x.layout.channels,)
    scale, bias = (
        part.rearrange(lambda code: np.broadcast_to(code, channels)) for part in (scale, bias)
    )
    return Scaled(
        root,
        x.layout,
        scale,
        bias,
        inner=Inner(tree, scale, bias),
        closer=name,
        inner_trail=x.names,
    )


def _reals(row: np.ndarray) -> np.ndarray:
    numbers = np.empty(len(row), dtype=object)
    numbers[:] = [Real.of(t) for t in row.tolist()]
    return numbers


def _shape(array: np.ndarray, x: Scaled | Tail) -> tuple[int, ...]:
    return np.broadcast_shapes(np.shape(array), x.shape)

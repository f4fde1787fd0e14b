"""Host edges: what happens to arrays before they enter the accelerator and after they leave it.

An edge is a list of steps, each a dict that JSON holds exactly. Step k has ``op``, ``args``
(numbers of earlier steps, -1 for the array that enters the edge) and the parameters of its op; the
last step is the result, an empty list changes nothing. Axes are those of one sample of the model,
its batch axis of length 1 included; the arrays have one axis more, samples, in front.

====================== ===========================================================================
op                     parameters and meaning
====================== ===========================================================================
``reshape``            ``shape`` of one sample
``transpose``          ``perm`` of the axes of one sample
``take``               ``index`` into the flattened sample and the ``shape`` that results
``constant``           ``value``: broadcast against the sample's axes
``unary``, ``binary``  ``fn``: a name of `hwgen.numerics.functions.UNARY` or `BINARY`
``quantise``           ``scale``, ``zero_point``, ``lo``, ``hi``, ``rounding``, ``round_first`` as
                       in `hwgen.tensor.quantisers.Quant`; the result is the integer
``step``               ``starts``, ``values``, ``axis``: values[c, number of starts[c] <= x]
``affine``             ``scale``, ``bias``, ``axis``: scale[c] * x + bias[c]
``softmax``            ``axis``
``argmax``             ``axis``, ``keepdims``, ``largest``; the lowest index at ties
``float32``, ``int64`` type of the result
====================== ===========================================================================

Real constants are ``{"shape", "hi", "lo"}``, see `Pair`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwgen.host.functions import BINARY, UNARY
from hwgen.host.pair import Pair, round_to_integer

EdgeStep = dict[str, Any]


def real(hi: np.ndarray, lo: np.ndarray | None = None) -> dict[str, Any]:
    """A real constant in the form that steps hold."""
    hi = np.asarray(hi, dtype=np.float64)
    lo = np.zeros_like(hi) if lo is None else np.asarray(lo, dtype=np.float64)
    form: dict[str, Any] = {"shape": list(hi.shape), "hi": hi.ravel().tolist()}
    if np.any(lo):
        form["lo"] = lo.ravel().tolist()
    return form


def apply(steps: Sequence[EdgeStep], x: np.ndarray) -> np.ndarray:
    """The edge on a batch.

    Parameters
    ----------
    steps : sequence of dict
    x : array, (samples, ...)

    Returns
    -------
    array, (samples, ...)
        float32, float64 or int64, as the last step says.

    Raises
    ------
    ValueError
        `x` holds NaN or infinity.
    """
    x = np.asarray(x)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ValueError("input array must be finite, it holds NaN or infinity")
    results: list[Pair] = []
    last: np.ndarray | None = None if steps else x
    first = Pair.of(x)
    for step in steps:
        args = [first if k < 0 else results[k] for k in step["args"]]
        if step["op"] in ("float32", "int64"):
            last = args[0].float32() if step["op"] == "float32" else args[0].hi.astype(np.int64)
            results.append(args[0])
        else:
            results.append(_STEPS[step["op"]](step, *args))
            last = results[-1].float64()
    assert last is not None
    return last


def _constant(form: dict[str, Any]) -> Pair:
    hi = np.array(form["hi"], dtype=np.float64).reshape(form["shape"])
    if "lo" not in form:
        return Pair.of(hi)
    return Pair(hi, np.array(form["lo"], dtype=np.float64).reshape(form["shape"]))


def _along(form: dict[str, Any], axis: int, rank: int) -> Pair:
    """A constant of one axis, ready to broadcast against samples of `rank` axes."""
    shape = [1] * (rank + 1)
    shape[axis + 1] = -1
    return _constant(form).map(lambda part: part.reshape(shape))


def _reshape(step: EdgeStep, x: Pair) -> Pair:
    return x.map(lambda part: part.reshape(len(part), *step["shape"]))


def _transpose(step: EdgeStep, x: Pair) -> Pair:
    return x.map(lambda part: part.transpose(0, *(axis + 1 for axis in step["perm"])))


def _take(step: EdgeStep, x: Pair) -> Pair:
    index = np.array(step["index"], dtype=np.int64)

    def take(part: np.ndarray) -> np.ndarray:
        return part.reshape(len(part), -1)[:, index].reshape(len(part), *step["shape"])

    return x.map(take)


def _value(step: EdgeStep) -> Pair:
    return _constant(step["value"]).map(lambda part: part[np.newaxis])


def _quantise(step: EdgeStep, x: Pair) -> Pair:
    scale, zero_point = _constant(step["scale"]), _constant(step["zero_point"])
    u = x / scale
    if step["round_first"]:
        n = round_to_integer(u, step["rounding"]) + zero_point.hi
    else:
        n = round_to_integer(u + zero_point, step["rounding"])
    lo = -np.inf if step["lo"] is None else step["lo"]
    hi = np.inf if step["hi"] is None else step["hi"]
    return Pair.of(np.clip(n, lo, hi))


def _step(step: EdgeStep, x: Pair) -> Pair:
    starts, values = (np.array(step[key], dtype=np.float64) for key in ("starts", "values"))
    moved = np.moveaxis(x.hi, step["axis"] + 1, 0)
    result = np.empty_like(moved)
    if len(starts) == 1:
        result[:] = values[0][np.searchsorted(starts[0], moved, side="right")]
    else:
        for c, channel in enumerate(moved):
            result[c] = values[c][np.searchsorted(starts[c], channel, side="right")]
    return Pair.of(np.moveaxis(result, 0, step["axis"] + 1))


def _affine(step: EdgeStep, x: Pair) -> Pair:
    rank = x.hi.ndim - 1
    return x * _along(step["scale"], step["axis"], rank) + _along(step["bias"], step["axis"], rank)


def _softmax(step: EdgeStep, x: Pair) -> Pair:
    axis = step["axis"] + 1
    top = Pair.of(x.hi.max(axis=axis, keepdims=True))
    powers = np.exp((x - top).hi)
    return Pair.of(powers / powers.sum(axis=axis, keepdims=True))


def _argmax(step: EdgeStep, x: Pair) -> Pair:
    axis = step["axis"] + 1
    x = x if step["largest"] else -x
    top = x.hi.max(axis=axis, keepdims=True)
    low = np.where(x.hi == top, x.lo, -np.inf)
    index = low.argmax(axis=axis)
    return Pair.of(np.expand_dims(index, axis) if step["keepdims"] else np.asarray(index))


def _unary(step: EdgeStep, x: Pair) -> Pair:
    return UNARY[step["fn"]](x)


def _binary(step: EdgeStep, a: Pair, b: Pair) -> Pair:
    return BINARY[step["fn"]](*_aligned(a, b))


def _aligned(a: Pair, b: Pair) -> tuple[Pair, Pair]:
    """Both with as many axes: numpy's broadcasting starts at the last axis, samples stay first."""
    rank = max(a.hi.ndim, b.hi.ndim)

    def widen(x: Pair) -> Pair:
        ones = (1,) * (rank - x.hi.ndim)
        return x.map(lambda part: part.reshape(len(part), *ones, *part.shape[1:]))

    a, b = widen(a), widen(b)
    shape = np.broadcast_shapes(a.hi.shape, b.hi.shape)

    def spread(part: np.ndarray) -> np.ndarray:
        return np.broadcast_to(part, shape)

    return a.map(spread), b.map(spread)


_STEPS: dict[str, Callable[..., Pair]] = {
    "reshape": _reshape,
    "transpose": _transpose,
    "take": _take,
    "constant": _value,
    "unary": _unary,
    "binary": _binary,
    "quantise": _quantise,
    "step": _step,
    "affine": _affine,
    "softmax": _softmax,
    "argmax": _argmax,
}

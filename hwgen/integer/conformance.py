"""What every integer op must do: its three methods against each other, for inputs of some types.

In a script or in a test, of an op of any package:

    check(Halve(more), IntTensor((2,), np.array([0, -3]), np.array([3, 3])))
"""

from itertools import product
from math import prod

import numpy as np

from cores.types import StreamType
from hwgen.integer.op import IntegerOp, IntTensor

EVERY = 1 << 14
"""Up to so many combinations of inputs all are tried, else about as many random ones."""


def check(op: IntegerOp, *kinds: IntTensor, exact: bool = True, seed: int = 0) -> None:
    """Compares what an op computes with the type that it states and with its operator.

    Parameters
    ----------
    op : IntegerOp
    kinds : IntTensor
        Types of its inputs. Where they allow few combinations of inputs, the range of the result
        is checked to be reached as well.
    exact : bool
        Whether the range must be reached; False for an op that depends on its inputs in a way that
        makes some results impossible.
    seed : int
        Of the random inputs.

    Raises
    ------
    AssertionError
        Says which two do not agree, and where.
    ValueError
        The op does not take these types, or its operator does not take what it asks.
    """
    name = type(op).__name__
    _require(op.arity in (None, len(kinds)), f"{name} must have {op.arity} inputs in this check")
    found = op.result_type(*kinds)
    _require(isinstance(found, IntTensor), f"result_type of {name} must be an IntTensor")
    frames, every = inputs(kinds, seed)
    y = op.compute(*frames)
    _require(y.dtype == np.int64, f"compute of {name} must give int64, not {y.dtype}")
    shape = (len(frames[0]), *found.shape)
    _require(y.shape == shape, f"compute of {name} must have the shape {shape}, not {y.shape}")
    last = op.compute(*(x[-1:] for x in frames))
    _require(np.array_equal(last, y[-1:]), f"compute of {name} must keep frames apart")
    _check_range(name, y.reshape(-1, shape[-1]), found, reached=every and exact)
    _check_operator(op, kinds, frames, y)


def inputs(kinds: tuple[IntTensor, ...], seed: int) -> tuple[list[np.ndarray], bool]:
    """Frames of each type, and whether these are all combinations there are."""
    lo, hi = (
        np.concatenate([np.broadcast_to(getattr(x, end), x.shape).ravel() for x in kinds])
        for end in ("lo", "hi")
    )
    every = prod((hi - lo + 1).tolist()) <= EVERY
    if every:
        rows = np.array(list(product(*map(range, lo.tolist(), (hi + 1).tolist()))), np.int64)
    else:
        rng = np.random.default_rng(seed)
        rows = rng.integers(lo, hi + 1, (max(2, EVERY // lo.size), lo.size))
        rows[0], rows[1] = lo, hi
    ends = np.cumsum([prod(x.shape) for x in kinds])
    parts = np.split(rows, ends[:-1], axis=1)
    return [part.reshape(-1, *x.shape) for part, x in zip(parts, kinds, strict=True)], every


def _check_range(name: str, y: np.ndarray, found: IntTensor, *, reached: bool) -> None:
    least, most = y.min(axis=0), y.max(axis=0)
    for c, (lo, hi) in enumerate(zip(found.lo.tolist(), found.hi.tolist(), strict=True)):
        within = lo <= least[c] and most[c] <= hi
        _require(
            within and (not reached or (lo, hi) == (least[c], most[c])),
            f"result_type of {name} must be {least[c]}..{most[c]} in channel {c}, as computed, "
            f"not {lo}..{hi}",
        )


def _check_operator(
    op: IntegerOp, kinds: tuple[IntTensor, ...], frames: list[np.ndarray], y: np.ndarray
) -> None:
    name = type(op).__name__
    operator = op.lower([StreamType(kind.shape, kind.dtype) for kind in kinds])
    if operator is None:
        same = len(frames) == 1 and np.array_equal(frames[0].ravel(), y.ravel())
        _require(same, f"lower of {name} must give an operator: elements do not stay as they are")
        return
    what = f"the operator {type(operator).__name__} of {name}"
    _require(len(operator.inputs) == len(kinds), f"{what} must have {len(kinds)} inputs")
    for stream, kind in zip(operator.inputs.values(), kinds, strict=True):
        rule = f"{what} must take {kind.dtype} of the shape {kind.shape}"
        taken = stream.dtype.holds(kind.dtype) and prod(stream.shape) == prod(kind.shape)
        _require(taken, f"{rule}, not {stream.dtype} of {stream.shape}")
    shaped = zip(frames, operator.inputs.values(), strict=True)
    z = operator.compute(*(x.reshape(-1, *stream.shape) for x, stream in shaped))
    if not isinstance(z, np.ndarray):
        raise AssertionError(f"{what} must have one output, not {len(z)}")
    _require(z.size == y.size, f"{what} must give {y[0].size} elements, not {z[0].size}")
    different = np.argwhere(z.reshape(y.shape) != y)
    if different.size:
        at = tuple(map(int, different[0]))
        raise AssertionError(
            f"{what} must compute {y[at]} at {at[1:]}, not {z.reshape(y.shape)[at]}, of the inputs "
            f"{', '.join(str(x[at[0]].tolist()) for x in frames)}"
        )


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)

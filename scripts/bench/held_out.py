"""Cores drawn at random, which no coefficient and no count was fitted to.

They tell how far the prices carry as long as nobody mends anything after looking at them; after
that, `SEED` must be another number.
"""

from collections.abc import Callable, Mapping

import numpy as np

from cores.argmax import ArgMax
from cores.choices import AdderGraph, Dsp, PackedDsp, Popcount
from cores.fifo import Buffer
from cores.op import Op
from cores.types import IntType, StreamType
from cores.width_converter import ConvertWidth
from scripts.bench.grid import layer, searched, steps

SEED = 20261127


def held_out() -> Mapping[str, Op]:
    """Two of each kind, by name; every one fits every device."""
    rng = np.random.default_rng(SEED)
    return {f"{kind} {k}": draw(rng) for kind, draw in _KINDS.items() for k in (1, 2)}


def _pick(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _fold(rng: np.random.Generator, size: int, most: int) -> int:
    return int(rng.choice([n for n in range(1, min(size, most) + 1) if size % n == 0]))


def _shape(rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns with many divisors."""
    return 4 * _pick(rng, 3, 10), 4 * _pick(rng, 3, 10)


def _lut(rng: np.random.Generator) -> Op:
    rows, cols = _shape(rng)
    fold = 2 * _fold(rng, rows // 2, 3), 2 * _fold(rng, cols // 2, 4)
    return layer((rows, cols), 2 ** _pick(rng, 1, 5) - 1, _pick(rng, 2, 6), fold)


def _dsp(rng: np.random.Generator) -> Op:
    rows, cols = _shape(rng)
    fold = _fold(rng, rows, 2), _fold(rng, cols, 4)
    return layer((rows, cols), 127, _pick(rng, 5, 8), fold, Dsp())


def _packed(rng: np.random.Generator) -> Op:
    rows, cols = _shape(rng)
    fold = 2 * _fold(rng, rows // 2, 2), _fold(rng, cols, 4)
    return layer((rows, cols), 7, 4, fold, PackedDsp(2, 16))


def _popcount(rng: np.random.Generator) -> Op:
    rows, cols = 4 * _pick(rng, 3, 10), 8 * _pick(rng, 6, 14)
    return layer((rows, cols), 1, 1, (_fold(rng, rows, 6), cols // 2), Popcount())


def _graph(rng: np.random.Generator) -> Op:
    shape = _pick(rng, 6, 14), _pick(rng, 6, 14)
    return layer(shape, 2 ** _pick(rng, 2, 5) - 1, _pick(rng, 3, 7), shape, AdderGraph())


def _unrolled(rng: np.random.Generator) -> Op:
    shape = _pick(rng, 4, 10), _pick(rng, 8, 20)
    return layer(shape, 2 ** _pick(rng, 1, 3) - 1, _pick(rng, 2, 4), shape)


def _parallel(rng: np.random.Generator) -> Op:
    channels = 8 * _pick(rng, 2, 6)
    return steps(channels, _pick(rng, 2, 3), _pick(rng, 10, 18), _fold(rng, channels, 4))


def _search(rng: np.random.Generator) -> Op:
    channels = 8 * _pick(rng, 2, 6)
    op = steps(channels, _pick(rng, 4, 6), _pick(rng, 10, 18), _fold(rng, channels, 4))
    return searched(op, _pick(rng, 1, 2))


def _argmax(rng: np.random.Generator) -> Op:
    channels = 2 * _pick(rng, 4, 10)
    dtype = IntType.bits(_pick(rng, 8, 18), signed=True)
    return ArgMax((channels,), dtype, pe=_fold(rng, channels, 4))


def _narrower(rng: np.random.Generator) -> Op:
    lanes = _pick(rng, 2, 4)
    times, beats = _pick(rng, 2, 8), _pick(rng, 2, 6)
    dtype = IntType.bits(_pick(rng, 2, 8), signed=False)
    return ConvertWidth(StreamType((lanes * times * beats,), dtype, lanes * times), lanes)


def _buffer(rng: np.random.Generator) -> Op:
    lanes = _pick(rng, 2, 8)
    dtype = IntType.bits(_pick(rng, 2, 8), signed=False)
    return Buffer(StreamType((16 * lanes,), dtype, lanes), 16 * _pick(rng, 1, 3))


_KINDS: Mapping[str, Callable[[np.random.Generator], Op]] = {
    "lut": _lut,
    "dsp": _dsp,
    "packed": _packed,
    "popcount": _popcount,
    "adder graph": _graph,
    "unrolled": _unrolled,
    "thresholds": _parallel,
    "search": _search,
    "argmax": _argmax,
    "narrower": _narrower,
    "buffer": _buffer,
}

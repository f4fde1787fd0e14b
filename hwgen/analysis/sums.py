"""Sums of two streams: integers times exact factors, and small factors that decide the same.

s1 * n1 + s2 * n2 is g * (f1 * n1 + f2 * n2) with f1, f2 coprime integers and one scale g. Where
f1 and f2 are large, the sum must be quantised: then smaller factors A, B in nearly the same ratio
order all pairs (n1, n2) as the quantiser needs, and thresholds on A * n1 + B * n2 do the rest.

Every threshold divides the pairs by a line; it is right for A / B in an open interval that holds
f1 / f2. The fraction with the smallest terms in the intersection lies on the path to f1 / f2 in
the Stern-Brocot tree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.integer.op import IntTensor

MAX_SCANNED = 4096
"""Most integers, per channel, of the input that has fewer of them."""


@dataclass(frozen=True, eq=False)
class OpenSum:
    """Integers factors[0, c] * n1 + factors[1, c] * n2 that are not in the graph yet.

    Parameters
    ----------
    inputs : pair of IntTensor
    factors : int64 array, (2, channels)
        The first is positive, none is 0.
    """

    inputs: tuple[IntTensor, IntTensor]
    factors: np.ndarray


def reduced(total: OpenSum, starts: Sequence[Sequence[int]]) -> tuple[np.ndarray, list[list[int]]]:
    """Small factors (2, channels), and where the same steps start on the sum with them.

    Channels with the same factors keep equal ones. Proved over all pairs of integers.

    Parameters
    ----------
    starts : per channel
        Ascending, above the least and not above the greatest value of the sum.

    Raises
    ------
    ValueError
        Both inputs have more than `MAX_SCANNED` integers.
    """
    fronts = _fronts(total, starts)
    factors = np.empty_like(total.factors)
    found: list[list[int]] = [[]] * len(starts)
    pairs = list(zip(*total.factors.tolist(), strict=True))
    for f1, f2 in dict.fromkeys(pairs):
        group = [c for c, pair in enumerate(pairs) if pair == (f1, f2)]
        distinct = list({id(fronts[c]): fronts[c] for c in group}.values())

        def separates(a: int, b: int, distinct: list[Front] = distinct) -> bool:
            return all(front.separates(a, b) for front in distinct)

        a, b = simplest(f1, abs(f2), separates)
        factors[:, group] = [[a], [b if f2 > 0 else -b]]
        moved = {id(front): front.moved(a, b, f1) for front in distinct}
        for c in group:
            found[c] = moved[id(fronts[c])]
    return factors, found


def simplest(f1: int, f2: int, accepted: Callable[[int, int], bool]) -> tuple[int, int]:
    """The first accepted fraction on the path to f1 / f2 in the Stern-Brocot tree.

    `accepted` must hold on an interval around f1 / f2: along each run of the path in one direction
    it then changes at most once.
    """
    low, high = (0, 1), (1, 0)
    while True:
        for rising in (True, False):
            near, far = (low, high) if rising else (high, low)
            # near + t * far does not pass f1 / f2 for t up to `last`
            gap, stride = abs(f1 * near[1] - f2 * near[0]), abs(f1 * far[1] - f2 * far[0])
            last = gap // stride
            if last == 0:
                continue

            def at(t: int, near=near, far=far) -> tuple[int, int]:
                return near[0] + t * far[0], near[1] + t * far[1]

            if accepted(*at(last)):
                return at(_first(lambda t, at=at: accepted(*at(t)), last))
            low, high = (at(last), high) if rising else (low, at(last))


def _first(holds: Callable[[int], bool], last: int) -> int:
    """The least number in 1..last for which `holds`, which then holds for all above it."""
    low, high = 1, last
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True, eq=False)
class Front:
    """Where thresholds divide the pairs (n, q): those with n >= first[k, q] reach threshold k.

    n belongs to the input with more integers, q to the other one, both with the sign that makes
    their factor positive.

    Parameters
    ----------
    first : int64 array, (thresholds, integers of q)
        Within lo..hi + 1.
    q : int64 array
    lo, hi : int
        Range of n.
    swapped : bool
        n is the second input.
    starts : sequence of int
        The thresholds on the sum with the full factors.
    """

    first: np.ndarray
    q: np.ndarray
    lo: int
    hi: int
    swapped: bool
    starts: Sequence[int]

    def bounds(self, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Greatest a * n1 + b * n2 below each threshold, and least that reaches it."""
        n, q = (b, a) if self.swapped else (a, b)
        value = n * self.first + q * self.q
        far = np.iinfo(np.int64).max
        below = np.where(self.first > self.lo, value - n, -far).max(axis=1)
        above = np.where(self.first <= self.hi, value, far).min(axis=1)
        return below, above

    def separates(self, a: int, b: int) -> bool:
        below, above = self.bounds(a, b)
        return bool((below < above).all())

    def moved(self, a: int, b: int, f1: int) -> list[int]:
        """The thresholds on a * n1 + b * n2, as near as can be to f1 / a times the old ones."""
        below, above = (bound.tolist() for bound in self.bounds(a, b))
        wanted = [-(-start * a // f1) for start in self.starts]
        return [min(max(w, b + 1), t) for w, b, t in zip(wanted, below, above, strict=True)]


def _fronts(total: OpenSum, starts: Sequence[Sequence[int]]) -> list[Front]:
    """One per channel; equal ones are the same object."""
    known: dict[tuple[object, ...], Front] = {}
    fronts = []
    for c, row in enumerate(starts):
        (f1, f2) = total.factors[:, c].tolist()
        ends = [(int(x.lo[c]), int(x.hi[c])) for x in total.inputs]
        if f2 < 0:
            ends[1] = (-ends[1][1], -ends[1][0])
        key = (f1, f2, *ends, *row)
        if key not in known:
            known[key] = _front((f1, abs(f2)), ends, row)
        fronts.append(known[key])
    return fronts


def _front(factors: tuple[int, int], ends: list[tuple[int, int]], starts: Sequence[int]) -> Front:
    swapped = ends[0][1] - ends[0][0] < ends[1][1] - ends[1][0]
    (fn, fq), ((lo, hi), (first, last)) = factors, ends
    if swapped:
        (fq, fn), ((first, last), (lo, hi)) = factors, ends
    if last - first >= MAX_SCANNED:
        raise ValueError(
            f"one input must have at most {MAX_SCANNED} integers, not {last - first + 1}"
        )
    q = np.arange(first, last + 1)
    rest = np.asarray(starts, np.int64).reshape(-1, 1) - fq * q
    return Front(np.clip(-(-rest // fn), lo, hi + 1), q, lo, hi, swapped, starts)

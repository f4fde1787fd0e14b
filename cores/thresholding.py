"""Thresholding: any step function of an integer, per channel, by one of three cores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from cores.choices import BinarySearch, Block, Comparison, Logic, Memory, Parallel, Scale, Shift
from cores.cost import Count
from cores.dot import multiplier
from cores.fields.arguments import choice, divisor, integers, lengths, number_type
from cores.fields.frozen import of_array
from cores.memory import weight_memory
from cores.op import Core, Op
from cores.pipeline import Stages
from cores.steps.linear_fit import Lines, fit, fit_even, fit_shift
from cores.steps.parallel_thresholds import Comparators, Thresholding
from cores.steps.requantize import Requantize, Scaling
from cores.steps.thermometer import Lane
from cores.steps.threshold_search import Search, ThresholdSearch
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device

_COMPARISONS = {"parallel": Parallel, "search": BinarySearch, "scale": Scale, "shift": Shift}


@dataclass(frozen=True, eq=False)
class MultiThreshold(Op):
    """y[..., c] = values[c, n], where n counts the starts[c] that are at most x[..., c].

    Parameters
    ----------
    shape : tuple of int
        Shape of a frame, channels last.
    dtype : IntType
        Range of each input element.
    starts : int array, (channels or 1, K)
        First input of each step after the lowest one; ascending, equal ones allowed.
    values : int array, (channels or 1, K + 1)
        Result of each step; any integers.
    pe : int
        Channels computed per cycle; must divide the channels.
    memory : Memory
        Where the rows of a channel are kept when several channels share a parallel comparator.
    comparison : Comparison
        A binary search takes fewer comparators and more cycles of latency; `Scale` none, where the
        steps are a line in integers, and `Shift` not even a multiplier.
    block_stages : int
        Memories of a search that are in block RAM, counted from its end: the largest ones.

    Raises
    ------
    ValueError
        An array has the wrong shape, `starts` descends, `pe` does not divide the channels, or
        the memory does not suit the comparison.
    TypeError
        `starts` or `values` are not integers.
    """

    shape: tuple[int, ...]
    dtype: IntType
    starts: np.ndarray
    values: np.ndarray
    pe: int = field(default=1, kw_only=True)
    memory: Memory = field(default=Logic(), kw_only=True)
    comparison: Comparison = field(default=Parallel(), kw_only=True)
    block_stages: int = field(default=0, kw_only=True)

    def __post_init__(self):
        shape = lengths("shape", "MultiThreshold", self.shape)
        if not shape:
            raise ValueError("shape of MultiThreshold must end with the channels, not ()")
        channels = shape[-1]
        pe = divisor("PE", self.pe, channels, "channels of MultiThreshold")
        fixed: dict[str, Any] = {"shape": shape, "pe": pe}
        number_type("MultiThreshold", self.dtype)
        for name in ("starts", "values"):
            array = integers(name, "MultiThreshold", getattr(self, name))
            if array.ndim != 2 or len(array) not in (1, channels):
                raise ValueError(
                    f"{name} of MultiThreshold must have 1 or {channels} rows, "
                    f"not the shape {array.shape}"
                )
            fixed[name] = array
        for name, value in fixed.items():
            object.__setattr__(self, name, value)
        choice("memory", "MultiThreshold", self.memory, {"logic": Logic, "block": Block})
        choice("comparison", "MultiThreshold", self.comparison, _COMPARISONS)
        if self.values.shape[1] != self.starts.shape[1] + 1:
            raise ValueError(
                "values of MultiThreshold must have one column more than the "
                f"{self.starts.shape[1]} of starts, not {self.values.shape[1]}"
            )
        if (np.diff(self.starts) < 0).any():
            row = int(np.flatnonzero((np.diff(self.starts) < 0).any(axis=1))[0])
            raise ValueError(f"starts of MultiThreshold must ascend, but row {row} descends")
        if self.searches and isinstance(self.memory, Block):
            raise ValueError(
                "memory of MultiThreshold must be logic with a search: "
                "its block_stages say what is in block RAM"
            )
        most = len(self.search.memories) if self.searches else 0
        if isinstance(self.comparison, Scale) and self.lines is None:
            raise ValueError(
                f"{self.comparison.text} comparison of MultiThreshold must have the steps of every "
                "channel on a line in integers, which these are not; use search"
            )
        if isinstance(self.comparison, Shift) and self.shifted is None:
            raise ValueError(
                "shift comparison of MultiThreshold must have steps of one power of two, rounded "
                "up or to even, in all channels, which these are not; use search"
            )
        if not 0 <= self.block_stages <= most:
            raise ValueError(
                f"block_stages of MultiThreshold must be in 0..{most} "
                f"with {self.comparison.text} comparison, not {self.block_stages}"
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last input of each step within the input range, (channels or 1, K + 1); empty
        where first > last."""
        return _steps(self.starts, self.dtype)

    @cached_property
    def reached(self) -> np.ndarray:
        """Which steps some input of the range reaches: bool, (channels or 1, K + 1)."""
        first, last = self._steps
        return first <= last

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @cached_property
    def _range(self) -> IntType:
        reached, values = np.broadcast_arrays(self.reached, self.values)
        found = values[reached]
        return IntType(int(found.min()), int(found.max()))

    @property
    def outputs(self) -> dict[str, StreamType]:
        return {"o": StreamType(self.shape, self._range, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = np.asarray(tensors[0], np.int64)
        result = np.empty_like(x)
        for c in range(self.channels):
            starts = self.starts[c % len(self.starts)]
            values = self.values[c % len(self.values)]
            result[..., c] = values[np.searchsorted(starts, x[..., c], side="right")]
        return result

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.inputs["i"].beats, depth=self._stages)

    def _stages(self) -> Stages:
        if self.scales:
            return self.scaling.stages
        if self.searches:
            return self.search.stages
        return self.comparators.stages

    @property
    def searches(self) -> bool:
        return isinstance(self.comparison, BinarySearch)

    @cached_property
    def search(self) -> Search:
        starts, values = (
            np.broadcast_to(a, (self.channels, a.shape[1])) for a in (self.starts, self.values)
        )
        return Search.of(
            self.dtype, self._range, starts, values, pe=self.pe, block_stages=self.block_stages
        )

    @property
    def scales(self) -> bool:
        return isinstance(self.comparison, (Scale, Shift))

    @cached_property
    def lines(self) -> Lines | None:
        """Lines that are these steps, one per channel, maybe with ties to even; None if some
        channel's are not on one."""
        return self._fitted(fit) or self._fitted(fit_even)

    @cached_property
    def shifted(self) -> Lines | None:
        """Lines of slope 1 that are these steps; None if there are none."""
        return self._fitted(fit_shift)

    def _fitted(
        self, fit: Callable[[IntType, np.ndarray, np.ndarray], Lines | None]
    ) -> Lines | None:
        rows = max(len(self.starts), len(self.values))
        starts, values = (
            np.ascontiguousarray(np.broadcast_to(a, (rows, a.shape[1])))
            for a in (self.starts, self.values)
        )
        lines = fit(self.dtype, starts, values)
        if lines is None or rows == self.channels:
            return lines
        times = self.channels
        return replace(lines, slopes=lines.slopes * times, offsets=lines.offsets * times)

    @cached_property
    def scaling(self) -> Scaling:
        width = self.comparison.width if isinstance(self.comparison, Scale) else 0
        lines = self.lines if width else self.shifted
        assert lines is not None
        block = isinstance(self.memory, Block)
        return Scaling(self.dtype, self._range, lines, self.pe, width, block)

    @property
    def in_block(self) -> bool:
        """Whether rows of parallel comparators are in block RAM."""
        once = self.pe == self.channels or len(self.starts) == len(self.values) == 1
        if once or not isinstance(self.memory, Block):
            return False
        # Mostly the starts differ along a lane, which is seen without what the lanes compute.
        starts = np.clip(self.starts, self.dtype.lo, self.dtype.hi + 1)
        if len(starts) > 1 and (starts[self.pe :] != starts[: -self.pe]).any():
            return True
        return self.comparators.in_block

    @cached_property
    def comparators(self) -> Comparators:
        """What each lane compares with and answers, over its channels."""
        lanes = _lanes(self.starts, self.values, self.dtype, self.channels, self.pe)
        return Comparators(self.dtype, self._range, lanes, isinstance(self.memory, Block))

    def cost(self, device: Device) -> Count:
        if self.scales:
            return self.scaling.cost(device)
        if self.searches:
            return self.search.cost(device)
        return self.comparators.cost(device)

    def foldings(self, device: Device) -> Iterator["MultiThreshold"]:
        for pe in range(1, self.channels + 1):
            if self.channels % pe == 0:
                plain = replace(self, pe=pe, memory=Logic(), comparison=Parallel(), block_stages=0)
                yield plain
                block = replace(plain, memory=Block())
                if block.in_block:
                    yield block
                if self.shifted is not None:
                    yield from self._scaled(Shift(), plain)
                if device.multiplier and self.lines is not None:
                    width = min(device.multiplier.a_width, device.multiplier.b_width)
                    for scale in self._scaled(Scale(width), plain):
                        if scale.scaling.hard <= device.multiplier.count:
                            yield scale
                search = replace(plain, comparison=BinarySearch())
                for stages in range(len(search.search.memories) + 1):
                    yield replace(search, block_stages=stages)

    @staticmethod
    def _scaled(comparison: Comparison, plain: "MultiThreshold") -> Iterator["MultiThreshold"]:
        """With constants in either memory where they differ along a lane."""
        scale = replace(plain, comparison=comparison)
        yield scale
        if any(scale.scaling.varying):
            yield replace(scale, memory=Block())

    def binding(self) -> str:
        plain = isinstance(self.comparison, Parallel)
        return f"PE {self.pe}" if plain else f"PE {self.pe}, {self.comparison.text}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["MultiThreshold"]:
        def rows(channels: int, count: int, lo: int, hi: int) -> np.ndarray:
            return np.sort(rng.integers(lo, hi + 1, (channels, count)), axis=1)

        ramp = np.arange(4)[None]
        s8, u4 = IntType(-128, 127), IntType(0, 15)
        s20 = IntType.bits(20, signed=True)
        bent = rng.integers(-5, 6, (6, 5))
        search, scale, shift = BinarySearch(), Scale(18), Shift()
        eights = np.arange(-28, 28, 8) + np.array([[0], [3], [-5], [90]])
        even = eights + (np.arange(7) + 1) % 2  # ties belong to the even result below
        lines = np.arange(-40, 41, 10) + np.array([[0], [3], [-5], [9]])
        falling = np.arange(4, -6, -1)[None]
        return (
            cls((6,), s8, rows(6, 3, -100, 100), ramp),
            cls((6,), s8, rows(6, 3, -100, 100), ramp, pe=3),
            cls((6,), s8, rows(6, 3, -100, 100), ramp, pe=6),
            cls((6,), s8, rows(6, 3, -140, 140), ramp, pe=2, memory=Block()),
            cls((2, 4), s8, rows(1, 3, -100, 100), ramp - 2, pe=2),
            cls((4,), IntType(-9, 20), rows(4, 3, -30, 40), ramp + rows(4, 1, -7, 7), pe=2),
            cls((6,), u4, rows(6, 4, 0, 16), bent, pe=2),
            cls((6,), u4, rows(6, 4, 0, 16), bent, pe=3, memory=Block()),
            cls((6,), u4, rows(6, 4, 0, 16), bent, pe=6),
            cls((3,), u4, rows(1, 15, 0, 16), rng.integers(0, 255, (1, 16))),
            cls((4,), u4, np.zeros((1, 0), np.int64), rows(4, 1, -3, 3), pe=2),
            cls((1,), IntType(0, 1), np.array([[1]]), np.array([[1, 0]])),
            cls((2, 3), IntType(5, 5), rows(3, 2, 4, 6), rows(3, 3, 0, 9)),
            cls((6,), s8, rows(6, 3, -100, 100), ramp, pe=2, comparison=search),
            cls((2, 6), s8, rows(6, 3, -140, 140), ramp - 2, pe=3, comparison=search),
            cls((6,), u4, rows(6, 4, 0, 16), bent, pe=2, comparison=search, block_stages=2),
            cls((6,), s8, rows(6, 3, -140, 140), ramp, comparison=search, block_stages=2),
            cls((4,), u4, rows(4, 3, 0, 16), ramp + rows(4, 1, -7, 7), comparison=search),
            cls((3,), u4, rows(1, 15, 0, 16), rng.integers(0, 255, (1, 16)), comparison=search),
            cls((4,), u4, np.zeros((1, 0), np.int64), rows(4, 1, -3, 3), comparison=search),
            cls((1,), IntType(0, 1), np.array([[1]]), np.array([[1, 0]]), comparison=search),
            cls((2, 3), IntType(5, 5), rows(3, 2, 4, 6), rows(3, 3, 0, 9), comparison=search),
            cls((4,), s8, lines, falling[:, ::-1], comparison=scale),
            cls((2, 4), s8, lines, falling, pe=2, comparison=scale, memory=Block()),
            cls((4,), s20, 9000 * lines[:1], falling, pe=2, comparison=Scale(16)),
            cls((4,), s20, 9001 * lines + 17, falling + 7, pe=4, comparison=scale),
            cls((4,), u4, np.zeros((1, 0), np.int64), rows(4, 1, -3, 3), comparison=scale),
            cls((4,), s8, eights, np.arange(8)[None] - 3, comparison=shift),
            cls((4,), s8, even, np.arange(8)[None], pe=2, comparison=shift),
            cls((2, 4), s8, even, np.arange(8)[None], pe=2, comparison=shift, memory=Block()),
            cls((4,), s8, even, np.arange(8)[None] - 4, pe=4, comparison=shift, memory=Block()),
        )

    def extremes(self) -> tuple[np.ndarray, ...]:
        first, _ = self._steps
        reached, values, first = np.broadcast_arrays(self.reached, self.values, first)
        lowest = np.where(reached, values, np.iinfo(np.int64).max).argmin(axis=1)[:, None]
        highest = np.where(reached, values, np.iinfo(np.int64).min).argmax(axis=1)[:, None]
        frames = [np.take_along_axis(first, k, axis=1)[:, 0] for k in (lowest, highest)]
        return (np.stack([np.broadcast_to(x, self.shape) for x in frames]),)

    def core(self, device: Device | None = None) -> Core:
        if device is not None:
            count, unit = self.cost(device), device.multiplier
            weight_memory.check_device("MultiThreshold", count.ram_blocks, device)
            multiplier.check_device("MultiThreshold", count.dsp, device)
            if isinstance(self.comparison, Scale) and (
                unit is None or self.comparison.width > min(unit.a_width, unit.b_width)
            ):
                raise ValueError(
                    f"{self.comparison.text} comparison of MultiThreshold must have a multiplier "
                    f"of {self.comparison.width} bits, which {device.name} has not"
                )
        if self.scales:
            return Requantize(self, self.scaling, device)
        if self.searches:
            return ThresholdSearch(self, self.search, device)
        return Thresholding(self, self.comparators, device)


def _steps(starts: np.ndarray, dtype: IntType) -> tuple[np.ndarray, np.ndarray]:
    """First and last input of each step within the range."""
    edges = np.full((len(starts), 1), dtype.lo)
    ends = np.full((len(starts), 1), dtype.hi)
    first = np.hstack([edges, np.maximum(starts, dtype.lo)])
    last = np.hstack([np.minimum(starts - 1, dtype.hi), ends])
    return first, last


@of_array
def _lanes(
    starts: np.ndarray, values: np.ndarray, dtype: IntType, channels: int, pe: int
) -> tuple[Lane, ...]:
    """Of parallel comparators, with rows in either memory."""
    first, last = _steps(starts, dtype)
    starts, values, reached = (
        np.broadcast_to(a, (channels, a.shape[1])) for a in (starts, values, first <= last)
    )
    return tuple(Lane.of(dtype, starts[p::pe], values[p::pe], reached[p::pe]) for p in range(pe))

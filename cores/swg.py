"""Sliding windows: the elements under a kernel at each of its places, from a line buffer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType, depthwise, divisors
from cores.window import window_examples
from cores.window.wide_columns import WideColumns
from cores.window.window_pipeline import WindowPipeline
from cores.window.window_reader import ReaderPlan
from cores.window.window_schedule import Axis, WindowSchedule
from platforms.device import Device

ORDERS = ("dense", "depthwise")
PIXELS = 1, 2, 4
"""Positions at once that foldings try."""


@dataclass(frozen=True, eq=False)
class SlidingWindow(Op):
    """y[..., k * C + c] = x[place of tap k, c], or fill[c] where the tap lies in the padding.

    Taps are counted in row-major order over the kernel.

    Parameters
    ----------
    shape : tuple of int
        Of a frame: length or height and width, then channels.
    dtype : IntType
        Range of each input element.
    kernel : tuple of int
        One number for each axis in front of the channels; so for `strides` and `dilations`, which
        are 1 if not given.
    pads : tuple of (int, int)
        Elements before and after, for each such axis.
    fill : int array, (channels,)
        What padding holds; a scalar stands for all channels.
    order : str
        ``"dense"``, or ``"depthwise"``: all taps of `pe` channels, then of the next.
    pe : int
        Channels at once; divides their number.
    simd : int
        Taps at once: 1, or all of them. All need depthwise order or all channels at once, and
        padding of at most what the kernel reaches, behind the input of less than its size.
    pixels : int
        Neighbouring positions at once, of the input and of the windows; divides the length of both
        in the last axis, and needs all taps at once.

    Raises
    ------
    ValueError
        A length, a number, `order`, `simd` or `pixels` is wrong, or no window fits or touches
        the input.
    TypeError
        `fill` is not integer.
    """

    shape: tuple[int, ...]
    dtype: IntType
    kernel: tuple[int, ...]
    strides: tuple[int, ...] = field(default=(), kw_only=True)
    dilations: tuple[int, ...] = field(default=(), kw_only=True)
    pads: tuple[tuple[int, int], ...] = field(default=(), kw_only=True)
    fill: np.ndarray = field(default_factory=lambda: np.zeros((), np.int64), kw_only=True)
    order: str = field(default="dense", kw_only=True)
    pe: int = field(default=1, kw_only=True)
    simd: int = field(default=1, kw_only=True)
    pixels: int = field(default=1, kw_only=True)

    def __post_init__(self):
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise ValueError(
                "shape of SlidingWindow must be one or two positive axes and channels, "
                f"not {self.shape}"
            )
        space = len(self.shape) - 1
        for name, default in (("strides", 1), ("dilations", 1), ("pads", (0, 0))):
            object.__setattr__(self, name, getattr(self, name) or (default,) * space)
        for name in ("kernel", "strides", "dilations", "pads"):
            numbers = getattr(self, name)
            if len(numbers) != space:
                raise ValueError(
                    f"{name} of SlidingWindow must have one entry for each of the {space} axes in "
                    f"front of the channels, not {numbers}"
                )
            if name != "pads" and min(numbers) < 1:
                raise ValueError(f"{name} of SlidingWindow must be positive, not {numbers}")
        if min(min(pair) for pair in self.pads) < 0:
            raise ValueError(f"pads of SlidingWindow must not be negative, not {self.pads}")
        fill = np.asarray(self.fill)
        if fill.dtype.kind not in "iu":
            raise TypeError(f"fill of SlidingWindow must be integers, not {fill.dtype}")
        if fill.shape not in ((), (self.channels,)):
            raise ValueError(
                f"fill of SlidingWindow must have {self.channels} channels, not shape {fill.shape}"
            )
        fill = np.broadcast_to(fill, (self.channels,)).astype(np.int64)
        object.__setattr__(self, "fill", fill)
        if self.order not in ORDERS:
            raise ValueError(
                f"order of SlidingWindow must be one of {', '.join(ORDERS)}, not {self.order!r}"
            )
        if self.pe < 1 or self.channels % self.pe:
            raise ValueError(
                f"PE must divide the {self.channels} channels of SlidingWindow, not {self.pe}"
            )
        if min(axis.windows for axis in self.axes) < 1:
            raise ValueError(
                f"kernel {self.kernel} of SlidingWindow must fit into {self.shape[:-1]} with "
                f"dilations {self.dilations} and pads {self.pads}"
            )
        if not all(axis.inside.any() for axis in self.axes):
            raise ValueError(
                f"windows of SlidingWindow must touch the input {self.shape[:-1]}; "
                f"with pads {self.pads} none does"
            )
        if self.simd not in (1, self.taps):
            raise ValueError(
                f"SIMD of SlidingWindow must be 1 or all {self.taps} taps, not {self.simd}"
            )
        if self.simd > 1 and self.order == "dense" and self.pe < self.channels:
            raise ValueError(
                f"SIMD {self.simd} of SlidingWindow must have depthwise order or "
                f"PE {self.channels}, all channels, not PE {self.pe}"
            )
        size, windows = self.axes[-1].size, self.axes[-1].windows
        if self.pixels < 1 or size % self.pixels or windows % self.pixels:
            raise ValueError(
                f"pixels of SlidingWindow must divide the {size} places and the {windows} windows "
                f"of the last axis, not {self.pixels}"
            )
        if self.pixels > 1 and self.simd == 1:
            raise ValueError(
                f"pixels {self.pixels} of SlidingWindow must have all {self.taps} taps at once, "
                "and more than one, not SIMD 1"
            )
        if self.simd > 1 and not WindowPipeline.suits(*self.plane):
            raise ValueError(
                f"SIMD {self.simd} of SlidingWindow must have padding of at most what the kernel "
                f"reaches, behind the input of less than its size, not {self.pads}: use SIMD 1"
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        numbers = zip(
            self.shape[:-1], self.kernel, self.strides, self.dilations, self.pads, strict=True
        )
        return tuple(Axis(n, k, s, d, *pad) for n, k, s, d, pad in numbers)

    @property
    def padded(self) -> bool:
        """Whether any tap lies in the padding."""
        return not all(axis.inside.all() for axis in self.axes)

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe, self.pixels)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        shape = (*(axis.windows for axis in self.axes), self.taps * self.channels)
        order = "dense"
        if self.order == "depthwise":
            order = depthwise(self.taps, self.channels, self.pe)
        return {"o": StreamType(shape, self._range, self.pe * self.simd, self.pixels, order)}

    @property
    def _range(self) -> IntType:
        if not self.padded:
            return self.dtype
        return self.dtype.union(IntType(int(self.fill.min()), int(self.fill.max())))

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        space = len(self.kernel)
        x = np.asarray(tensors[0], np.int64)
        frames = x.shape[: x.ndim - space - 1]
        sizes = [n + sum(pad) for n, pad in zip(self.shape, self.pads, strict=False)]
        wide = np.empty((*frames, *sizes, self.channels), np.int64)
        wide[...] = self.fill
        inside = [slice(a, a + n) for (a, _), n in zip(self.pads, self.shape, strict=False)]
        wide[(..., *inside, slice(None))] = x
        taps = []
        for tap in np.ndindex(*self.kernel):
            cut = []
            for n, t, k, s, d in zip(
                sizes, tap, self.kernel, self.strides, self.dilations, strict=True
            ):
                count = (n - (k - 1) * d - 1) // s + 1
                cut.append(slice(t * d, t * d + (count - 1) * s + 1, s))
            taps.append(wide[(..., *cut, slice(None))])
        return np.concatenate(taps, axis=-1)

    @property
    def groups(self) -> int:
        """Input beats of a position."""
        return self.channels // self.pe

    @property
    def plane(self) -> tuple[Axis, Axis]:
        """Rows and columns, as wide as the pixels; what has one axis is one row."""
        return (self.axes[0] if len(self.axes) == 2 else Axis(1, 1)), self._columns.wide

    @property
    def _columns(self) -> WideColumns:
        return WideColumns(self.axes[-1], self.pixels)

    def place(self, pixel: int, tap: int) -> tuple[int, int]:
        """Tap of the windows over wide columns that holds a tap of a pixel, and where therein."""
        row, column = divmod(tap, self.kernel[-1]) if self.whole else (0, 0)
        wide, part = self._columns.place(pixel, column)
        return row * self.plane[1].kernel * self.whole + wide, part

    @property
    def whole(self) -> bool:
        """Whether all taps of a window come at once."""
        return self.simd > 1

    @cached_property
    def schedule(self) -> WindowSchedule:
        """Of one tap at once."""
        return WindowSchedule(*self.plane, self.groups, self.taps * self.groups)

    @cached_property
    def plan(self) -> ReaderPlan | WindowPipeline:
        """What makes the windows."""
        width = self.inputs["i"].width
        if self.whole:
            return WindowPipeline(*self.plane, self.groups, width)
        return ReaderPlan(self.schedule, width, self.order == "depthwise")

    @property
    def stages(self) -> Stages:
        return Stages(2)  # of the memory that is read, and of the output

    @property
    def timing(self) -> Timing:
        plan = self.plan
        return Timing(
            cycles=plan.cycles,
            depth=self.stages,
            reads=lambda port: plan.reads,
            emits=lambda port: plan.emits,
            # A core may read ahead: not all that is read by the step of a beat is needed for it.
            needed=lambda output, source: plan.needed,
            stalling=lambda: plan.stalling,
            cuts_ready=not self.whole,
            pause=plan.tail if isinstance(plan, WindowPipeline) else 0,
        )

    def cost(self, device: Device) -> Count:
        out = self.outputs["o"].width
        total = self.plan.cost(device) + Count(lut=2, ff=1 + out)
        if self.padded:
            # One fill for all groups sets and clears the output registers of a single tap.
            fills = self.fill.reshape(self.groups, self.pe)
            chosen = self.whole or bool((fills != fills[0]).any())
            taps = prod(axis.kernel for axis in self.plane) if self.whole else 1
            total += Count(lut=chosen * out, ff=taps)
        return total

    def foldings(self, device: Device) -> Iterator["SlidingWindow"]:
        for pe in divisors(self.channels):
            yield replace(self, pe=pe, simd=1)
            for pixels in PIXELS:
                if self._can_be_whole(pe, pixels):
                    yield replace(self, pe=pe, simd=self.taps, pixels=pixels)

    def _can_be_whole(self, pe: int, pixels: int = 1) -> bool:
        dense = self.order == "dense"
        ordered = pe == self.channels if dense else pixels == 1
        last = self.axes[-1]
        if not ordered or self.taps == 1 or last.size % pixels or last.windows % pixels:
            return False
        return WindowPipeline.suits(self.plane[0], WideColumns(last, pixels).wide)

    def emitting(self, wanted: StreamType) -> "SlidingWindow":
        pe = self.channels if wanted.order == "dense" else wanted.taps[1]
        whole = wanted.lanes == pe * self.taps and self._can_be_whole(pe)
        return replace(self, pe=pe, simd=self.taps if whole else 1)

    def binding(self) -> str:
        pixels = f" x {self.pixels} pixels" if self.pixels > 1 else ""
        return f"PE {self.pe} x SIMD {self.simd}{pixels}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["SlidingWindow"]:
        return window_examples.examples(cls)

    def core(self, device: Device | None = None) -> "SWG":
        return SWG(self, device)


class SWG(Core):
    """Carries a `SlidingWindow` at one tap of `pe` channels per cycle, or at all taps.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    op: SlidingWindow
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform) -> Module:
        op = self.op
        m = Module()
        m.submodules.windows = windows = op.plan.unit(self.device)
        # The unit is the first stage, as a memory is read; it takes beats when it wants to.
        pipeline = Pipeline(m, op.stages, self.o)
        m.d.comb += [
            windows.en.eq(pipeline.advance),
            windows.valid.eq(self.i.valid),
            windows.i.eq(self.i.payload),
            self.i.ready.eq(windows.ready),
            pipeline.i_valid.eq(windows.emits),
        ]
        fill = self._fill(windows.group)
        with m.If(pipeline.advance):
            for k, (pixel, tap, lane) in enumerate(
                product(range(op.pixels), range(op.simd), range(op.pe))
            ):
                tap, part = op.place(pixel, tap)
                place = (tap * op.pixels + part) * op.pe + lane
                element = Signal(op.dtype.shape, name=f"element{k}")
                m.d.comb += element.eq(windows.o.word_select(place, op.dtype.width))
                chosen = Mux(windows.inside[tap], element, fill[lane]) if op.padded else element
                m.d.sync += self.o.payload[k].eq(chosen)
        return m

    def _fill(self, group: Value) -> list[Value]:
        """What padding holds in each lane."""
        op, shape = self.op, self.op.outputs["o"].dtype.shape
        if not op.padded:
            return [Const(0, shape)] * op.pe
        fills = op.fill.reshape(op.groups, op.pe)
        if (fills == fills[0]).all():
            return [Const(number, shape) for number in fills[0].tolist()]
        columns = fills.T.tolist()
        return [Array([Const(number, shape) for number in column])[group] for column in columns]

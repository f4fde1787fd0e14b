"""ONNX's CumSum along the channels as an operator of hwgen, from the node to the netlist.

Five small things, each independent of the others, so that each checks the rest: a reader of the
ONNX node, a tensor op (what the node means in real numbers, and in integers), an integer op, an
operator with its schedule and cost, and the core that carries it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream

from cores.cost import Count
from cores.op import Core, Op
from cores.pipeline import Pipeline, Stages
from cores.timing import Timing
from cores.types import IntType, StreamType, divisors
from hwgen.analysis.coded import Coded
from hwgen.analysis.context import Context
from hwgen.analysis.scaled import Defined, Scaled
from hwgen.frontend.call import Call, RefusalError, Tensor
from hwgen.frontend.shapes import normal_axis
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.numerics import enclosed
from hwgen.numerics.enclosed import Enclosed
from hwgen.registry import Extension
from hwgen.tensor.op import Shape, TensorOp
from platforms.device import Device


def read_cumsum(call: Call) -> Tensor:
    """The ONNX node as a tensor op."""
    x = call.real()
    if call.attr("exclusive", 0) or call.attr("reverse", 0):
        raise RefusalError("CumSum must run forwards, each element included", "another direction")
    axis = normal_axis(int(call.stored(1, "axis").item()), len(call.shape(x)))
    return call.emit(CumSum(axis), x)


@dataclass(frozen=True)
class CumSum(TensorOp):
    """Sum of all elements up to each one, along `axis`."""

    axis: int

    def result_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *x: Enclosed) -> Enclosed:
        axis = self.axis + 1  # behind that of the samples
        last = x[0].rearrange(lambda a: np.moveaxis(a, axis, -1))
        below = np.triu(np.ones((last.shape[-1],) * 2))
        sums = enclosed.matmul(last, enclosed.stored(below[(np.newaxis,) * (len(last.shape) - 2)]))
        return sums.rearrange(lambda a: np.moveaxis(a, -1, axis))

    def analyse(self, at: Context, *x: Defined) -> Scaled:
        n = at.integers(x[0])
        at.require_channels(n, self.axis)
        at.one_scale(n)  # else its integers could not be added
        bias = accumulate(n.bias.item(c) for c in range(n.layout.channels))
        return at.behind(IntCumSum(), n, scale=n.scale, bias=Coded.of_list(list(bias)))

    def wanted_order(self, index: np.ndarray, position: int) -> np.ndarray:
        return np.moveaxis(index[0], self.axis - 1, -1)  # without the batch, sums along channels


@dataclass(frozen=True)
class IntCumSum(IntegerOp):
    """y[..., c] = x[..., 0] + ... + x[..., c], in integers."""

    def result_type(self, *inputs: IntTensor) -> IntTensor:
        (x,) = inputs
        return IntTensor(x.shape, x.lo.cumsum(), x.hi.cumsum())

    def compute(self, *x: np.ndarray) -> np.ndarray:
        return x[0] @ np.triu(np.ones((x[0].shape[-1],) * 2, np.int64))

    def lower(self, types: Sequence[StreamType]) -> Op:
        return RunningSum(types[0].shape, types[0].dtype)


@dataclass(frozen=True, eq=False)
class RunningSum(Op):
    """y[..., c] = x[..., 0] + ... + x[..., c].

    Parameters
    ----------
    shape : tuple of int
        Of a frame, channels last.
    dtype : IntType
    pe : int
        Channels per cycle; divides their number.

    Raises
    ------
    ValueError
        `pe` does not divide the channels.
    """

    shape: tuple[int, ...]
    dtype: IntType
    pe: int = field(default=1, kw_only=True)

    def __post_init__(self):
        count = self.shape[-1]
        if self.pe < 1 or count % self.pe:
            raise ValueError(f"PE must divide the {count} channels of RunningSum, not {self.pe}")

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype, self.pe)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        # The first channel is one element, the last one the sum of all.
        lo, hi, count = self.dtype.lo, self.dtype.hi, self.shape[-1]
        dtype = IntType(min(lo, lo * count), max(hi, hi * count))
        return {"o": StreamType(self.shape, dtype, self.pe)}

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        return np.cumsum(tensors[0], axis=-1, dtype=np.int64)

    @property
    def timing(self) -> Timing:
        return Timing(cycles=self.inputs["i"].beats, depth=self.stages)

    @property
    def stages(self) -> Stages:
        return Stages(1)

    def cost(self, device: Device) -> Count:
        width = self.outputs["o"].dtype.width
        # An adder and a register per lane; a LUT per bit begins anew at each position.
        return self.stages.cost + Count(add=self.pe * width, lut=width + 1, ff=self.pe * width)

    def foldings(self, device: Device) -> Iterator["RunningSum"]:
        return (replace(self, pe=pe) for pe in divisors(self.shape[-1]))

    def binding(self) -> str:
        return f"PE {self.pe}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["RunningSum"]:
        s4, u2 = IntType(-8, 7), IntType(0, 3)
        shapes = (((6,), s4, 1), ((2, 3, 4), u2, 2), ((4,), s4, 4), ((1,), s4, 1), ((3, 5), u2, 5))
        return tuple(cls(shape, dtype, pe=pe) for shape, dtype, pe in shapes)

    def core(self, device: Device | None = None) -> "RunningAdder":
        return RunningAdder(self, device)


class RunningAdder(Core):
    """Carries a `RunningSum`: an adder per lane, and an output register that is the sum so far."""

    op: RunningSum
    i: stream.Interface
    o: stream.Interface

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats = self.op.shape[-1] // self.op.pe
        beat = Signal(range(beats))
        pipeline = Pipeline(m, self.op.stages, self.o)
        m.d.comb += pipeline.i_valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(pipeline.i_ready)
        # The last lane of the output keeps the sum so far, taken or not; a position begins at 0.
        total = Mux(beat == 0, 0, self.o.payload[-1])
        with m.If(pipeline.step):  # not for a bubble: it would count
            m.d.sync += beat.eq(Mux(beat == beats - 1, 0, beat + 1))
            for lane in range(self.op.pe):
                total = total + self.i.payload[lane]
                m.d.sync += self.o.payload[lane].eq(total)
        return m


OPERATORS = Extension(readers={"CumSum": read_cumsum}, classes=(CumSum, IntCumSum, RunningSum))

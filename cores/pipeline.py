"""The stall net: registers that move together while the output can be taken."""

from dataclasses import dataclass
from typing import TypeVar, cast

from amaranth.hdl import Cat, Module, Signal, Value, ValueLike
from amaranth.lib import stream

from cores.cost import Count
from cores.stalling import Emitting, Rigid, Stalling

Word = TypeVar("Word", bound=ValueLike)


@dataclass(frozen=True)
class Stages:
    """What an op says of its `Pipeline`: given to its `Timing`, depth and stalling follow.

    Parameters
    ----------
    depth : int
        Registers from a step to its output beat, that of the output included; at least 1.
    skips : bool
        Steps that emit nothing go on while an output beat waits; for a depth of 1.

    Raises
    ------
    ValueError
        `depth` is less than 1, or more than 1 although steps are skipped.
    """

    depth: int
    skips: bool = False

    def __post_init__(self):
        if self.depth < 1:
            raise ValueError(f"depth of Stages must be at least 1, not {self.depth}")
        if self.skips and self.depth > 1:
            raise ValueError(f"depth of Stages that skip must be 1, not {self.depth}")

    @property
    def stalling(self) -> Stalling:
        """What goes on while an output beat waits."""
        return Emitting() if self.skips else Rigid()

    @property
    def cost(self) -> Count:
        """Of a `Pipeline`; the logic behind `i_valid` and `emits` is that of its user."""
        # A LUT for `advance`. On iCE40 another one: what resets its flip-flops must enable them
        # too. `tests/cores/test_pipeline.py` counts both.
        return Count(lut=2, ff=self.depth)


class Pipeline:
    """The net that moves the registers of a core, and the valid bits that move with them.

    All registers of the core that stand between a step and its output beat are enabled by
    `advance`: when the last stage holds no output beat, or its beat is taken in this cycle. So they
    move together or not at all, whatever the stages between hold. A cycle in which they move
    without a step (a needed beat has not come) lets in a *bubble*: a stage whose valid bit is 0. It
    moves on like a step and is never caught up with. What its data registers hold means nothing, so
    they need no reset. The last register is the output's: `o.valid` is a flip-flop, and never
    depends on `o.ready`.

    A core that emits only sometimes says so in one of two ways. It lets in a bubble in place of a
    step that completes no beat, or drives `emits`, where what tells those steps apart comes through
    the stages with them. With `skips`, such a step does not even wait for room.

    Registers that keep something beyond a beat (counters, sums) move with `step`, or with `advance`
    and the valid bit of the stage in front of them: a bubble must not count.

    It adds its statements to the module of the core. (As a module of its own it would change how
    yosys names and sorts what it maps, and with that a few cells in every core.)

    Parameters
    ----------
    m : Module
        Of the core.
    stages : Stages
    o : stream.Interface
        The output of the core; `valid` is driven, `ready` is heeded.

    Attributes
    ----------
    i_valid : Signal, to be driven
        The beats are there that the next step needs. Of no effect without `i_ready`.
    i_ready : Value
        The step is made if they are: `ready` of inputs of which each step takes a beat.
    step : Value
        A step is made in this cycle.
    emits : Signal, 1 if nothing drives it
        The step in front of the last stage makes an output beat; of no effect if there is none.
    advance : Signal
        Enables all registers.
    valid : Value, `depth` + 1 bits
        Bit k: stage k holds a step, made k advances ago. Bit 0 is `i_valid`, the last is
        `o.valid`.
    """

    def __init__(self, m: Module, stages: Stages, o: stream.Interface):
        self._m = m
        self.i_valid, self.emits = Signal(name="i_valid"), Signal(name="emits", init=1)
        self.advance, held = Signal(name="advance"), Signal(stages.depth - 1, name="held")
        self.valid = Cat(self.i_valid, held, o.valid)
        m.d.comb += self.advance.eq(~o.valid | o.ready)
        # The output register is not touched by a step that emits nothing.
        self.i_ready = self.advance | ~self.emits if stages.skips else self.advance
        self.step = self.i_valid & self.i_ready
        with m.If(self.advance):
            *before, last = self.valid[:-1]
            m.d.sync += Cat(held, o.valid).eq(Cat(*before, last & self.emits))

    def delay(self, value: Word, cycles: int, *, name: str) -> Word:
        """`value` as it was so many advances ago, where it accompanies a step: registers without a
        reset."""
        for stage in range(cycles):
            late = Signal.like(value, name=f"{name}{stage}", reset_less=True)
            with self._m.If(self.advance):
                self._m.d.sync += Value.cast(late).eq(value)
            value = cast(Word, late)
        return value

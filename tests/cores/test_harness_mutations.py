"""Faults put into a core on purpose: each must be caught, by the right message."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, Value

from cores import conformance
from cores.fifo import Buffer
from cores.op import Core
from cores.sim import StreamError
from cores.timing import Timing
from cores.types import IntType, StreamType

OP = Buffer(StreamType((6,), IntType(-8, 7), 2), 1)
"""Three beats a frame, one cycle from input to output: each core below claims to do this."""


def counter(m: Module, event: Value, count: int = 3) -> Signal:
    """Counts events, from 0 to count - 1 and again."""
    beat = Signal(range(count))
    with m.If(event):
        m.d.sync += beat.eq(beat + 1)
        with m.If(beat == count - 1):
            m.d.sync += beat.eq(0)
    return beat


class Register(Core):
    """The core without a fault."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class Gated(Core):
    """A register behind a gate on each side, both open."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = Register(self.op)
        accept, show = self.gates(m)
        m.d.comb += [
            inner.i.payload.eq(self.i.payload),
            inner.i.valid.eq(self.i.valid & accept),
            self.i.ready.eq(inner.i.ready & accept),
            self.o.payload.eq(inner.o.payload),
            self.o.valid.eq(inner.o.valid & show),
            inner.o.ready.eq(self.o.ready & show),
        ]
        return m

    def gates(self, m: Module) -> tuple[Value, Value]:
        return Const(1), Const(1)


class DropsBeats(Core):
    """Takes a beat while the output waits, and forgets it."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class Overwrites(Core):
    """Takes a beat while the output waits, in its place."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.i.payload)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


class TakesBack(Core):
    """Lowers valid after one cycle, whether the beat was taken or not."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class ShowsWhenReady(Gated):
    """Valid only while ready."""

    def gates(self, m):
        return Const(1), self.o.ready


class WaitsForReady(Gated):
    """Valid only once it has seen ready."""

    def gates(self, m):
        seen = Signal()
        with m.If(self.o.ready):
            m.d.sync += seen.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += seen.eq(0)
        return Const(1), seen


class Wire(Core):
    """No register at all."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(self.i.payload),
            self.i.ready.eq(self.o.ready),
        ]
        return m


class Pauses(Gated):
    """An idle cycle after each frame."""

    def gates(self, m):
        pause = Signal()
        taken = self.i.valid & self.i.ready
        m.d.sync += pause.eq(taken & (counter(m, taken) == 2))
        return ~pause, Const(1)


class Late(Core):
    """A register too many."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Register(self.op)
        m.submodules.second = second = Register(self.op)
        for source, sink in ((self.i, first.i), (first.o, second.i), (second.o, self.o)):
            m.d.comb += [
                sink.valid.eq(source.valid),
                sink.payload.eq(source.payload),
                source.ready.eq(sink.ready),
            ]
        return m


class HoldsLast(Core):
    """A beat leaves its second register only when another comes in."""

    def elaborate(self, platform):
        m = Module()
        held = Signal.like(self.i.payload)
        full, moves, left = Signal(), Signal(), Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(~full | moves),
            left.eq(full & moves & (self.i.valid | self.alone(m, left))),
        ]
        with m.If(moves):
            m.d.sync += [self.o.valid.eq(left), self.o.payload.eq(held)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(self.i.payload), full.eq(1)]
        with m.Elif(left):
            m.d.sync += full.eq(0)
        return m

    def alone(self, m: Module, left: Value) -> Value:
        return Const(0)


class HoldsAllButLast(HoldsLast):
    """Only the last beat of a frame moves on by itself."""

    def alone(self, m, left):
        return counter(m, left) == 2


class OffByOne(Register):
    """Wrong by one in the upper lane, for the largest value only."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.i.ready & (self.i.payload[1] == 7)):
            m.d.sync += self.o.payload[1].eq(6)
        return m


class SwapsLanes(Register):
    """Lane 0 in the high bits."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.i.ready):
            m.d.sync += [
                self.o.payload[0].eq(self.i.payload[1]),
                self.o.payload[1].eq(self.i.payload[0]),
            ]
        return m


class Stops(Gated):
    """Takes nothing after the fifth beat."""

    def gates(self, m):
        open_ = Signal(init=1)
        taken = self.i.valid & self.i.ready
        with m.If(taken & (counter(m, taken, 5) == 4)):
            m.d.sync += open_.eq(0)
        return open_, Const(1)


class Repeats(Register):
    """Gives the twelfth beat twice."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        given = self.o.valid & self.o.ready
        with m.If(given & (counter(m, given, 13) == 11)):
            m.d.sync += self.o.valid.eq(1)
        return m


class SurvivesReset(Core):
    """A reset does not empty its register."""

    def elaborate(self, platform):
        m = Module()
        full = Signal(reset_less=True)
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full)]
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class NarrowBuffer(Buffer):
    """Inputs of the declared range never reach the upper end of the declared output range."""

    def extremes(self):
        return (np.full((1, *self.type.shape), self.type.dtype.lo),)


class SlowBuffer(Buffer):
    """Declares a cycle more per frame than it needs."""

    @property
    def timing(self):
        right = super().timing
        return Timing(cycles=4, depth=1, reads=right.reads, emits=right.emits)


class UnknownBuffer(Buffer):
    """Declares less than what comes out, and that nobody knows what does."""

    @property
    def outputs(self):
        return {"o": replace(self.type, dtype=IntType(-8, 6))}

    def extremes(self):
        return None


class LeakyBuffer(Buffer):
    """What a frame gives depends on those around it."""

    def compute(self, *tensors):
        return super().compute(*tensors) - tensors[0].min()


class RealBuffer(Buffer):
    """Computes numbers that are whole, but of another type."""

    def compute(self, *tensors):
        return super().compute(*tensors).astype(float)


class ShortBuffer(Buffer):
    """Tells the step of one beat only."""

    @property
    def timing(self):
        return Timing(cycles=3, depth=1, emits=lambda port: np.arange(1))


class FaultyBuffer(Buffer):
    """Its second example has a core that drops beats."""

    @classmethod
    def examples(cls, rng):
        return [cls(OP.type, capacity) for capacity in (2, 1)]

    def core(self, device=None):
        return super().core(device) if self.capacity > 1 else DropsBeats(self, device)


check_free, check_stalled = conformance.CHECKS["values"], conformance.CHECKS["values-stalled"]


@pytest.mark.parametrize("check", conformance.CHECKS.values(), ids=conformance.CHECKS)
@pytest.mark.parametrize("core", [Register, Gated])
def test_passes_a_core_without_fault(core: type[Core], check: Callable):
    check(OP, lambda: core(OP))


STUCK = r"Buffer: deadlock after \d+ idle cycles: "


@pytest.mark.parametrize(
    ("core", "check", "message"),
    [
        (DropsBeats, check_stalled, STUCK + r"i took 12 beats, o gave \d beats"),
        (
            Overwrites,
            check_stalled,
            r"Buffer: payload changed while waiting for ready at beat \d of o, cycle \d+",
        ),
        (TakesBack, check_stalled, r"Buffer: valid fell before ready at beat \d of o, cycle \d+"),
        (
            ShowsWhenReady,
            check_stalled,
            r"Buffer: o depends on ready in cycle \d+; it must not",
        ),
        (WaitsForReady, check_stalled, STUCK + r"i took \d beats, o gave \d beats"),
        (
            Wire,
            check_free,
            r"Buffer: o depends on an input of the same cycle 0; outputs must be registered",
        ),
        (
            Pauses,
            conformance.check_schedule,
            r"frames of i follow after \[4\] cycles, cycles says 3",
        ),
        (
            Late,
            conformance.check_schedule,
            r"beat 0 of o is valid in cycle 2 of frame 0, the schedule says 1",
        ),
        (HoldsLast, conformance.check_one_frame, STUCK + r"i took 3 beats, o gave 2 beats"),
        (
            HoldsAllButLast,
            conformance.check_needed,
            r"o gave 0 beats after 1 of i, needed says 1",
        ),
        (SwapsLanes, check_free, r"o\[0, 0\] is -?\d, compute says -?\d \(\d+ of 24 differ\)"),
        (
            OffByOne,
            conformance.check_extremes,
            r"o\[1, 1\] is 6, compute says 7 \(3 of 12 differ\)",
        ),
        (Stops, check_free, STUCK + r"i took 5 beats, o gave 5 beats"),
        (Repeats, check_free, r"Buffer: o gave more than the 12 beats of its 4 frames"),
        (
            SurvivesReset,
            conformance.check_reset,
            r"Buffer: o gave more than the 3 beats of its 1 frames",
        ),
    ],
)
def test_catches(core: type[Core], check: Callable, message: str):
    with pytest.raises((StreamError, AssertionError), match=f"^{message}$"):
        check(OP, lambda: core(OP))


def test_catches_extremes_that_miss_an_end():
    op = NarrowBuffer(OP.type, 1)
    message = r"^extremes reach \(-8, -8\) at o, its range is s4$"
    with pytest.raises(AssertionError, match=message):
        conformance.check_extremes(op, lambda: Register(op))


@pytest.mark.parametrize(
    ("kind", "check", "message"),
    [
        (
            UnknownBuffer,
            conformance.check_extremes,
            r"random inputs reach \(-8, 7\) at o, its range is -8\.\.6",
        ),
        (
            LeakyBuffer,
            conformance.check_compute,
            r"compute gives another o for frame \d alone than among others",
        ),
        (
            RealBuffer,
            conformance.check_compute,
            r"compute must give int64 at o, not float64",
        ),
        (
            ShortBuffer,
            conformance.check_schedule,
            r"emits of o must have the shape \(3,\), not \(1,\)",
        ),
    ],
)
def test_catches_what_an_op_says_wrongly(kind: type[Buffer], check: Callable, message: str):
    op = kind(OP.type, 1)
    with pytest.raises(AssertionError, match=f"^{message}$"):
        check(op, lambda: Register(op))


def test_a_check_of_an_operator_names_the_example_that_fails():
    with pytest.raises(StreamError) as found:
        conformance.check(Buffer, FaultyBuffer)
    (note,) = found.value.__notes__
    assert note.startswith("FaultyBuffer-1-values-stalled: FaultyBuffer(")


def test_a_check_of_an_op_names_it():
    conformance.check(FaultyBuffer(OP.type, 2))
    with pytest.raises(StreamError) as found:
        conformance.check(FaultyBuffer(OP.type, 1))
    (note,) = found.value.__notes__
    assert note.startswith("FaultyBuffer-values-stalled: FaultyBuffer(")


def test_catches_an_operator_without_examples():
    class Bare(Buffer):
        @classmethod
        def examples(cls, rng):
            return ()

    with pytest.raises(ValueError, match=r"^Bare must have at least one example, not none$"):
        conformance.check(Bare)


def test_catches_an_interval_that_is_too_long():
    op = SlowBuffer(OP.type, 1)
    message = r"^frames of i follow after \[3\] cycles, cycles says 4$"
    with pytest.raises(AssertionError, match=message):
        conformance.check_schedule(op, lambda: Register(op))


@pytest.mark.parametrize(("claimed", "used", "what"), [(1, 2, "no input"), (2, 1, "i")])
def test_catches_ready_that_is_not_cut_as_claimed(claimed: int, used: int, what: str):
    # A buffer of two beats cuts ready, one of a single beat does not.
    op = Buffer(OP.type, claimed)
    message = rf"^ready of {what} depends on that of an output, cuts_ready is {claimed > 1}$"
    with pytest.raises(AssertionError, match=message):
        conformance.check_ready(op, Buffer(OP.type, used).core)

"""One core in Amaranth's simulator: whole tensors in, tensors and cycle stamps out.

The bench offers beats with random gaps, takes them with random back-pressure, and watches the rules
of the streams. What goes wrong is recorded and raised after the simulation has ended.
"""

import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import ClockDomain, Module, ResetSignal, Signal, Value
from amaranth.lib import stream
from amaranth.sim import Simulator

from cores.beats import from_beats, from_words, to_beats, to_words
from cores.op import Core, Op
from cores.types import StreamType
from platforms.device import Device

Plan = Generator[None, None, None]
"""What a bench feeds and waits for: runs up to its next ``yield`` before each clock cycle."""


class StreamError(Exception):
    """A core broke a rule of its streams, stopped, or gave more beats than its frames have."""


@dataclass(frozen=True, eq=False)
class Run:
    """What came out of a core, and when; cycle 0 is the first after reset.

    Attributes
    ----------
    outputs : dict of str to int array, (frames, *shape)
    taken : dict of str to int array, (frames, beats)
        Cycle in which each input beat was transferred.
    shown : dict of str to int array, (frames, beats)
        Cycle in which each output beat first stood at the port with `valid` high.
    given : dict of str to int array, (frames, beats)
        Cycle in which each output beat was transferred.
    """

    outputs: dict[str, np.ndarray]
    taken: dict[str, np.ndarray]
    shown: dict[str, np.ndarray]
    given: dict[str, np.ndarray]


@dataclass
class _Source:
    """An input port of the core and the beats still to be offered."""

    port: stream.Interface
    stream: StreamType
    queue: deque[int] = field(default_factory=deque)
    offering: bool = False
    taken: list[int] = field(default_factory=list)


@dataclass
class _Sink:
    """An output port of the core and the beats it gave."""

    port: stream.Interface
    stream: StreamType
    ready: bool = False
    shy: bool = False
    waiting: int | None = None
    words: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)


class Bench:
    """Drives one core; a plan decides what is fed and when the run ends.

    Parameters
    ----------
    op : Op
    core : Component
        The core of `op`, or another with the same ports.
    stall : float
        Probability that a source pauses, and that a sink does, in each cycle. At 0 both are always
        willing; else a sink also withholds `ready` from about half of the beats until `valid` is
        high.
    seed : int

    Attributes
    ----------
    shut : set of str
        Output ports that are not taken from at all.
    """

    def __init__(self, op: Op, core: Core, *, stall: float = 0.0, seed: int = 0):
        self.op = op
        self.stall = stall
        self.cycle = 0
        self.idle = 0
        self.error: str | None = None
        self._core = core
        self._random = random.Random(seed)
        self._reset = Signal()
        self.sources = {n: _Source(getattr(core, n), s) for n, s in op.inputs.items()}
        self.sinks = {n: _Sink(getattr(core, n), s) for n, s in op.outputs.items()}
        # A core that moves nothing for this long will not move again.
        busy = 2 * (op.cycles + op.depth) + 20
        self.patience = int(busy / (1 - stall)) + (40 if stall else 0)
        self.holding = False
        self.shut: set[str] = set()

    def feed(self, port: str, words: Sequence[int]) -> None:
        """Queues payloads for an input port."""
        self.sources[port].queue.extend(words)

    def fail(self, message: str) -> None:
        """Ends the run; the first message is raised once the simulator has stopped."""
        if self.error is None:
            self.error = f"{type(self.op).__name__}: {message}"

    def reset(self) -> Plan:
        """Holds the core in reset for one cycle and forgets everything fed and seen."""
        self.holding = True
        yield
        self.holding = False
        self.cycle = self.idle = 0
        for source in self.sources.values():
            source.queue.clear()
            source.taken.clear()
            source.offering = False
        for sink in self.sinks.values():
            sink.waiting = None
            for record in (sink.words, sink.shown, sink.given):
                record.clear()

    def counts(self) -> str:
        """How far each port has come, for messages."""
        parts = [f"{name} took {len(s.taken)} beats" for name, s in self.sources.items()]
        parts += [f"{name} gave {len(s.given)} beats" for name, s in self.sinks.items()]
        return ", ".join(parts)

    def run(self, plan: Plan) -> None:
        """Simulates until the plan ends.

        Raises
        ------
        StreamError
        """
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += ResetSignal().eq(self._reset)
        m.submodules.core = self._core
        simulator = Simulator(m)
        simulator.add_clock(1e-6)

        async def bench(ctx):
            for _ in plan:
                self._step(ctx)
                if self.error is not None:
                    break
                await ctx.tick()
                self.cycle += 1

        simulator.add_testbench(bench)
        simulator.run()
        plan.close()
        if self.error is not None:
            raise StreamError(self.error)

    def _step(self, ctx) -> None:
        """One clock cycle up to its edge: look, drive, look again, record."""
        before = {name: self._look(ctx, sink) for name, sink in self.sinks.items()}
        for name, sink in self.sinks.items():
            sink.ready = name not in self.shut and self._willing(sink, before[name] is not None)
            ctx.set(sink.port.ready, sink.ready)
        for name, sink in self.sinks.items():
            if self._look(ctx, sink) != before[name]:
                self.fail(f"{name} depends on ready in cycle {self.cycle}; it must not")
        for source in self.sources.values():
            self._offer(ctx, source)
        for name, sink in self.sinks.items():
            if self._look(ctx, sink) != before[name]:
                self.fail(
                    f"{name} depends on an input of the same cycle {self.cycle}; "
                    "outputs must be registered"
                )
        ctx.set(self._reset, self.holding)
        if not self.holding:
            self._record(ctx, before)

    def _look(self, ctx, sink: _Sink) -> int | None:
        """The payload that stands at an output; None when it is not valid."""
        return ctx.get(Value.cast(sink.port.payload)) if ctx.get(sink.port.valid) else None

    def _willing(self, sink: _Sink, valid: bool) -> bool:
        if not self.stall:
            return True
        if sink.shy and not valid:
            return False
        return self._random.random() >= self.stall

    def _offer(self, ctx, source: _Source) -> None:
        if source.offering:
            return
        if source.queue and self._random.random() >= self.stall:
            source.offering = True
            ctx.set(source.port.valid, 1)
            ctx.set(Value.cast(source.port.payload), source.queue[0])
        elif ctx.get(source.port.valid) or not self.cycle:
            ctx.set(source.port.valid, 0)
            junk = self._random.getrandbits(source.stream.width)
            ctx.set(Value.cast(source.port.payload), junk)

    def _record(self, ctx, payloads: dict[str, int | None]) -> None:
        self.idle += 1
        for source in self.sources.values():
            if source.offering and ctx.get(source.port.ready):
                source.queue.popleft()
                source.taken.append(self.cycle)
                source.offering = False
                self.idle = 0
        for name, sink in self.sinks.items():
            payload = payloads[name]
            beat = f"beat {len(sink.given)} of {name}"
            if sink.waiting is not None and payload is None:
                self.fail(f"valid fell before ready at {beat}, cycle {self.cycle}")
            elif sink.waiting is not None and payload != sink.waiting:
                self.fail(f"payload changed while waiting for ready at {beat}, cycle {self.cycle}")
            if payload is None:
                continue
            if sink.waiting is None:
                sink.shown.append(self.cycle)
                self.idle = 0
            sink.waiting = payload
            if sink.ready:
                sink.words.append(payload)
                sink.given.append(self.cycle)
                sink.waiting = None
                sink.shy = self._random.random() < 0.5
                self.idle = 0


def run(
    op: Op,
    inputs: Sequence[np.ndarray],
    *,
    stall: float = 0.0,
    seed: int = 0,
    core: Core | None = None,
    device: Device | None = None,
) -> Run:
    """Simulates the core of `op` on whole tensors.

    Parameters
    ----------
    inputs : sequence of int array, (frames, *shape)
        One tensor per input port.
    stall : float
        See `Bench`.
    core : Component or None
        Another component with the ports of `op`; its own core by default.
    device : Device or None
        Passed to ``op.core``.

    Raises
    ------
    StreamError
        The core broke a stream rule, stopped before all frames were through, or gave further beats.
    """
    words, frames = _words(op, inputs)
    bench = Bench(op, core or op.core(device), stall=stall, seed=seed)
    bench.run(_frames(bench, words, frames))
    return _collect(bench, frames)


def run_after_reset(
    op: Op,
    before: Sequence[np.ndarray],
    inputs: Sequence[np.ndarray],
    *,
    cycles: int,
    seed: int = 0,
    core: Core | None = None,
) -> Run:
    """Like `run`, after `before` was fed for a number of cycles, with stalls, and cut off by
    reset."""
    early, _ = _words(op, before)
    words, frames = _words(op, inputs)
    bench = Bench(op, core or op.core(), stall=0.3, seed=seed)

    def plan() -> Plan:
        for port, queue in early.items():
            bench.feed(port, queue)
        for _ in range(cycles):
            yield
        yield from bench.reset()
        bench.stall = 0.0
        yield from _frames(bench, words, frames)

    bench.run(plan())
    return _collect(bench, frames)


def drip(
    op: Op,
    inputs: Sequence[np.ndarray],
    port: str,
    *,
    stops: Sequence[int] | None = None,
    core: Core | None = None,
) -> dict[str, np.ndarray]:
    """Feeds one input port a few beats at a time, the next only after the core has come to rest;
    the others freely.

    Parameters
    ----------
    stops : sequence of int
        Numbers of beats of `port` after which the core comes to rest, ascending. By default all,
        from 0 to the beats of all frames.

    Returns
    -------
    dict of str to int array, (stops,)
        Output beats given by then, by output port.
    """
    words, _ = _words(op, inputs)
    bench = Bench(op, core or op.core())
    rest = op.cycles + op.depth + 4
    counts: dict[str, list[int]] = {name: [] for name in bench.sinks}

    def plan() -> Plan:
        for name, queue in words.items():
            if name != port:
                bench.feed(name, queue)
        fed = 0
        for stop in range(len(words[port]) + 1) if stops is None else stops:
            if stop > fed:
                bench.feed(port, words[port][fed:stop])
                bench.idle, fed = 0, stop
            while bench.idle < rest or bench.sources[port].queue:
                if bench.idle > bench.patience:
                    bench.fail(f"deadlock after {bench.idle} idle cycles: {bench.counts()}")
                yield
            for name, sink in bench.sinks.items():
                counts[name].append(len(sink.given))

    bench.run(plan())
    return {name: np.array(found) for name, found in counts.items()}


def _words(op: Op, inputs: Sequence[np.ndarray]) -> tuple[dict[str, list[int]], int]:
    """Payloads of each input port, and the number of frames."""
    if len(inputs) != len(op.inputs):
        raise ValueError(
            f"{type(op).__name__} must have one tensor for each of its {len(op.inputs)} inputs, "
            f"not {len(inputs)}"
        )
    beats = {n: to_beats(x, s) for (n, s), x in zip(op.inputs.items(), inputs, strict=True)}
    frames = {len(b) for b in beats.values()}
    if len(frames) != 1:
        raise ValueError(f"all inputs must have the same number of frames, not {sorted(frames)}")
    return {n: to_words(b, op.inputs[n]) for n, b in beats.items()}, frames.pop()


def _frames(bench: Bench, words: dict[str, list[int]], frames: int) -> Plan:
    """Feeds everything, waits for all outputs, then for a while to see that nothing follows."""
    for port, queue in words.items():
        bench.feed(port, queue)
    goals = {name: frames * sink.stream.beats for name, sink in bench.sinks.items()}

    def missing() -> bool:
        return any(s.queue for s in bench.sources.values()) or any(
            len(bench.sinks[name].given) < goal for name, goal in goals.items()
        )

    def look_for_more() -> None:
        for name, goal in goals.items():
            if len(bench.sinks[name].shown) > goal:
                bench.fail(f"{name} gave more than the {goal} beats of its {frames} frames")

    while missing():
        if bench.idle > bench.patience:
            bench.fail(f"deadlock after {bench.idle} idle cycles: {bench.counts()}")
        look_for_more()  # a core that never stops giving would never be idle
        yield
    for _ in range(bench.op.cycles + bench.op.depth + 4):
        look_for_more()
        yield


def _collect(bench: Bench, frames: int) -> Run:
    def stamps(record: list[int], stream: StreamType) -> np.ndarray:
        return np.array(record[: frames * stream.beats], np.int64).reshape(frames, stream.beats)

    outputs = {}
    for name, sink in bench.sinks.items():
        beats = from_words(sink.words[: frames * sink.stream.beats], sink.stream)
        folded = beats.reshape(frames, sink.stream.beats, sink.stream.elements)
        outputs[name] = from_beats(folded, sink.stream)
    return Run(
        outputs,
        {name: stamps(s.taken, s.stream) for name, s in bench.sources.items()},
        {name: stamps(s.shown, s.stream) for name, s in bench.sinks.items()},
        {name: stamps(s.given, s.stream) for name, s in bench.sinks.items()},
    )

"""What every core must do, as checks of one op and a component that claims to be its core.

All examples of an operator, in a script or in tests:

    check(Negate)

    @pytest.mark.parametrize("case", cases(Negate), ids=str)
    def test_keeps_the_contract(case):
        case.run()
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from amaranth.sim import Simulator

from cores.op import Core, Op
from cores.sim import drip, run, run_after_reset
from cores.types import IntType

Make = Callable[[], Core]
Check = Callable[[Op, Make], None]
"""Raises an AssertionError, or a `cores.sim.StreamError`, that says what is wrong."""


def random_inputs(op: Op, frames: int, *, seed: int) -> list[np.ndarray]:
    """Frames over the declared range, its ends more often than its middle."""
    rng = np.random.default_rng(seed)
    tensors = []
    for stream in op.inputs.values():
        lo, hi = stream.dtype.lo, stream.dtype.hi
        shape = (frames, *stream.shape)
        ends = rng.choice([lo, hi], shape)
        tensors.append(np.where(rng.random(shape) < 0.2, ends, rng.integers(lo, hi + 1, shape)))
    return tensors


def require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def expected(op: Op, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    found = op.compute(*inputs)
    return dict(zip(op.outputs, found if isinstance(found, tuple) else (found,), strict=True))


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    for name, want in wanted.items():
        require(found[name].shape == want.shape, f"{name}: {found[name].shape}, not {want.shape}")
        wrong = np.argwhere(found[name] != want)
        if len(wrong):
            at = tuple(map(int, wrong[0]))
            raise AssertionError(
                f"{name}{list(at)} is {found[name][at]}, compute says {want[at]} "
                f"({len(wrong)} of {want.size} differ)"
            )


def check_values(op: Op, make: Make, *, stall: float) -> None:
    """The core gives what `compute` says, whatever the stalls, and keeps the stream rules."""
    inputs = random_inputs(op, 4, seed=1)
    found = run(op, inputs, stall=stall, seed=2, core=make())
    same(found.outputs, expected(op, inputs))


def check_one_frame(op: Op, make: Make) -> None:
    """A frame comes out whole when nothing follows it."""
    inputs = random_inputs(op, 1, seed=3)
    same(run(op, inputs, core=make()).outputs, expected(op, inputs))


def check_schedule(op: Op, make: Make) -> None:
    """`cycles`, `reads`, `time` and `latency` are those of the free-running core, every frame."""
    frames = 3
    for what, steps, streams in (
        ("reads", op.timing.reads, op.inputs),
        ("emits", op.timing.emits, op.outputs),
    ):
        for name, stream in streams.items():
            found, wanted = np.shape(steps(name)), (stream.beats,)
            require(found == wanted, f"{what} of {name} must have the shape {wanted}, not {found}")
    found = run(op, random_inputs(op, frames, seed=4), core=make())
    starts = [found.taken[name][0, 0] - op.timing.reads(name)[0] for name in op.inputs]
    start = min(starts)
    for name, stamps in (found.taken | found.shown).items():
        intervals = sorted(set(np.diff(stamps[:, 0]).tolist()))
        require(
            intervals == [op.cycles],
            f"frames of {name} follow after {intervals} cycles, cycles says {op.cycles}",
        )
    frame_starts = start + op.cycles * np.arange(frames)[:, None]
    for name in op.inputs:
        _same_stamps(f"{name} is read", found.taken[name] - frame_starts, op.timing.reads(name))
    for name in op.outputs:
        _same_stamps(f"{name} is valid", found.shown[name] - frame_starts, op.timing.time(name))
    first_in = min(stamps[0, 0] for stamps in found.taken.values())
    first_out = min(stamps[0, 0] for stamps in found.shown.values())
    require(
        first_out - first_in == op.latency,
        f"latency is {first_out - first_in} cycles, latency says {op.latency}",
    )


def _same_stamps(what: str, found: np.ndarray, wanted: np.ndarray) -> None:
    wrong = np.argwhere(found != wanted)
    if len(wrong):
        frame, beat = map(int, wrong[0])
        raise AssertionError(
            f"beat {beat} of {what} in cycle {found[frame, beat]} of frame {frame}, "
            f"the schedule says {wanted[beat]}"
        )


def check_needed(op: Op, make: Make) -> None:
    """With further input withheld, exactly those beats come out that `needed` allows."""
    frames = 2
    inputs = random_inputs(op, frames, seed=5)
    for port, stream in op.inputs.items():
        # A beat that needs nothing of this port waits for the others, which have ended.
        wanted = {}
        for name, out in op.outputs.items():
            needed = op.timing.needed(name, port)
            frame, beats = np.divmod(np.arange(frames * stream.beats + 1), stream.beats)
            begun = (needed <= beats[:, None]).sum(axis=1) * (frame < frames)
            wanted[name] = frame * out.beats + begun
        # Counts never fall: between two stops at which they are the same, nothing has come out.
        changes = np.any([np.diff(counts) != 0 for counts in wanted.values()], axis=0)
        (before,) = np.nonzero(changes)
        stops = sorted({0, frames * stream.beats, *before.tolist(), *(before + 1).tolist()})
        found = drip(op, inputs, port, stops=stops, core=make())
        for name, counts in wanted.items():
            for n, count in zip(stops, found[name].tolist(), strict=True):
                require(
                    count == counts[n],
                    f"{name} gave {count} beats after {n} of {port}, needed says {counts[n]}",
                )


def check_extremes(op: Op, make: Make) -> None:
    """The extremes reach both ends of the declared output range, in the core too; where they are
    not known, no output leaves it."""
    extremes = op.extremes()
    inputs = random_inputs(op, 64, seed=10) if extremes is None else extremes
    wanted = expected(op, inputs)
    for name, stream in op.outputs.items():
        reached = IntType(int(wanted[name].min()), int(wanted[name].max()))
        if extremes is None:
            right, what = stream.dtype.holds(reached), "random inputs"
        else:
            right, what = stream.dtype == reached, "extremes"
        ends = (reached.lo, reached.hi)
        require(right, f"{what} reach {ends} at {name}, its range is {stream.dtype}")
    if extremes is not None:
        same(run(op, inputs, core=make()).outputs, wanted)


def check_reset(op: Op, make: Make) -> None:
    """After a reset in the middle of a frame, the next frame is right."""
    before = random_inputs(op, 3, seed=6)
    inputs = random_inputs(op, 1, seed=7)
    for cycles in sorted({2, op.cycles // 2 + 1, op.cycles + op.depth + 1}):
        found = run_after_reset(op, before, inputs, cycles=cycles, core=make())
        same(found.outputs, expected(op, inputs))


def check_ready(op: Op, make: Make) -> None:
    """`ready` of an input follows that of an output in the same cycle, unless it is cut."""
    core, rng, found = make(), np.random.default_rng(9), set[str]()
    inputs, outputs = ({name: getattr(core, name) for name in of} for of in (op.inputs, op.outputs))

    async def bench(ctx):
        offered = dict.fromkeys(inputs, False)
        for cycle in range(4 * op.cycles + 4 * op.depth + 64):
            for name, port in inputs.items():
                offered[name] |= bool(rng.random() < 0.7)
                ctx.set(port.valid, offered[name])
            taking = cycle // 16 % 2 * (rng.random(len(outputs)) < 0.7)  # nothing for 16 cycles
            seen = []
            for ready in (np.zeros_like(taking), np.ones_like(taking), taking):
                for port, taken in zip(outputs.values(), ready.tolist(), strict=True):
                    ctx.set(port.ready, taken)
                seen.append({name for name, port in inputs.items() if ctx.get(port.ready)})
            found.update(seen[0] ^ seen[1])
            offered = {name: on and name not in seen[-1] for name, on in offered.items()}
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    require(
        bool(found) != op.timing.cuts_ready,
        f"ready of {', '.join(sorted(found)) or 'no input'} depends on that of an output, "
        f"cuts_ready is {op.timing.cuts_ready}",
    )


def check_compute(op: Op, make: Make) -> None:
    """`compute` gives int64, for a frame alone what it gives for it among others."""
    inputs = random_inputs(op, 4, seed=8)
    for name, tensor in expected(op, inputs).items():
        require(tensor.dtype == np.int64, f"compute must give int64 at {name}, not {tensor.dtype}")
        for frame in range(4):
            alone = expected(op, [x[frame] for x in inputs])[name]
            require(
                np.array_equal(alone, tensor[frame]),
                f"compute gives another {name} for frame {frame} alone than among others",
            )


CHECKS: dict[str, Check] = {
    "compute": check_compute,
    "values": partial(check_values, stall=0.0),
    "values-stalled": partial(check_values, stall=0.5),
    "one-frame": check_one_frame,
    "schedule": check_schedule,
    "needed": check_needed,
    "extremes": check_extremes,
    "reset": check_reset,
    "ready": check_ready,
}


@dataclass(frozen=True, eq=False)
class Case:
    """One check of one op against its own core.

    Parameters
    ----------
    name : str
        As in ``Negate-0-schedule``: operator, number of the example if it is one, check.
    op : Op
    check : Check
    """

    name: str
    op: Op
    check: Check

    def run(self) -> None:
        """
        Raises
        ------
        AssertionError, StreamError
            The core does not do what the op says.
        """
        self.check(self.op, self.op.core)

    def __str__(self) -> str:
        return self.name


def cases(*operators: type[Op] | Op) -> list[Case]:
    """All checks of all examples of classes, and of ops.

    Raises
    ------
    ValueError
        A class has no examples.
    """
    named: list[tuple[str, Op]] = []
    for operator in operators:
        if isinstance(operator, Op):
            named.append((type(operator).__name__, operator))
            continue
        ops = operator.examples(np.random.default_rng(2024))
        if not ops:
            raise ValueError(f"{operator.__name__} must have at least one example, not none")
        named += [(f"{operator.__name__}-{number}", op) for number, op in enumerate(ops)]
    return [Case(f"{at}-{name}", op, check) for at, op in named for name, check in CHECKS.items()]


def check(*operators: type[Op] | Op) -> None:
    """Runs all checks of classes and ops, up to the first that fails; a note of the error names it.

    Raises
    ------
    AssertionError, StreamError
        A core does not do what its op says.
    """
    for case in cases(*operators):
        try:
            case.run()
        except Exception as error:
            error.add_note(f"{case}: {case.op}")
            raise

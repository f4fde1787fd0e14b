"""When a core takes and gives beats, whatever stalls at either end."""

from collections.abc import Callable

import numpy as np

from cores.pipeline import Stages
from cores.stalling import Rigid, Stalling

PortSteps = Callable[[str], np.ndarray]
"""From a port to the step of each of its beats in a frame: ascending, int64 of length ``beats``."""
Needed = Callable[[str, str], np.ndarray]
"""From an output and an input port to a number of input beats for each output beat of a frame."""


class Timing:
    """The schedule of an op, the same for all data, in *steps*.

    A core performs one step per clock cycle unless a beat that the step needs has not arrived or a
    result has no room. Step numbers restart with every frame; frame f+1 begins `cycles` steps after
    frame f.

    Parameters
    ----------
    cycles : int
        Initiation interval: steps from one frame to the next.
    depth : int or Stages, or function without arguments
        Pipeline depth: cycles from the step that completes an output beat to its `valid`; those of
        a `Pipeline` tell its stalling too. A function where planning takes time: the choice of a
        folding asks for `cycles` alone.
    reads : PortSteps, optional
        Step at which each beat of an input port is taken; by default one in every step.
    emits : PortSteps, optional
        Step that completes each beat of an output port; by default one in every step.
    needed : Needed, optional
        Beats of the input that must have come before the output beat can appear (untimed); by
        default those read up to its step. A core that reads ahead needs fewer.
    stalling : Stalling, or function without arguments
        What goes on while an output beat waits to be taken; by default that of the stages, and
        without stages nothing, `Rigid`.
    cuts_ready : bool
        Whether `ready` of the inputs comes from registers, whatever that of the outputs does.
    pause : int
        Most cycles in a row in which no beat is taken because steps went on without input.
    """

    def __init__(
        self,
        *,
        cycles: int,
        depth: int | Stages | Callable[[], int | Stages],
        reads: PortSteps | None = None,
        emits: PortSteps | None = None,
        needed: Needed | None = None,
        stalling: Stalling | Callable[[], Stalling] | None = None,
        cuts_ready: bool = False,
        pause: int = 0,
    ):
        self.cycles = cycles
        self.reads = reads or self._every_step
        self.emits = emits or self._every_step
        self.needed = needed or self._read_before
        self.cuts_ready = cuts_ready
        self.pause = pause
        self._depth, self._stalling = depth, stalling

    @property
    def depth(self) -> int:
        depth = self._known_depth
        return depth.depth if isinstance(depth, Stages) else depth

    @property
    def stalling(self) -> Stalling:
        if self._stalling is not None:
            return self._stalling() if callable(self._stalling) else self._stalling
        depth = self._known_depth
        return depth.stalling if isinstance(depth, Stages) else Rigid()

    @property
    def _known_depth(self) -> int | Stages:
        return self._depth() if callable(self._depth) else self._depth

    def time(self, port: str) -> np.ndarray:
        """Cycle at which each beat of an output port becomes valid, with the frame's step 0 at
        cycle 0 (free-running)."""
        return self.emits(port) + self.depth

    def _every_step(self, port: str) -> np.ndarray:
        return np.arange(self.cycles)

    def _read_before(self, output: str, source: str) -> np.ndarray:
        return np.searchsorted(self.reads(source), self.emits(output), side="right")

"""What goes on in a core while an output beat waits to be taken.

With what else a `cores.timing.Timing` tells, this is all there is to know about the times at which
a core takes and gives beats, whatever stalls at either end.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stalling:
    """Base of the kinds."""


@dataclass(frozen=True)
class Rigid(Stalling):
    """Nothing: all registers move together, and a step without its beat is a bubble that stays."""


@dataclass(frozen=True)
class Emitting(Stalling):
    """Steps that emit no beat; for a depth of 1."""


@dataclass(frozen=True)
class Stored(Stalling):
    """All, as long as a word for the result is free; a beat a step.

    Parameters
    ----------
    words : int
        Words of block RAM for results.
    latency : int
        Cycles from a step to the word's write.
    """

    words: int
    latency: int


@dataclass(frozen=True)
class Ring(Stalling):
    """What a FIFO stores: `words` of a ring, and what it has been read into.

    Parameters
    ----------
    words : int
        1 for a spare register in front of the output register.
    fetched : bool
        Whether a register stands between ring and output register.
    """

    words: int
    fetched: bool


@dataclass(frozen=True, eq=False)
class Reading(Stalling):
    """Beats are stored as far as there is credit; each step emits a beat.

    Parameters
    ----------
    needed : int64 array
        Beats of the frame that must be stored for each step.
    credit : int64 array
        Steps of the frame after which each beat may be stored; negative ones of the frame before.
    """

    needed: np.ndarray
    credit: np.ndarray


@dataclass(frozen=True, eq=False)
class Scanning(Stalling):
    """Nothing; but without beats, the scans behind a frame go on (`cores.window.window_pipeline`).

    Parameters
    ----------
    beats, groups, tail, over : int
        Beats of a frame and of a position, scans behind the last beat, and those of them in which
        no beat is taken.
    first : int
        Positions before the one that completes the first window.
    gaps : int64 array
        Positions to pass from each window to the next.
    """

    beats: int
    groups: int
    tail: int
    over: int
    first: int
    gaps: np.ndarray

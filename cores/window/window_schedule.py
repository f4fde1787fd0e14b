"""When a sliding window reads and emits: positions that wait for beats, and credits that let the
writer run ahead just far enough.

A reader goes through the output positions in order and, at each, through `taps` beats; a position
starts once the beats it needs are written. A writer stores one beat per cycle while it has credit.
The reader hands out credit whenever it completes a position: as much per row as a row of windows
moves on, evenly. At one certain beat, `grant`, it hands out the first credit of the next frame, so
that the next frame's first window is complete when the last of this frame has been read.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Axis:
    """One axis that a window slides along.

    Parameters
    ----------
    size, kernel, stride, dilation, before, after : int
        `before` and `after` are the padding on both sides.
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def reach(self) -> int:
        """Distance from the first to the last tap."""
        return (self.kernel - 1) * self.dilation

    @property
    def windows(self) -> int:
        """Windows along the axis; not positive if none fits."""
        return (self.size + self.before + self.after - self.reach - 1) // self.stride + 1

    @property
    def places(self) -> np.ndarray:
        """Where each tap of each window lies, (windows, kernel); padding is outside 0..size-1."""
        starts = np.arange(self.windows) * self.stride - self.before
        return starts[:, None] + np.arange(self.kernel) * self.dilation

    @property
    def inside(self) -> np.ndarray:
        """Which taps lie on the input, (windows, kernel)."""
        return (self.places >= 0) & (self.places < self.size)

    @property
    def span(self) -> int:
        """A power of two: places modulo it tell whether they are inside."""
        reached = self.before + max(self.size, int(self.places.max()) + 1)
        return 1 << (reached - 1).bit_length()

    @property
    def first(self) -> np.ndarray:
        """First place on the input that each window uses; `size` where there is none."""
        return np.where(self.inside, self.places, self.size).min(axis=1)

    @property
    def last(self) -> np.ndarray:
        """Last place on the input that each window uses; -1 where there is none."""
        return np.where(self.inside, self.places, -1).max(axis=1)


@dataclass(frozen=True)
class _Times:
    """Steps of one frame: of every write, and of the first beat of every position."""

    writes: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, eq=False)
class WindowSchedule:
    """The schedule of a window over rows and columns, `groups` beats per input position.

    Parameters
    ----------
    rows, columns : Axis
    groups : int
        Input beats of a position.
    taps : int
        Output beats of a position.
    """

    rows: Axis
    columns: Axis
    groups: int
    taps: int

    @property
    def beats(self) -> int:
        """Input beats of a frame."""
        return self.rows.size * self.columns.size * self.groups

    @property
    def positions(self) -> int:
        """Windows of a frame."""
        return self.rows.windows * self.columns.windows

    @cached_property
    def need(self) -> np.ndarray:
        """Input beats that must have come before each position, at least 1, ascending."""
        row, column = self.rows.last[:, None], self.columns.last
        found = np.where((row < 0) | (column < 0), 0, row * self.columns.size + column + 1)
        return np.maximum(np.maximum.accumulate(found.ravel()) * self.groups, 1)

    @cached_property
    def release(self) -> np.ndarray:
        """Input beats that no position from this one on uses, at the start of each position."""
        row, column = self.rows.first[:, None], self.columns.first
        none = (row == self.rows.size) | (column == self.columns.size)
        found = np.where(none, self.beats, (row * self.columns.size + column) * self.groups)
        return np.minimum.accumulate(found.ravel()[::-1])[::-1]

    @cached_property
    def _earned(self) -> np.ndarray:
        """Credit handed out before each position starts, without the first credit of the frame."""
        rows, columns = self.rows.windows, self.columns.windows
        row_beats = self.rows.stride * self.columns.size * self.groups
        each = max(1, row_beats // columns)
        whole = max(row_beats, (columns - 1) * each)
        return (np.arange(rows)[:, None] * whole + np.arange(columns) * each).ravel()

    @cached_property
    def credit(self) -> int:
        """Beats of a frame that may be written before its first position is complete."""
        need, earned = self.need, self._earned
        least = max(need[0], (need[1:] - earned[:-1]).max(initial=1))
        if self.positions * self.taps < self.beats:  # the input is the bottleneck: never hold it up
            run = np.arange(self.positions) * self.taps
            starts = np.maximum.accumulate(need - run) + run
            least = max(least, int((starts + self.taps + 1 - earned).max()))
        return int(min(least, self.beats))

    @cached_property
    def _credits(self) -> np.ndarray:
        """Beats of the frame that may be written while each position is read, before the grant."""
        return np.minimum(self.credit + self._earned, self.beats)

    def _times(self, grant: int) -> _Times:
        """Least solution of: a write waits for the write before it and its credit, a position for
        the position before it and its last write."""
        position = grant // self.taps
        credits = self._credits[: position + 1]
        when = np.searchsorted(credits, np.arange(self.beats), side="right")
        run = np.arange(self.positions) * self.taps
        numbers = np.arange(self.beats)
        starts = run + self.need[0]
        while True:
            # Credit of position p is there once position p - 1 is complete.
            given = np.concatenate([[0], starts[:position] + self.taps])
            given = np.append(given, starts[position] + grant % self.taps + 1)
            writes = np.maximum.accumulate(given[when] - numbers) + numbers
            later = np.maximum.accumulate(writes[self.need - 1] + 1 - run) + run
            if (later == starts).all():
                return _Times(writes, starts)
            starts = np.maximum(starts, later)

    def _cycles(self, grant: int, times: _Times) -> int:
        granted = times.starts[grant // self.taps] + grant % self.taps
        return int(max(times.writes[-1], granted)) + 1

    @cached_property
    def _solution(self) -> tuple[int, _Times]:
        """The grant, and the steps that follow from it."""
        last = self.positions * self.taps - 1
        times = self._times(last)
        span = int(times.starts[-1]) + self.taps - int(times.starts[0])
        target = max(span, self.beats)
        # Early enough that the rest of the frame, granted with it, is written in time.
        rest = self.beats - self._credits
        early = np.flatnonzero(times.starts + 1 + rest <= target)
        grant = 0
        if early.size:
            position = int(early[-1])
            spare = target - 1 - int(rest[position] + times.starts[position])
            grant = position * self.taps + min(self.taps - 1, spare)
        while True:
            times = self._times(grant)
            span = int(times.starts[-1]) + self.taps - int(times.starts[0])
            if self._cycles(grant, times) >= span:
                return grant, times
            grant += 1

    @property
    def grant(self) -> int:
        """Output beat with which the next frame gets its first credit."""
        return self._solution[0]

    @property
    def cycles(self) -> int:
        return self._cycles(*self._solution)

    @property
    def reads(self) -> np.ndarray:
        """Step of each input beat."""
        return self._solution[1].writes

    @property
    def emits(self) -> np.ndarray:
        """Step of each output beat."""
        return (self._solution[1].starts[:, None] + np.arange(self.taps)).ravel()

    @cached_property
    def needed(self) -> np.ndarray:
        """Further beats that must be written when the position moves on, for each position."""
        following = np.append(self.need[1:], self.beats + self.need[0])
        return following - self.need

    @cached_property
    def handed(self) -> np.ndarray:
        """Credit handed out when each position is complete."""
        position = self.grant // self.taps
        steps = np.append(np.diff(self._credits), 0)
        return np.where(np.arange(self.positions) < position, steps, 0)

    @property
    def granted(self) -> int:
        """Credit handed out with the grant: the rest of this frame and the first of the next."""
        return self.beats + self.credit - int(self._credits[self.grant // self.taps])

    @property
    def most_ahead(self) -> int:
        """Bound of the beats written beyond what the current position needs."""
        granted = self.beats + self.credit - int(self.need[self.grant // self.taps])
        return max(int((self._credits - self.need).max()), granted)

    @property
    def most_owed(self) -> int:
        """Bound of the credit that is not used yet: a position is complete once its beats have
        come."""
        handed = int((self._credits[1:] - self.need[:-1]).max(initial=self.credit))
        return max(handed, self.most_ahead)

    @property
    def credits_at(self) -> np.ndarray:
        """Beats to be read before each write; negative ones of the frame before."""
        position = self.grant // self.taps
        turn = np.arange(position + 2) * self.taps
        turn[0] = self.grant + 1 - self.positions * self.taps
        turn[-1] = self.grant + 1
        return turn[np.searchsorted(self._credits[: position + 1], np.arange(self.beats), "right")]

    @cached_property
    def words(self) -> int:
        """Beats that must be stored."""
        position = self.grant // self.taps
        before = self._credits - self.release
        after = self.beats + self.credit - int(self.release[position])
        return max(int(before[: position + 1].max()), after)

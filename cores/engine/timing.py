"""When an engine does what: the schedule of its parts, to the cycle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cores.dot.multiplier import DEPTH as PRODUCT_DEPTH
from cores.engine.lanes import OPERANDS
from cores.engine.parameters import DIGITS
from cores.engine.program import Instruction, Program
from cores.sum.adder_tree import levels

CAPTURE = OPERANDS + PRODUCT_DEPTH
"""Cycles from the last step of a pass to the capture of its sums."""
SUM = levels(DIGITS[-1] + 1)
"""Cycles from a digit to its products' sum, whatever its width."""
RESCALE = SUM + 2
"""Cycles from the highest digit of a row to its result."""


def spacings(program: Program) -> list[int]:
    """Cycles, less one, in which the sums of a pass of each layer are rescaled: no other pass may
    end in them."""
    return [each.results * program.parameters.count - 1 for each in program.instructions]


@dataclass(frozen=True)
class _Pass:
    """Steps of a pass, relative to the cycle in which it may begin."""

    last: int
    """Cycle of the last step."""
    pending: tuple[int, ...]
    """Cycles, relative to the end of the pass, in which words of it or earlier ones are written."""


@dataclass(frozen=True, eq=False)
class ProgramSchedule:
    """The schedule of a program, with an input beat and room for results in every cycle.

    Parameters
    ----------
    program : Program
    beats : int
        Of an input frame.
    """

    program: Program
    beats: int

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Cycle in which each layer has ended, of which the next one knows."""
        now, found = self.beats, []
        for each in self.program.instructions[:-1]:
            for _ in range(each.tiles):
                now = self._tile(each, self._loaded(each, now))
            found.append(now)
        return (*found, self._results[1])

    @property
    def cycles(self) -> int:
        return self.ends[-1]

    @property
    def valid(self) -> list[int]:
        """Cycle in which each result is valid."""
        return self._results[0]

    def _loaded(self, each: Instruction, now: int) -> int:
        return now + each.weight_words + each.lanes * self.program.parameters.row_words

    def _tile(self, each: Instruction, now: int) -> int:
        """Cycle in which what follows a tile begins, whose first step may be in cycle `now`."""
        digits = self.program.parameters.count
        known: dict[tuple[int, tuple[int, ...]], _Pass] = {}
        spacing = 0
        pending: tuple[int, ...] = ()
        for _ in range(each.passes):
            key = (spacing, pending)
            if key not in known:
                known[key] = self._pass(each, spacing, pending)
            found = known[key]
            now += found.last + 1
            pending = found.pending
            spacing = each.results * digits - 1
        # The last word becomes complete, is written in the next cycle, and that is seen in the one
        # after it.
        return now + max(pending) + 3

    def _pass(self, each: Instruction, spacing: int, pending: Sequence[int]) -> _Pass:
        """One pass whose last step must not come before cycle `spacing`."""
        now, busy = 0, set(pending)
        period = 1 if each.layer.depthwise else each.counts[0]
        for step in range(each.steps):
            if step == each.steps - 1:
                now = max(now, spacing)
            if step % period % 4 == 0:
                while now in busy:
                    now += 1
            now += 1
        digits = self.program.parameters.count
        first = now - 1 + CAPTURE + RESCALE + 1
        own = [first + 4 * digits * (k + 1) for k in range(each.results // 4)]
        kept = tuple(cycle - now for cycle in (*pending, *own) if cycle >= now)
        return _Pass(now - 1, kept)

    @cached_property
    def _results(self) -> tuple[list[int], int]:
        """Cycles of the results of the last layer, and the one in which a new frame may begin."""
        *before, each = self.program.instructions
        now = self.beats
        for earlier in before:
            for _ in range(earlier.tiles):
                now = self._tile(earlier, self._loaded(earlier, now))
        digits, valid = self.program.parameters.count, []
        for tile in range(each.tiles):
            now = self._loaded(each, now)
            quiet = now
            for number in range(each.passes):
                last = max(now + each.steps - 1, quiet)
                begin = last + CAPTURE + 1
                for k in range(each.results):
                    shown = begin + digits - 1 + RESCALE
                    group = number % each.groups if each.layer.depthwise else 0
                    if tile * each.lanes + group * 4 + k < each.layer.rows:
                        valid.append(shown + 1)
                        begin = shown + 2
                    else:
                        begin = shown + 1
                quiet = begin
                now = last + 1
            now = quiet + 1
        return valid, now

"""A progress bar for transfers that take long enough to look at one."""

from collections.abc import Callable
from contextlib import ExitStack

LONG_S = 2.0


class ProgressBar:
    """Shown on standard error while the block runs, if that is a terminal.

    Parameters
    ----------
    what : str
    count : int
        Steps in all.
    seconds : float
        Expected duration; short ones show nothing.
    """

    def __init__(self, what: str, count: int, *, seconds: float):
        self._what, self._count = what, count
        self._shown = seconds >= LONG_S
        self._stack = ExitStack()

    def __enter__(self) -> Callable[[int], None]:
        """A function that takes the steps done since its last call."""
        if not self._shown:
            return lambda steps: None
        # Loading it takes longer than a short transfer.
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._stack.enter_context(bar)
        task = bar.add_task(self._what, total=self._count)
        return lambda steps: bar.advance(task, steps)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

"""What a verb may use of the machine."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from platforms.tools import Tools

Progress = Callable[[str], None]


@dataclass
class Session:
    """Tools, a cache and a listener; keeps the time that each step took.

    Parameters
    ----------
    environment : mapping
        Environment of external tools; PATH finds native ones.
    cache : Path
        Folder for compiled simulators.
    progress : callable
        Takes one line of text per step.
    """

    environment: Mapping[str, str]
    cache: Path
    progress: Progress = lambda text: None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def tools(self) -> Tools:
        return Tools(self.environment)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announces a step, and how long it took."""
        self.progress(f"{name} ...")
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start
        self.progress(f"{name}: {self.seconds[name]:.1f} s")

    def start(self, *tools: str) -> dict[str, str]:
        """Runs each tool once for its version, so that no later step hides its first start."""
        with self.step(f"start {' and '.join(tools)}"):
            if any("yowasp" in " ".join(self.tools.command(tool)) for tool in tools):
                self.progress("(WebAssembly tools compile themselves at first: minutes)")
            return {tool: self.tools.version(tool) for tool in tools}

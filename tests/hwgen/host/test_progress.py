import sys
from io import StringIO

import pytest

from hwgen.host.progress import ProgressBar


class Screen(StringIO):
    """A terminal, or a file."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("seconds", "terminal", "shown"), [(60, True, True), (60, False, False), (0.1, True, False)]
)
def test_long_transfers_show_a_bar_on_terminals(monkeypatch, seconds, terminal, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Screen(terminal))
    with ProgressBar("frames", 10, seconds=seconds) as advance:
        for _ in range(10):
            advance(1)
    text = sys.stderr.getvalue()
    assert ("frames" in text and "100%" in text) == shown
    assert (text == "") == (not shown)

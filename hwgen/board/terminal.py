"""A pseudo-terminal in front of an emulated board, for any program that opens serial ports."""

import os
import pty
import select
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from hwgen.board.emulated_board import EmulatedBoard

FIRST_CYCLES = 1000
CHUNK_S = 0.005
"""Time between two looks at the terminal."""

AWAKE_S = 60.0
"""Silence after which the emulation takes a twentieth of a processor, no longer all of it."""

REST = 19


class Terminal:
    """Connects a board to a new pseudo-terminal.

    Parameters
    ----------
    board : EmulatedBoard

    Attributes
    ----------
    path : str
        What programs open.
    """

    def __init__(self, board: EmulatedBoard):
        self._board = board
        # The slave stays open, so that programs may come and go.
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)

    def close(self) -> None:
        """Unplugs the board."""
        os.close(self._master)
        os.close(self._slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Runs the board until `stopped` says so.

        Simulated time passes as fast as the simulation can, not in step with the clock on the wall.
        Bytes that nobody reads are lost, as on a real line.

        Raises
        ------
        CheckError
            The design sent a byte without start or stop bit.
        """
        line = self._board.line
        cycles = FIRST_CYCLES
        active = time.monotonic()
        rest = 0.0
        while not stopped():
            data = self._receive(rest)
            start = time.monotonic()
            line.send(data)
            received = line.run(cycles, stop=0)
            if received:
                with suppress(BlockingIOError):
                    os.write(self._master, received)
            now = time.monotonic()
            if now - start > CHUNK_S:
                cycles = max(FIRST_CYCLES, cycles // 2)
            elif not received:
                cycles *= 2
            if data or received or line.waiting:
                active = now
            rest = REST * (now - start) if now - active > AWAKE_S else 0.0

    def _receive(self, timeout: float) -> bytes:
        """What programs have written; waits for it."""
        readable, _, _ = select.select([self._master], [], [], timeout)
        return os.read(self._master, 4096) if readable else b""

"""Ways to reach a device: a serial port here, simulations elsewhere."""

import time
from typing import Protocol

import serial

WRITE_S = 5.0
"""Time in which the operating system must take what is written."""


class LinkClosedError(Exception):
    """The transport is gone: unplugged, or closed at the other end."""


class Transport(Protocol):
    """A byte pipe to a device and the clock by which its deadlines are measured."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`; may raise `LinkClosedError`."""
        ...

    def read(self, count: int, timeout: float) -> bytes:
        """Up to `count` bytes, as soon as there is one; none after `timeout` seconds.

        May raise `LinkClosedError`.
        """
        ...

    def now(self) -> float:
        """Seconds from any fixed moment."""
        ...

    def close(self) -> None: ...


class SerialTransport:
    """A serial port, 8N1 without flow control.

    Raises
    ------
    LinkClosedError
        The port cannot be opened.
    """

    def __init__(self, port: str, baud: int):
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=WRITE_S)
        except (serial.SerialException, ValueError) as error:
            raise LinkClosedError(f"{port}: {error}") from error

    def write(self, data: bytes) -> None:
        """Sends all of it.

        Raises
        ------
        LinkClosedError
            The port is gone.
        """
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise LinkClosedError(str(error)) from error

    def read(self, count: int, timeout: float) -> bytes:
        """Up to `count` bytes, as soon as there are any; none after `timeout` seconds.

        Raises
        ------
        LinkClosedError
            The port is gone.
        """
        try:
            self._serial.timeout = max(0.0, timeout)
            first = self._serial.read(1)
            if not first:
                return b""
            return first + self._serial.read(min(count - 1, self._serial.in_waiting))
        except (serial.SerialException, OSError) as error:
            raise LinkClosedError(str(error)) from error

    def now(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._serial.close()

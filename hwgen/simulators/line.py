"""A simulated design behind a serial line: bytes in and out, as much time as asked for."""

from hwgen.simulators.driver import Driver, SerialPins

WAKE_CYCLES = 8192
"""Cycles after which the power-on reset of every board has ended."""


class SerialLine:
    """The host's end of the line of a design in simulation.

    Parameters
    ----------
    simulator : Driver
        A simulator of any kind; with lanes, all get the same bits.
    rx, tx : str
        The design's pins.
    divider : int
        Clock cycles per bit.

    Attributes
    ----------
    cycle : int
        Cycles run since this object was made.
    """

    def __init__(self, simulator: Driver, *, rx: str, tx: str, divider: int):
        self.cycle = 0
        self._simulator = simulator
        self._rx, self._tx, self._divider = rx, tx, divider
        self._queue = bytearray()
        self.power_on()

    @property
    def waiting(self) -> int:
        """Bytes that were sent but are not yet on the line."""
        return len(self._queue)

    def power_on(self) -> None:
        """Begins anew with the design in its power-on state; what is on the line is lost."""
        self._queue.clear()
        self._pins = SerialPins(self._rx, self._tx, self._divider)
        self._simulator.reset()
        self._simulator.put(self._rx, 1)
        self._simulator.step(WAKE_CYCLES)
        self.cycle += WAKE_CYCLES

    def send(self, data: bytes) -> None:
        """Queues bytes for the design; `run` sends them."""
        self._queue += data

    def run(self, cycles: int, *, room: int = 4096, stop: int = -1) -> bytes:
        """Runs until that many cycles are over, `room` bytes came, or one equal to `stop`.

        Raises
        ------
        CheckError
            The design sent a byte without start or stop bit.
        """
        most = cycles // (10 * self._divider) + 2
        sent, received, ran = self._simulator.run_line(
            self._pins, bytes(self._queue[:most]), cycles=cycles, room=room, stop=stop
        )
        del self._queue[:sent]
        self.cycle += ran
        return received

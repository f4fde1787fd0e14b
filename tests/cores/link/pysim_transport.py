"""A design with UART pins in Amaranth's simulator as a transport of the host driver."""

from collections import deque

from amaranth.lib.wiring import Component
from amaranth.sim import Simulator


class PysimTransport:
    """Bytes over the `rx` and `tx` pins of a component; time is simulated time.

    Parameters
    ----------
    dut : Component
    clk_hz, divisor : int
        Clock, and its cycles per bit.
    gaps : tuple of int
        Idle cycles after each byte sent, repeated for ever.

    Attributes
    ----------
    cycle : int
        Cycles simulated.
    corrupt_from_device : set of int
        Numbers of received bytes that get a wrong bit.
    """

    def __init__(self, dut: Component, *, clk_hz: int, divisor: int, gaps: tuple[int, ...] = (0,)):
        self.cycle = 0
        self.closed = False
        self.corrupt_from_device: set[int] = set()
        self._dut = dut
        self._clk_hz = clk_hz
        self._divisor = divisor
        self._gaps = gaps
        self._sent = self._received = 0
        self._out: deque[int] = deque()
        self._in: deque[int] = deque()
        self._watched = {}
        self._pokes = deque()
        self._simulator = Simulator(dut)
        self._simulator.add_clock(1 / clk_hz)
        self._simulator.add_testbench(self._bench, background=True)

    def write(self, data: bytes) -> None:
        self._out.extend(data)

    def read(self, count: int, timeout: float) -> bytes:
        deadline = self.cycle + int(timeout * self._clk_hz)
        while not self._in and self.cycle < deadline:
            self.run(min(self._divisor * 10, deadline - self.cycle))
        return bytes(self._in.popleft() for _ in range(min(count, len(self._in))))

    def now(self) -> float:
        return self.cycle / self._clk_hz

    def close(self) -> None:
        self.closed = True

    def run(self, cycles: int) -> None:
        """Lets the design run."""
        wanted = self.cycle + cycles
        while self.cycle < wanted:
            self._simulator.advance()

    def drain(self) -> None:
        """Lets the design run until all bytes are on the line."""
        while self._out:
            self.run(self._divisor)
        self.run(12 * self._divisor)

    def look(self, signal) -> int:
        """The value of a signal of the design in the last cycle."""
        self._watched.setdefault(id(signal), (signal, [0]))
        self.run(1)
        return self._watched[id(signal)][1][0]

    def poke(self, signal, value: int) -> None:
        """Sets an input of the design from the next cycle on."""
        self._pokes.append((signal, value))
        self.run(1)

    async def _bench(self, ctx):
        ctx.set(self._dut.rx, 1)
        sending, receiving = self._send(ctx), self._receive(ctx)
        while True:
            await ctx.tick()
            self.cycle += 1
            while self._pokes:
                ctx.set(*self._pokes.popleft())
            for signal, values in self._watched.values():
                values[0] = ctx.get(signal)
            next(sending)
            next(receiving)

    def _send(self, ctx):
        """One step per cycle."""
        while True:
            if not self._out:
                yield
                continue
            byte = self._out.popleft()
            for bit in (0, *(byte >> k & 1 for k in range(8)), 1):
                ctx.set(self._dut.rx, bit)
                for _ in range(self._divisor):
                    yield
            for _ in range(self._gaps[self._sent % len(self._gaps)]):
                yield
            self._sent += 1

    def _receive(self, ctx):
        """One step per cycle."""
        while True:
            if ctx.get(self._dut.tx):
                yield
                continue
            for _ in range(self._divisor // 2):
                yield
            byte = 0
            for k in range(8):
                for _ in range(self._divisor):
                    yield
                byte |= ctx.get(self._dut.tx) << k
            for _ in range(self._divisor):
                yield
            if self._received in self.corrupt_from_device:
                byte ^= 0x20
            self._received += 1
            self._in.append(byte)

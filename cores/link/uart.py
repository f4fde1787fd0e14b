"""Serial port, 8 data bits, no parity, 1 stop bit: receiver and transmitter with stream ports."""

from math import ceil

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

MIN_DIVISOR = 4
TOLERANCE = 0.02


def baud_divisor(clk_hz: float, baud: float) -> int:
    """Clock cycles per bit.

    Raises
    ------
    ValueError
        No divisor of at least 4 meets `baud` within 2 %, or `baud` is not positive.
    """
    if baud <= 0:
        raise ValueError(f"baud rate must be positive, not {baud:g}")
    divisor = max(MIN_DIVISOR, round(clk_hz / baud))
    if abs(clk_hz / divisor / baud - 1) > TOLERANCE:
        slow = max(MIN_DIVISOR, ceil(clk_hz / baud))
        near = sorted({round(clk_hz / d) for d in (slow, max(MIN_DIVISOR, slow - 1))})
        raise ValueError(
            f"a clock of {clk_hz / 1e6:g} MHz must divide into the baud rate within "
            f"{TOLERANCE:.0%} and by at least {MIN_DIVISOR}, but not into {baud:.0f} baud; "
            f"nearest: {', '.join(map(str, near))}"
        )
    return divisor


class UARTReceiver(wiring.Component):
    """Turns the line into bytes, each bit sampled once in its middle.

    A start bit that is high again in its middle is noise and is ignored; a byte without stop bit is
    dropped, and the line must be high before the next start bit. A byte that arrives while the
    previous one still waits is dropped.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 4; see `baud_divisor`.

    Members
    -------
    rx : In(1)
        The pin; synchronised here.
    o : Out(stream.Signature(8))
    """

    rx: Signal
    o: stream.Interface

    def __init__(self, divisor: int):
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8))})
        self._divisor = divisor

    def elaborate(self, platform):
        m = Module()
        # The line rests high: registers that begin low would see a start bit when power comes on.
        rx = Signal(init=1)
        before = Signal(init=1)
        timer = Signal(range(self._divisor), reset_less=True)
        # 0 idle, 1 start bit, 2..9 data bits, 10 stop bit
        position = Signal(range(11))
        shift = Signal(8, reset_less=True)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)

        m.d.sync += before.eq(rx)
        m.d.sync += timer.eq(timer - 1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(position == 0):
            # Half a bit from the edge to the middle of the start bit; from there whole bits lead
            # from middle to middle.
            m.d.sync += timer.eq(self._divisor // 2 - 1)
            with m.If(before & ~rx):
                m.d.sync += position.eq(1)
        with m.Elif(timer == 0):
            m.d.sync += timer.eq(self._divisor - 1)
            m.d.sync += position.eq(position + 1)
            # High again in its middle: noise, no start bit.
            with m.If((position == 1) & rx):
                m.d.sync += position.eq(0)
            with m.If(position == 10):
                m.d.sync += position.eq(0)
                # A low stop bit is a break or the middle of a byte: the byte is dropped.
                with m.If(rx & (~self.o.valid | self.o.ready)):
                    m.d.sync += self.o.payload.eq(shift)
                    m.d.sync += self.o.valid.eq(1)
            with m.Else():
                # The lowest bit comes first. The start bit goes in too, and out again at the low
                # end.
                m.d.sync += shift.eq(Cat(shift[1:], rx))
        return m


class UARTTransmitter(wiring.Component):
    """Turns bytes into bits on the line; one byte takes 10 bit times and one clock cycle.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit; see `baud_divisor`.

    Members
    -------
    i : In(stream.Signature(8))
    tx : Out(1)
        The pin; a register.
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: int):
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})
        self._divisor = divisor

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self._divisor), reset_less=True)
        left = Signal(range(11))
        # Eight bits behind a start bit; its lowest bit is the pin, which must rest high from the
        # first cycle on.
        shift = Signal(9, init=0x1FF)

        m.d.comb += self.tx.eq(shift[0])
        m.d.comb += self.i.ready.eq(left == 0)
        m.d.sync += timer.eq(timer - 1)
        with m.If(left == 0):
            m.d.sync += timer.eq(self._divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += shift.eq(Cat(0, self.i.payload))
                # Start bit, eight bits, stop bit. The stop bit is the ones that are shifted in.
                m.d.sync += left.eq(10)
        with m.Elif(timer == 0):
            m.d.sync += timer.eq(self._divisor - 1)
            m.d.sync += shift.eq(Cat(shift[1:], 1))
            m.d.sync += left.eq(left - 1)
        return m

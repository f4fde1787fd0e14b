"""A serial loop-back: the smallest design that shows a board's clock and link at work."""

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer


class Loopback(Elaboratable):
    """Sends back every bit that the host sends, three clock cycles later.

    Parameters
    ----------
    uart : (str, int)
        As in `Board.uart`.
    """

    def __init__(self, uart: tuple[str, int]):
        self._uart = uart

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        name, number = self._uart
        uart = platform.request(name, number, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        received = Signal()
        sent = Signal(init=1)  # an idle line, during reset too
        m.submodules.rx_sync = FFSynchronizer(rx.i, received, init=1)
        m.d.sync += sent.eq(received)
        m.d.comb += tx.o.eq(sent)
        return m

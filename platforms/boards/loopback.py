"""A serial loop-back: the smallest design that shows a board's clock and link at work."""

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from platforms.boards.board import Board


class Loopback(Elaboratable):
    """Sends back every bit that the host sends, three clock cycles later; the LED shines while the
    line is low.

    Parameters
    ----------
    board : Board
        Whose link and LED are used.
    """

    def __init__(self, board: Board):
        self._board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        name, number = self._board.uart
        uart = platform.request(name, number, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        received = Signal()
        sent = Signal(init=1)  # an idle line, during reset too
        m.submodules.rx_sync = FFSynchronizer(rx.i, received, init=1)
        m.d.sync += sent.eq(received)
        m.d.comb += tx.o.eq(sent)
        if self._board.led:
            name, number = self._board.led
            m.submodules.led = led = io.Buffer(
                io.Direction.Output, platform.request(name, number, dir="-")
            )
            m.d.comb += led.o.eq(~sent)
        return m

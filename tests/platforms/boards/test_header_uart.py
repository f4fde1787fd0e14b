"""Serial lines of boards without an adapter, by the FPGA's pins."""

import pytest

from platforms.boards.colorlight_i5 import ColorlightI5Platform, ColorlightI9Platform
from platforms.boards.header_uart import (
    OrangeCrab25FUARTPlatform,
    OrangeCrab85FUARTPlatform,
    UP5KBEVNUARTPlatform,
)

PINS = {
    UP5KBEVNUARTPlatform: ("4", "12"),
    OrangeCrab25FUARTPlatform: ("N17", "M18"),
    OrangeCrab85FUARTPlatform: ("N17", "M18"),
    ColorlightI5Platform: ("H18", "J17"),
    ColorlightI9Platform: ("H18", "J17"),
}


@pytest.mark.parametrize("platform", PINS, ids=lambda platform: platform.__name__)
def test_the_serial_line_is_on_its_pins(platform):
    board = platform()
    uart = board.lookup("uart", 0)
    found = {port.name: port.ios[0].map_names(board._conn_pins, uart) for port in uart.ios}
    assert (found["rx"], found["tx"]) == tuple([pin] for pin in PINS[platform])

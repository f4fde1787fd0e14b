"""What the cells of an iCE40 netlist do, after yosys' simulation models (``ice40/cells_sim.v``)."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hwgen.simulators.cell import Cell
from hwgen.simulators.cells.ice40_mac16 import mac16
from hwgen.simulators.gates import ONE, ZERO, Address


def _lut4(cell: Cell) -> None:
    inputs = [cell.pin(f"I{k}") for k in range(4)]
    cell.drive("O", cell.gates.lut(cell.number("LUT_INIT"), *inputs))


def _carry(cell: Cell) -> None:
    inputs = (cell.pin("I0"), cell.pin("I1"), cell.pin("CI"))
    cell.drive("CO", cell.gates.lut(0b11101000, *inputs))


_DFF = re.compile(r"SB_DFF(N?)(E?)(SR|SS|R|S|)")


def _dff(cell: Cell) -> None:
    match = _DFF.fullmatch(cell.type)
    assert match
    falling, enabled, kind = match.groups()
    gates, enable, reset = cell.gates, ONE, ZERO
    if enabled:
        enable = cell.pin("E", ONE)
    if kind:
        reset = cell.pin(kind[-1])
    if kind in ("SR", "SS"):
        reset = gates.and_(reset, enable)  # a synchronous reset waits for the enable
    q = gates.flipflop(
        cell.pin("D"),
        clock=cell.pin("C"),
        enable=enable,
        reset=reset,
        value=int(kind.endswith("S")),
        initial=0,
        asynchronous=kind in ("R", "S"),
        falling=bool(falling),
    )
    cell.drive("Q", q)


def _ram40(cell: Cell) -> None:
    gates = cell.gates
    # Bit b of word w is number 16 w + b.
    memory = gates.memory(np.concatenate([cell.bits(f"INIT_{k:X}", 256) for k in range(16)]))
    r_falling, w_falling = "NR" in cell.type, cell.type.endswith("NW")

    mode = cell.number("READ_MODE", allowed=range(4))
    address, offsets, used = _ram40_word(cell, "RADDR", mode)
    enable = gates.and_(cell.pin("RE"), cell.pin("RCLKE", ONE))
    clock = cell.pin("RCLKN" if r_falling else "RCLK")
    data = [ZERO] * 16
    for k, bit in zip(used, gates.read(memory, address, offsets), strict=True):
        data[k] = gates.flipflop(bit, clock=clock, enable=enable, falling=r_falling)
    cell.drive_word("RDATA", data)

    mode = cell.number("WRITE_MODE", allowed=range(4))
    address, offsets, used = _ram40_word(cell, "WADDR", mode)
    enable = gates.and_(cell.pin("WE"), cell.pin("WCLKE", ONE))
    enables = [enable] * len(used)
    if mode == 0:
        enables = [gates.and_(enable, gates.not_(bit)) for bit in cell.word("MASK", 16)]
    gates.write(
        memory,
        address,
        [cell.pin("WDATA", index=k) for k in used],
        offsets=offsets,
        enables=enables,
        clock=cell.pin("WCLKN" if w_falling else "WCLK"),
        falling=w_falling,
    )


def _ram40_word(cell: Cell, pin: str, mode: int) -> tuple[Address, Sequence[int], Sequence[int]]:
    """Address, offsets of the data bits from it, and data pins of a port of ``16 >> mode`` bits.

    The narrow words of a row are interleaved: further address bits move by single bits.
    """
    slots = cell.word(pin, 8 + mode)
    strides = [16 << k for k in range(8)] + [1 << k for k in range(mode)]
    offsets = range(0, 16, 1 << mode)
    first_pin = (0, 0, 1, 3)[mode]
    return Address(tuple(slots), tuple(strides)), offsets, range(first_pin, 16, 1 << mode)


def _spram(cell: Cell) -> None:
    gates = cell.gates
    memory = gates.memory(np.zeros(16384 * 16, np.uint8))
    address = Address(tuple(cell.word("ADDRESS", 14)), tuple(16 << k for k in range(14)))
    clock, select, write = cell.pin("CLOCK"), cell.pin("CHIPSELECT"), cell.pin("WREN")
    off = gates.or_(cell.pin("SLEEP"), gates.not_(cell.pin("POWEROFF", ONE)))
    awake = gates.and_(select, gates.not_(gates.or_(off, cell.pin("STANDBY"))))
    reading = gates.and_(awake, gates.not_(write))
    writing = gates.and_(awake, write)
    lanes = [gates.and_(writing, bit) for bit in cell.word("MASKWREN", 4)]
    gates.write(
        memory,
        address,
        cell.word("DATAIN", 16),
        offsets=range(16),
        enables=[lanes[k // 4] for k in range(16)],
        clock=clock,
    )
    data = gates.read(memory, address, range(16))
    # The output is unknown after a write and in standby; here it stays.
    cell.drive_word(
        "DATAOUT",
        [
            gates.flipflop(bit, clock=clock, enable=reading, reset=off, asynchronous=True)
            for bit in data
        ],
    )


def _io(cell: Cell) -> None:
    gates = cell.gates
    kind = cell.number("PIN_TYPE")
    if cell.number("NEG_TRIGGER"):
        cell.refuse("NEG_TRIGGER must be 0, not 1")
    enable = cell.pin("CLOCK_ENABLE", ONE)

    def register(bit: int, clock: str) -> int:
        return gates.flipflop(bit, clock=cell.pin(clock), enable=enable)

    pad = cell.pin("PACKAGE_PIN")
    if kind & 2:
        cell.refuse(f"PIN_TYPE must not latch its input, not {kind:06b}")
    cell.drive("D_IN_0", pad if kind & 1 else register(pad, "INPUT_CLK"))
    cell.drive("GLOBAL_BUFFER_OUTPUT", pad)  # of SB_GB_IO
    output = kind >> 2
    if output >> 2 == 0 or (output >> 2 == 2 and not cell.tied("OUTPUT_ENABLE")):
        return  # input only
    if output & 3 == 2:
        cell.drive("PACKAGE_PIN", cell.pin("D_OUT_0"))
    elif output & 3 == 1 and output >> 2 != 3:
        cell.drive("PACKAGE_PIN", register(cell.pin("D_OUT_0"), "OUTPUT_CLK"))
    else:
        cell.refuse(f"PIN_TYPE must be a plain or a registered output, not {kind:06b}")


def _global_buffer(cell: Cell) -> None:
    cell.drive("GLOBAL_BUFFER_OUTPUT", cell.pin("USER_SIGNAL_TO_GLOBAL_BUFFER"))


def _pll(cell: Cell) -> None:
    reference = cell.pin("PACKAGEPIN" if cell.type.endswith("PAD") else "REFERENCECLK")
    for output in ("CORE", "GLOBAL", "COREA", "GLOBALA", "COREB", "GLOBALB"):
        cell.drive(f"PLLOUT{output}", reference)
    cell.drive("LOCK", ONE)


def _oscillator(cell: Cell) -> None:
    """Its output is a clock that nothing drives."""


CELLS: Mapping[str, Callable[[Cell], None]] = MappingProxyType(
    {
        "SB_LUT4": _lut4,
        "SB_CARRY": _carry,
        **{
            f"SB_DFF{edge}{enable}{kind}": _dff
            for edge in ("", "N")
            for enable in ("", "E")
            for kind in ("", "SR", "SS", "R", "S")
        },
        **{f"SB_RAM40_4K{edges}": _ram40 for edges in ("", "NR", "NW", "NRNW")},
        "SB_SPRAM256KA": _spram,
        "SB_MAC16": mac16,
        "SB_IO": _io,
        "SB_GB_IO": _io,
        "SB_GB": _global_buffer,
        **{f"SB_PLL40_{kind}": _pll for kind in ("CORE", "PAD", "2_PAD", "2F_CORE", "2F_PAD")},
        "SB_HFOSC": _oscillator,
        "SB_LFOSC": _oscillator,
    }
)

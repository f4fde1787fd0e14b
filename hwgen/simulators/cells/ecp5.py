"""What the cells of an ECP5 netlist do, after yosys' models (``lattice/cells_sim_ecp5.v``).

MULT18X18D and DP16KD have no model there: they follow Lattice TN1267 and TN1264, and yosys' own use
of them.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hwgen.simulators.cell import Cell
from hwgen.simulators.gates import ONE, ZERO, Address


def _lut4(cell: Cell) -> None:
    inputs = [cell.pin(name) for name in "ABCD"]
    cell.drive("Z", cell.gates.lut(cell.number("INIT"), *inputs))


def _pfumx(cell: Cell) -> None:
    cell.drive("Z", cell.gates.mux(cell.pin("C0"), cell.pin("BLUT"), cell.pin("ALUT")))


def _l6mux21(cell: Cell) -> None:
    cell.drive("Z", cell.gates.mux(cell.pin("SD"), cell.pin("D0"), cell.pin("D1")))


def _ccu2c(cell: Cell) -> None:
    gates, carry = cell.gates, cell.pin("CIN")
    for half in (0, 1):
        table = cell.number(f"INIT{half}")
        inputs = [cell.pin(f"{name}{half}") for name in "ABCD"]
        inject = cell.text(f"INJECT1_{half}", "YES", ("YES", "NO")) == "YES"
        whole = gates.lut(table, *inputs)
        small = ZERO if inject else gates.lut(table & 15, *inputs[:2])
        cell.drive(f"S{half}", whole if inject else gates.xor(whole, carry))
        carry = gates.mux(whole, small, carry)
    cell.drive("COUT", carry)


def _flipflop(cell: Cell) -> None:
    gates = cell.gates
    mux = cell.text("CEMUX", "1", ("CE", "INV", "0", "1"))
    enable = {"0": ZERO, "1": ONE}.get(mux) if mux in "01" else cell.pin("CE", ONE)
    assert enable is not None
    if mux == "INV":
        enable = gates.not_(enable)
    reset = cell.pin("LSR")
    if cell.text("LSRMUX", "LSR", ("LSR", "INV")) == "INV":
        reset = gates.not_(reset)
    cell.text("LSRMODE", "LSR", ("LSR",))
    q = gates.flipflop(
        cell.pin("DI"),
        clock=cell.pin("CLK"),
        enable=enable,
        reset=reset,
        value=int(cell.text("REGSET", "RESET", ("RESET", "SET")) == "SET"),
        asynchronous=cell.text("SRMODE", "LSR_OVER_CE", ("LSR_OVER_CE", "ASYNC")) == "ASYNC",
        falling=cell.text("CLKMUX", "CLK", ("CLK", "INV")) == "INV",
    )
    cell.drive("Q", q)


def _dpr16x4(cell: Cell) -> None:
    gates = cell.gates
    memory = gates.memory(cell.bits("INITVAL", 64))
    strides = (4, 8, 16, 32)
    cell.drive_word(
        "DO", gates.read(memory, Address(tuple(cell.word("RAD", 4)), strides), range(4))
    )
    mux = cell.text("WREMUX", "WRE", ("WRE", "INV", "0", "1"))
    enable = {"0": ZERO, "1": ONE}.get(mux, cell.pin("WRE"))
    if mux == "INV":
        enable = gates.not_(enable)
    gates.write(
        memory,
        Address(tuple(cell.word("WAD", 4)), strides),
        cell.word("DI", 4),
        offsets=range(4),
        enables=[enable] * 4,
        clock=cell.pin("WCK"),
        falling=cell.text("WCKMUX", "WCK", ("WCK", "INV")) == "INV",
    )


def _mult18x18(cell: Cell) -> None:
    gates = cell.gates
    for name in ("SOURCEA", "SOURCEB"):
        if cell.tied(name):
            cell.refuse(f"{name} must be 0: operands by shift are not modelled")
    cell.text("MULT_BYPASS", "DISABLED", ("DISABLED",))
    cell.text("CAS_MATCH_REG", "FALSE", ("FALSE",))
    cell.text("HIGHSPEED_CLK", "NONE", ("NONE",))
    signed = (cell.tied("SIGNEDA"), cell.tied("SIGNEDB"))
    a = _dsp_register(cell, "INPUTA", cell.pins("A", 18))
    b = _dsp_register(cell, "INPUTB", cell.pins("B", 18))
    product = gates.multiply(a, b, signed=signed, width=36)
    product = _dsp_register(cell, "PIPELINE", product)
    cell.drive_pins("P", _dsp_register(cell, "OUTPUT", product))
    cell.drive("SIGNEDP", ONE if any(signed) else ZERO)


def _dsp_register(cell: Cell, stage: str, word: list[int]) -> list[int]:
    numbers = range(4)
    clock = cell.text(f"REG_{stage}_CLK", "NONE", ("NONE", *(f"CLK{n}" for n in numbers)))
    if clock == "NONE":
        return word
    enable = cell.pin(cell.text(f"REG_{stage}_CE", "CE0", [f"CE{n}" for n in numbers]), ONE)
    reset = cell.pin(cell.text(f"REG_{stage}_RST", "RST0", [f"RST{n}" for n in numbers]))
    asynchronous = cell.text("RESETMODE", "SYNC", ("SYNC", "ASYNC")) == "ASYNC"
    if reset != ZERO and enable != ONE and not asynchronous:
        cell.refuse(f"the {stage} register must have a constant enable or no reset")
    return [
        cell.gates.flipflop(
            bit, clock=cell.pin(clock), enable=enable, reset=reset, asynchronous=asynchronous
        )
        for bit in word
    ]


# Address pin that counts words, and its stride, for each data width: four bits and fewer leave the
# ninth of every byte unused.
_FIRST_ADDRESS = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}


def _dp16kd(cell: Cell) -> None:
    gates = cell.gates
    cell.text("INIT_DATA", "STATIC", ("STATIC",))
    for name in cell.parameters:
        if name.endswith("MUX") and name[:-3] in cell.connections and not name.startswith("CLK"):
            cell.text(name, name[:-3], (name[:-3],))
    # 20 bits of an INITVAL hold the 18 bits of one word.
    words = np.concatenate([cell.bits(f"INITVAL_{k:02X}", 320) for k in range(64)])
    memory = gates.memory(words.reshape(1024, 20)[:, :18].reshape(-1))
    widths = {side: cell.number(f"DATA_WIDTH_{side}", 18, (*_FIRST_ADDRESS,)) for side in "AB"}
    for side in "AB":
        if any(cell.tied(f"CS{side}{k}") for k in range(3)):
            cell.refuse(f"the chip select of port {side} must be 0")
        cell.text(f"CSDECODE_{side}", "0b000", ("0b000",))
        if widths[side] < 36:
            _dp16kd_port(cell, side, widths[side], memory, reads=side == "B" or widths["B"] < 36)
    if widths["A"] == 36:
        _dp16kd_wide_write(cell, memory)
    if widths["B"] == 36:
        _dp16kd_wide_read(cell, memory)


def _dp16kd_address(cell: Cell, side: str, width: int) -> Address:
    pins = range(_FIRST_ADDRESS[width], 14)
    strides = [1 << k if k < 3 else 9 << k - 3 for k in pins]
    return Address(tuple(cell.pin(f"AD{side}{k}") for k in pins), tuple(strides))


def _dp16kd_clock(cell: Cell, side: str) -> tuple[int, bool]:
    falling = cell.text(f"CLK{side}MUX", f"CLK{side}", (f"CLK{side}", "INV")) == "INV"
    return cell.pin(f"CLK{side}"), falling


def _dp16kd_port(cell: Cell, side: str, width: int, memory: int, *, reads: bool) -> None:
    """A port of up to 18 bits that reads or writes."""
    gates = cell.gates
    address, offsets = _dp16kd_address(cell, side, width), range(width)
    clock, falling = _dp16kd_clock(cell, side)
    reset, chip = cell.pin(f"RST{side}"), cell.pin(f"CE{side}", ONE)
    write = gates.and_(cell.pin(f"WE{side}"), chip)
    data = cell.pins(f"DI{side}", width)
    enables = [write] * width
    if width == 18:
        bytes_ = [gates.and_(write, cell.pin(f"AD{side}{k}")) for k in (0, 1)]
        enables = [bytes_[k // 9] for k in range(18)]
    if write != ZERO and reset != ZERO:
        cell.refuse(f"port {side} must have no reset or no write")
    gates.write(
        memory, address, data, offsets=offsets, enables=enables, clock=clock, falling=falling
    )
    if not reads:  # its outputs carry half of the other port's 36 bits
        return
    mode = cell.text(f"WRITEMODE_{side}", "NORMAL", ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE"))
    word = gates.read(memory, address, offsets)
    if mode == "WRITETHROUGH":
        word = [gates.mux(*bit) for bit in zip(enables, word, data, strict=True)]
    enable = gates.and_(chip, gates.not_(write)) if mode == "NORMAL" else chip
    cell.drive_pins(f"DO{side}", _dp16kd_output(cell, side, word, enable))


def _dp16kd_wide_write(cell: Cell, memory: int) -> None:
    """36 bits, of both data inputs, written through port A, which then does not read."""
    gates = cell.gates
    if cell.pin("WEB") != ZERO:
        cell.refuse("port B must not write where port A has 36 bits")
    clock, falling = _dp16kd_clock(cell, "A")
    write = gates.and_(cell.pin("WEA"), cell.pin("CEA", ONE))
    bytes_ = [gates.and_(write, cell.pin(f"ADA{k}")) for k in range(4)]
    gates.write(
        memory,
        _dp16kd_address(cell, "A", 36),
        cell.pins("DIA", 18) + cell.pins("DIB", 18),
        offsets=range(36),
        enables=[bytes_[k // 9] for k in range(36)],
        clock=clock,
        falling=falling,
    )


def _dp16kd_wide_read(cell: Cell, memory: int) -> None:
    """36 bits, on both data outputs, read through port B, which then does not write."""
    if cell.pin("WEB") != ZERO:
        cell.refuse("port B of 36 bits must not write")
    if "OUTREG" in (mode := cell.parameters.get("REGMODE_B", "NOREG")) and (
        cell.parameters.get("REGMODE_A", "NOREG") != mode
    ):
        cell.refuse("both ports must have the same REGMODE where one has 36 bits")
    word = cell.gates.read(memory, _dp16kd_address(cell, "B", 36), range(36))
    word = _dp16kd_output(cell, "B", word, cell.pin("CEB", ONE))
    cell.drive_pins("DOA", word[:18])
    cell.drive_pins("DOB", word[18:])


def _dp16kd_output(cell: Cell, side: str, word: Sequence[int], enable: int) -> list[int]:
    """The registers behind a read: always one, a second one on request."""
    gates = cell.gates
    clock, falling = _dp16kd_clock(cell, side)
    reset = cell.pin(f"RST{side}")
    asynchronous = cell.text("RESETMODE", "SYNC", ("SYNC", "ASYNC")) == "ASYNC"
    latched = [
        gates.flipflop(
            bit,
            clock=clock,
            enable=enable,
            reset=reset,
            asynchronous=asynchronous,
            falling=falling,
        )
        for bit in word
    ]
    if cell.text(f"REGMODE_{side}", "NOREG", ("NOREG", "OUTREG")) == "NOREG":
        return latched
    if reset != ZERO:
        cell.refuse(f"port {side} must have no reset or no output register")
    enable = cell.pin(f"OCE{side}", ONE)
    return [gates.flipflop(bit, clock=clock, enable=enable, falling=falling) for bit in latched]


def _io(cell: Cell) -> None:
    direction = cell.text("DIR", "INPUT", ("INPUT", "OUTPUT", "BIDIR"))
    if direction == "BIDIR":
        direction = "INPUT" if cell.tied("T") else "OUTPUT"
    elif direction == "OUTPUT" and cell.tied("T"):
        return
    if direction == "OUTPUT":
        cell.drive("B", cell.pin("I"))
    cell.drive("O", cell.pin("B"))


def _pll(cell: Cell) -> None:
    for output in ("CLKOP", "CLKOS", "CLKOS2", "CLKOS3"):
        cell.drive(output, cell.pin("CLKI"))
    cell.drive("LOCK", ONE)
    cell.drive("INTLOCK", ONE)


def _clock_gate(cell: Cell) -> None:
    if not cell.tied("CE", ONE):
        cell.refuse("CE must be 1")
    cell.drive("CLKO", cell.pin("CLKI"))


def _nothing(cell: Cell) -> None:
    """A cell without outputs, or a clock that nothing drives."""


CELLS: Mapping[str, Callable[[Cell], None]] = MappingProxyType(
    {
        "LUT4": _lut4,
        "PFUMX": _pfumx,
        "L6MUX21": _l6mux21,
        "CCU2C": _ccu2c,
        "TRELLIS_FF": _flipflop,
        "TRELLIS_DPR16X4": _dpr16x4,
        "MULT18X18D": _mult18x18,
        "DP16KD": _dp16kd,
        "TRELLIS_IO": _io,
        "EHXPLLL": _pll,
        "DCCA": _clock_gate,
        "INV": lambda cell: cell.drive("Z", cell.gates.not_(cell.pin("A"))),
        "VHI": lambda cell: cell.drive("Z", ONE),
        "VLO": lambda cell: cell.drive("Z", ZERO),
        "GSR": _nothing,
        "SGSR": _nothing,
        "OSCG": _nothing,
    }
)

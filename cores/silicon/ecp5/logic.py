"""Flip-flops of ECP5, and its LUTs as memories of 16 x 4 bits."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal, Value

RAM_STYLE = "distributed"


def kept_register(m: Module, name: str, value: Value, *, init: int) -> Signal:
    """A cell, as yosys merges equal registers."""
    register = Signal(init=init, name=name)
    m.submodules[name] = Instance(
        "TRELLIS_FF",
        i_CLK=ClockSignal(),
        i_LSR=ResetSignal(),
        i_CE=Const(1, 1),
        i_DI=value,
        o_Q=register,
        p_GSR="DISABLED",
        p_CLKMUX="CLK",
        p_CEMUX="CE",
        p_LSRMUX="LSR",
        p_SRMODE="LSR_OVER_CE",
        p_REGSET="SET" if init else "RESET",
    )
    return register


def ram_cells(words: int, width: int) -> int:
    """TRELLIS_DPR16X4 takes six: four for its bits, and two that drive its write port."""
    return 6 * -(-words // 16) * -(-width // 4)

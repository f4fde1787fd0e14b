"""Registers that stay apart although they hold the same, each near what it drives."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal, Value

from platforms.device import Device


def kept_register(
    m: Module, name: str, value: Value, *, init: int, device: Device | None
) -> Signal:
    """A register of one bit that follows `value`; on ECP5 a cell, as yosys merges equal
    registers."""
    register = Signal(init=init, name=name)
    if device is None or not device.wide_carry:
        m.d.sync += register.eq(value)
        return register
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

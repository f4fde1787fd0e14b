"""MULT18X18D with all its registers. Its split into halves, and the adders beside it, are not in
the open tools."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, Value

from cores.silicon.portable import multiplier as portable

multiply_halves = portable.multiply_halves
multiply_add = portable.multiply_add


def multiply(m: Module, *, en: Value, a: Value, b: Value, o: Signal) -> None:
    words = Signal(18, name="wide_a"), Signal(18, name="wide_b")
    m.d.comb += [words[0].eq(a), words[1].eq(b)]  # sign- or zero-extended
    p = Signal(36)
    ports: dict[str, Value] = {f"i_A{k}": words[0][k] for k in range(18)}
    ports |= {f"i_B{k}": words[1][k] for k in range(18)}
    ports |= {f"o_P{k}": p[k] for k in range(36)}
    registers = {}
    for name in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
        registers |= {f"p_REG_{name}_CLK": "CLK0", f"p_REG_{name}_CE": "CE0"}
        registers[f"p_REG_{name}_RST"] = "RST0"
    m.submodules.hard = Instance(
        "MULT18X18D",
        **ports,
        **registers,
        i_CLK0=ClockSignal(),
        i_CE0=en,
        i_RST0=Const(0),
        i_SIGNEDA=Const(a.shape().signed),
        i_SIGNEDB=Const(b.shape().signed),
        i_SOURCEA=Const(0),
        i_SOURCEB=Const(0),
        p_SOURCEB_MODE="B_SHIFT",
        p_RESETMODE="SYNC",
        p_GSR="DISABLED",
        p_MULT_BYPASS="DISABLED",
    )
    m.d.comb += o.eq(p)

"""SB_MAC16 of iCE40 UltraPlus as a multiplier with all its registers."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

_OFF, _ON = Const(0, 1), Const(1, 1)
_ZEROS = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "OHOLDTOP", "OHOLDBOT"),
    *("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT"),
    *("ADDSUBTOP", "ADDSUBBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
)


def multiply(m: Module, *, en: Value, a: Value, b: Value, o: Signal) -> None:
    words = Signal(16, name="wide_a"), Signal(16, name="wide_b")
    m.d.comb += [words[0].eq(a), words[1].eq(b)]  # sign- or zero-extended
    p = Signal(32)
    signed = a.shape().signed, b.shape().signed
    m.submodules.hard = _block(en=en, a=words[0], b=words[1], o=p, signed=signed, halves=False)
    m.d.comb += o.eq(p)


def multiply_halves(
    m: Module,
    *,
    en: Value,
    a: tuple[Value, Value],
    b: tuple[Value, Value],
    o: tuple[Signal, Signal],
) -> None:
    words = [Signal(8, name=name) for name in ("a0", "a1", "b0", "b1")]
    for inner, outer in zip(words, (*a, *b), strict=True):
        m.d.comb += inner.eq(outer)  # sign- or zero-extended
    p = Signal(32)
    m.submodules.hard = _block(
        en=en,
        a=Cat(*words[:2]),
        b=Cat(*words[2:]),
        o=p,
        signed=(a[0].shape().signed, b[0].shape().signed),
        halves=True,
    )
    m.d.comb += [o[0].eq(p[:16]), o[1].eq(p[16:])]


def multiply_add(m: Module, *, en: Value, a: Value, b: Value, c: Value, o: Signal) -> None:
    words = {"a": Signal(16), "b": Signal(16), "plus": Signal(32), "o": Signal(32)}
    for name, port in (("a", a), ("b", b), ("plus", c)):
        m.d.comb += words[name].eq(port)  # sign- or zero-extended
    signed = a.shape().signed, b.shape().signed
    m.submodules.hard = _block(en=en, signed=signed, halves=False, **words)
    m.d.comb += o.eq(words["o"])


def _block(
    *,
    en: Value,
    a: Value,
    b: Value,
    o: Value,
    signed: tuple[bool, bool],
    halves: bool,
    plus: Value | None = None,
) -> Instance:
    """One product of 16 x 16 bits, or two of 8 x 8 of the upper and lower halves, three enabled
    cycles after the operands.

    Of halves, the adders behind the products add nothing: they bring the third register. A number
    that is added to a product of 16 x 16 bits is taken in front of that register; nothing is ever
    loaded into it (OLOAD), which would lose a product.

    Parameters
    ----------
    en : Value
    a, b : Value
        16 bits.
    o : Value
        32 bits, 16 for each of two products.
    signed : tuple of bool
        Whether `a` and `b` are in two's complement, both halves alike.
    halves : bool
    plus : Value or None
        32 bits; not with halves, whose adders have 16 bits each.
    """
    assert plus is None or not halves
    added = halves or plus is not None
    select = Const(1 if added else 3, 2)
    adders = {}
    if added:
        for side, carry in (("TOP", 0 if halves else 2), ("BOT", 0)):
            adders |= {
                f"p_{side}ADDSUB_LOWERINPUT": Const(1 if halves else 2, 2),
                f"p_{side}ADDSUB_UPPERINPUT": _ON,
                f"p_{side}ADDSUB_CARRYSELECT": Const(carry, 2),
            }
    return Instance(
        "SB_MAC16",
        i_CLK=ClockSignal(),
        i_CE=en,
        i_A=a,
        i_B=b,
        i_C=Const(0, 16) if plus is None else plus[16:],
        i_D=Const(0, 16) if plus is None else plus[:16],
        o_O=o,
        **{f"i_{name}": _OFF for name in _ZEROS},
        **adders,
        p_A_SIGNED=Const(signed[0], 1),
        p_B_SIGNED=Const(signed[1], 1),
        p_A_REG=_ON,
        p_B_REG=_ON,
        p_C_REG=_OFF,
        p_D_REG=_OFF,
        p_TOP_8x8_MULT_REG=_ON,
        p_BOT_8x8_MULT_REG=_ON,
        p_PIPELINE_16x16_MULT_REG1=_OFF if halves else _ON,
        p_PIPELINE_16x16_MULT_REG2=_OFF if added else _ON,
        p_TOPOUTPUT_SELECT=select,
        p_BOTOUTPUT_SELECT=select,
        p_MODE_8x8=Const(halves, 1),
        p_NEG_TRIGGER=_OFF,
    )

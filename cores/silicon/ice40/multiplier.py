"""SB_MAC16 of iCE40 UltraPlus as a multiplier with all its registers."""

from amaranth.hdl import ClockSignal, Const, Instance, Value

_OFF, _ON = Const(0, 1), Const(1, 1)
_ZEROS = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "OHOLDTOP", "OHOLDBOT"),
    *("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT"),
    *("ADDSUBTOP", "ADDSUBBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
)


def sb_mac16(
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

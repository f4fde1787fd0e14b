"""SB_CARRY beside each LUT: it sees raw inputs, and the LUT has one input left.

Prices: `python -m scripts.calibrate_cost --device up5k`, a grid of cores as placed.
"""

from amaranth.hdl import Const, Instance, Module, Signal, Value

from cores.silicon.portable import carry as portable

FOLDS_GATES = False
FOLDS_CHOICE = True
SUBTRACTS = False
COMPARATOR_ENDS = 3
"""One to begin the chain, and two for its last carry to leave it, as placed."""

adder = portable.adder
comparator = portable.comparator
chains = portable.chains
chains_cost = portable.chains_cost


def inverter(bits: int) -> int:
    """A LUT per bit in front of the carry, and two cells with which the chain begins with a one."""
    return bits + 2


def restart(bits: int) -> int:
    """Half of the bits share the LUT behind their carry, as synthesised."""
    return bits // 2


def carry_out(m: Module, name: str, carry: Value) -> Value:
    """The carry with a LUT of its own: one that goes straight to a flip-flop takes a logic cell to
    leave the chain, and another one for the flip-flop."""
    top = Signal(name=name)
    low = Const(0, 1)
    m.submodules[name] = Instance(
        "SB_LUT4",
        i_I0=low,
        i_I1=low,
        i_I2=low,
        i_I3=carry,
        o_O=top,
        p_LUT_INIT=Const(0xFF00, 16),
    )
    return top

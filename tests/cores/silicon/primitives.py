"""Models of the hard blocks that cores instantiate, put in the place of the instances.

They know no more than the data sheet: a product behind three registers, and 1,024 rows of 18 bits
behind two. SB_MAC16 is a product, or one of each half, as well; that its parameters make it
so is proved with yosys' model of the cell in `test_multiplier` and `test_dual_multiplier`.
"""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Fragment, Instance, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

Ports = dict[str, Value]
_ZERO = Const(0)


class Modelled(Elaboratable):
    """A component, its instances replaced by models; has the ports of the component."""

    def __init__(self, component: Any):
        self._component = component

    def __getattr__(self, name: str) -> Any:
        return getattr(self._component, name)

    def elaborate(self, platform) -> Fragment:
        return _replaced(Fragment.get(self._component, platform))


def _replaced(fragment: Fragment) -> Fragment:
    if isinstance(fragment, Instance):
        model = MODELS[fragment.type]
        ports = {name: value for name, (value, _) in fragment.ports.items()}
        return Fragment.get(model(dict(fragment.parameters), ports), None)
    fragment.subfragments = [(_replaced(f), *rest) for f, *rest in fragment.subfragments]
    return fragment


def mult18x18d(parameters: dict[str, Any], ports: Ports) -> Module:
    for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
        assert parameters[f"REG_{register}_CLK"] == "CLK0"
        assert parameters[f"REG_{register}_CE"] == "CE0"
    a, b = (Cat(ports[f"{operand}{k}"] for k in range(18)) for operand in "AB")
    product = Cat(ports[f"P{k}"] for k in range(36))
    return _product(a, b, product, ports["SIGNEDA"], ports["SIGNEDB"], ports["CE0"])


def sb_mac16(parameters: dict[str, Any], ports: Ports) -> Module:
    signs = parameters["A_SIGNED"], parameters["B_SIGNED"]
    a, b, o, en = (ports[name] for name in ("A", "B", "O", "CE"))
    if not Const.cast(parameters["MODE_8x8"]).value:
        adds = Const.cast(parameters["TOPOUTPUT_SELECT"]).value == 1
        return _product(a, b, o, *signs, en, Cat(ports["D"], ports["C"]) if adds else _ZERO)
    m = Module()
    m.submodules.bottom = _product(a[:8], b[:8], o[:16], *signs, en)
    m.submodules.top = _product(a[8:], b[8:], o[16:], *signs, en)
    return m


def _product(
    a: Value, b: Value, o: Value, signed_a: Any, signed_b: Any, en: Value, plus: Value = _ZERO
) -> Module:
    m = Module()
    operands = [Signal(len(a) + 1, name=name) for name in "ab"]
    products = [Signal(len(o), name=name) for name in ("pipeline", "output")]
    with m.If(en):
        m.d.sync += operands[0].eq(Cat(a, a[-1] & signed_a))
        m.d.sync += operands[1].eq(Cat(b, b[-1] & signed_b))
        m.d.sync += products[0].eq(operands[0].as_signed() * operands[1].as_signed())
        m.d.sync += products[1].eq(products[0] + plus)
    m.d.comb += o.eq(products[1])
    return m


def rows_of(parameters: dict[str, Any]) -> list[int]:
    """The 1,024 rows of a DP16KD: 16 to a parameter, 18 of 20 bits used."""
    values = [parameters[f"INITVAL_{k:02X}"].value for k in range(64)]
    return [values[row // 16] >> 20 * (row % 16) & 0x3FFFF for row in range(1024)]


def dp16kd(parameters: dict[str, Any], ports: Ports) -> Module:
    m = Module()
    m.submodules.rows = rows = Memory(shape=18, depth=1024, init=rows_of(parameters))
    if parameters["DATA_WIDTH_A"] == 18:
        address = Cat(ports[f"ADA{k}"] for k in range(14))
        write = rows.write_port(granularity=9)
        m.d.comb += [
            write.addr.eq(address[4:]),
            write.data.eq(Cat(ports[f"DIA{k}"] for k in range(18))),
        ]
        with m.If(ports["CEA"] & ports["WEA"]):
            m.d.comb += write.en.eq(address[:2])
    for name in "AB":
        if f"DO{name}0" not in ports:
            continue
        assert parameters[f"REGMODE_{name}"] == "OUTREG"
        width = parameters[f"DATA_WIDTH_{name}"]
        address = Cat(ports[f"AD{name}{k}"] for k in range(14))
        port = rows.read_port(domain="comb")
        half = address[3] if width < 18 else 0
        place = address[:3] if width < 9 else 0
        latch, output = Signal(width, name=f"latch{name}"), Signal(width, name=f"output{name}")
        m.d.comb += port.addr.eq(address[4:])
        with m.If(ports[f"CE{name}"]):
            m.d.sync += latch.eq(port.data >> 9 * half + place)
            with m.If(ports[f"OCE{name}"]):
                m.d.sync += output.eq(latch)
        m.d.comb += [ports[f"DO{name}{k}"].eq(output[k]) for k in range(width)]
    return m


def sb_lut4(parameters: dict[str, Any], ports: Ports) -> Module:
    m = Module()
    inputs = Cat(ports[f"I{k}"] for k in range(4))
    m.d.comb += ports["O"].eq(parameters["LUT_INIT"].bit_select(inputs, 1))
    return m


def trellis_ff(parameters: dict[str, Any], ports: Ports) -> Module:
    assert parameters["CEMUX"] == "CE" and parameters["SRMODE"] == "LSR_OVER_CE"
    m = Module()
    q = Signal(init=parameters["REGSET"] == "SET")
    with m.If(ports["CE"]):
        m.d.sync += q.eq(ports["DI"])
    m.d.comb += ports["Q"].eq(q)
    return m


def ccu2c(parameters: dict[str, Any], ports: Ports) -> Module:
    """Two LUTs beside a carry, after Lattice TN1267: each passes the carry on or replaces it."""
    m = Module()
    carry = ports["CIN"]
    for k in (0, 1):
        assert parameters[f"INJECT1_{k}"] == "NO"
        table = parameters[f"INIT{k}"]
        inputs = Cat(ports[f"{pin}{k}"] for pin in "ABCD")
        passes = Signal(name=f"passes{k}")
        m.d.comb += passes.eq(table.bit_select(inputs, 1))
        if f"S{k}" in ports:
            m.d.comb += ports[f"S{k}"].eq(passes ^ carry)
        after = Signal(name=f"carry{k}")
        m.d.comb += after.eq(Mux(passes, carry, table.bit_select(inputs[:2], 1)))
        carry = after
    m.d.comb += ports["COUT"].eq(carry)
    return m


MODELS: dict[str, Callable[[dict[str, Any], Ports], Module]] = {
    "MULT18X18D": mult18x18d,
    "SB_MAC16": sb_mac16,
    "SB_LUT4": sb_lut4,
    "DP16KD": dp16kd,
    "CCU2C": ccu2c,
    "TRELLIS_FF": trellis_ff,
}

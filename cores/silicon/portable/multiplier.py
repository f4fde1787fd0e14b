"""Products in logic, as many cycles behind their operands as those of a hard multiplier."""

from amaranth.hdl import Module, Signal, Value


def multiply(m: Module, *, en: Value, a: Value, b: Value, o: Signal) -> None:
    first, second = Signal.like(a, name="a1"), Signal.like(b, name="b1")
    products = [Signal.like(o, name=f"product{k}", reset_less=True) for k in (2, 3)]
    with m.If(en):
        m.d.sync += [first.eq(a), second.eq(b)]
        m.d.sync += [products[0].eq(first * second), products[1].eq(products[0])]
    m.d.comb += o.eq(products[1])


def multiply_halves(
    m: Module,
    *,
    en: Value,
    a: tuple[Value, Value],
    b: tuple[Value, Value],
    o: tuple[Signal, Signal],
) -> None:
    for k in range(2):
        m.submodules[f"half{k}"] = half = Module()
        multiply(half, en=en, a=a[k], b=b[k], o=o[k])


def multiply_add(m: Module, *, en: Value, a: Value, b: Value, c: Value, o: Signal) -> None:
    first, second = Signal.like(a, name="a1"), Signal.like(b, name="b1")
    late = Signal((a * b).shape(), reset_less=True)
    total = Signal.like(o, name="total", reset_less=True)
    with m.If(en):
        m.d.sync += [first.eq(a), second.eq(b), late.eq(first * second), total.eq(late + c)]
    m.d.comb += o.eq(total)

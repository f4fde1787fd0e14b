"""Comparisons with constants and with words of a memory."""

from amaranth.hdl import Cat, Const, Value

from cores.types import IntType


def at_least(x: Value, threshold: int, dtype: IntType) -> Value:
    """x >= threshold, as a chain of one gate per bit that the mapper packs three to a LUT; a carry
    chain takes one cell per bit.

    Parameters
    ----------
    x : Value
        Of the shape of `dtype`.
    threshold : int
        Any; beyond the range of `dtype` the outcome is a constant.
    """
    if not dtype.lo < threshold <= dtype.hi:
        return Const(threshold <= dtype.lo, 1)
    bits = list(x)
    threshold &= (1 << len(x)) - 1
    if x.shape().signed:
        bits[-1] = ~bits[-1]
        threshold ^= 1 << len(x) - 1
    lowest = (threshold & -threshold).bit_length() - 1
    result = bits[lowest]
    for place in range(lowest + 1, len(x)):
        result = bits[place] & result if threshold >> place & 1 else bits[place] | result
    return result


def compare(x: Value, threshold: Value, *, strict: bool) -> Value:
    """x >= threshold or, if `strict`, x > threshold, as nothing but an unsigned carry chain.

    An unsigned `x` is compared with unsigned thresholds. Of signed numbers the signs change places:
    the one with the sign is the smaller one. yosys takes gates beyond the chain for a signed
    comparison.
    """
    if x.shape().signed and not threshold.shape().signed:
        threshold = Cat(threshold, Const(0, 1)).as_signed()
    width = max(len(x), len(threshold))
    a, b = (
        Cat(v, (v[-1] if v.shape().signed else Const(0, 1)).replicate(width - len(v)))
        for v in (x, threshold)
    )
    if x.shape().signed:
        a, b = Cat(a[:-1], b[-1]), Cat(b[:-1], a[-1])
    return a > b if strict else a >= b


def constant_luts(threshold: int, dtype: IntType) -> int:
    """LUTs of `at_least`: it looks at the bits from the lowest set one of the threshold upwards,
    the sign inverted."""
    if not dtype.lo < threshold <= dtype.hi:
        return 0
    offset = threshold & (1 << dtype.width) - 1
    chain = dtype.width - (offset & -offset).bit_length() if offset else 0
    return -(-chain // 3)

"""Comparison of a value with a constant, which needs no carry chain."""

from amaranth.hdl import Const, Value

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


def constant_luts(threshold: int, dtype: IntType) -> int:
    """LUTs of `at_least`: it looks at the bits from the lowest set one of the threshold upwards,
    the sign inverted."""
    if not dtype.lo < threshold <= dtype.hi:
        return 0
    offset = threshold & (1 << dtype.width) - 1
    chain = dtype.width - (offset & -offset).bit_length() if offset else 0
    return -(-chain // 3)

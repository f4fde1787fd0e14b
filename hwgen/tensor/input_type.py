"""The declared type of a float input that no quantiser follows: ``u8``, ``s8:2^-5``."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from cores.types import IntType
from hwgen.analysis.context import EXAMPLES
from hwgen.errors import InputError
from hwgen.graph.ir import Graph, Node, Value
from hwgen.tensor.quantisers import Quant


@dataclass(frozen=True)
class InputType:
    """Integers of `dtype` that stand for `scale` each; `scale` is a float64 number."""

    dtype: IntType
    scale: Fraction = Fraction(1)


def parse_input_type(text: str) -> InputType:
    """Reads ``u8``, ``s8:2^-5`` or ``-7..7:0.25``: an integer type and, after a colon, the scale.

    A scale is a power of two, a decimal or a fraction such as 1/255; it is rounded to float64.

    Raises
    ------
    InputError
        The text has another form.
    """
    kind, separator, scale = text.strip().partition(":")
    try:
        dtype = IntType.parse(kind)
        value = _scale(scale) if separator else Fraction(1)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(
            f"input type must be an integer type with an optional scale, not {text!r}; "
            f"pass {EXAMPLES}"
        ) from error
    if value <= 0:
        raise InputError(f"input type {text!r}: scale must be positive, not {scale}")
    if dtype.width > 16:
        raise InputError(f"input type {text!r}: must have at most 16 bits, not {dtype.width}")
    return InputType(dtype, value)


def _scale(text: str) -> Fraction:
    if match := re.fullmatch(r"2\^([+-]?\d{1,3})", text):
        return Fraction(2) ** int(match[1])
    return Fraction(float(Fraction(text)))


def insert_input_quantiser(graph: Graph, name: str, kind: InputType) -> Graph:
    """The same model with a quantiser (ties to even, clipped to the type) right behind an input.

    Raises
    ------
    InputError
        The graph has no input of that name.
    """
    if name not in graph.inputs:
        raise InputError(
            f"--input-type: {name!r} must be one of the inputs {', '.join(graph.inputs)}"
        )
    known = {*graph.inputs, *graph.by_name}
    title = f"{name}_type"
    while title in known:
        title += "_"
    source = Value(name, "")
    op = Quant(np.array(float(kind.scale)), np.array(0.0), kind.dtype.lo, kind.dtype.hi)
    quantiser = Node(title, op, (source,))

    def redirect(value: Value) -> Value:
        return quantiser.out if value == source else value

    nodes = (
        replace(node, inputs=tuple(redirect(value) for value in node.inputs)) for node in graph
    )
    outputs = {output: redirect(value) for output, value in graph.outputs.items()}
    return replace(graph, nodes=(quantiser, *nodes), outputs=outputs)

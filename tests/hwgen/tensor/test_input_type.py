from fractions import Fraction

import numpy as np
import pytest

from cores.types import IntType
from hwgen.errors import InputError
from hwgen.graph.ir import Value
from hwgen.tensor.elementwise import Unary
from hwgen.tensor.input_type import InputType, insert_input_quantiser, parse_input_type
from hwgen.tensor.referee import evaluate
from tests.hwgen.chains import Chain


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("u8", InputType(IntType(0, 255))),
        ("s8:2^-5", InputType(IntType(-128, 127), Fraction(1, 32))),
        ("-7..7:0.25", InputType(IntType(-7, 7), Fraction(1, 4))),
        ("u4:1/255", InputType(IntType(0, 15), Fraction(1 / 255))),
    ],
)
def test_parses(text, wanted):
    assert parse_input_type(text) == wanted


@pytest.mark.parametrize("text", ["", "float", "u8:", "u8:2^", "u8:1/0", "8", "u8:nan"])
def test_other_texts_are_refused_with_examples(text):
    with pytest.raises(
        InputError,
        match=r"^input type must be an integer type with an optional scale, not .*; pass "
        r"--input-type u8 .* or --input-type s8:2\^-5 .*$",
    ):
        parse_input_type(text)


def test_scale_must_be_positive():
    with pytest.raises(InputError, match=r"^input type 'u8:-1': scale must be positive, not -1$"):
        parse_input_type("u8:-1")


def test_width_is_bounded():
    with pytest.raises(InputError, match=r"^input type 'u17': must have at most 16 bits, not 17$"):
        parse_input_type("u17")


def test_the_quantiser_stands_right_at_the_input():
    graph = Chain((3,)).then(Unary("relu")).graph
    typed = insert_input_quantiser(graph, "x", parse_input_type("s4:0.5"))
    assert typed.nodes[0].inputs == (Value("x", ""),)
    assert typed.nodes[1].inputs == (typed.nodes[0].out,)
    y = evaluate(typed, {"x": np.array([[0.3, 99.0, -1.0]])})["y"]
    assert y.tolist() == [[0.5, 3.5, 0.0]]


def test_an_unknown_input_is_refused():
    with pytest.raises(InputError, match=r"^--input-type: 'z' must be one of the inputs x$"):
        insert_input_quantiser(Chain((3,)).graph, "z", parse_input_type("u8"))

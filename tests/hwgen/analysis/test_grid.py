from fractions import Fraction

from hwgen.analysis.grid import common_scale, level_grid, multiples
from hwgen.numerics.exact import Real


def reals(*numbers) -> list[Real]:
    return [Real.of(Fraction(number)) for number in numbers]


def test_common_scale_is_the_largest():
    assert common_scale(reals("3/4", "-9/8", 0)) == Fraction(3, 8)


def test_scales_with_a_common_root_are_found():
    root = Real.of(2).sqrt()
    scale = common_scale([root * 2, root * -6])
    assert scale is not None
    assert scale.same(root * 2)


def test_unrelated_irrational_numbers_have_no_scale():
    assert common_scale([Real.of(2).sqrt(), Real.of(1)]) is None


def test_the_width_bounds_the_integers():
    assert common_scale(reals(1, 65535)) == 1
    assert common_scale(reals(1, 65536)) is None
    assert common_scale(reals(1, 7), width=3) == 1
    assert common_scale(reals(1, 8), width=3) is None


def test_zeros_alone_have_scale_one():
    assert common_scale(reals(0, 0)) == 1


def test_multiples_must_be_whole():
    assert multiples(reals("1/2", -1), Real.of(Fraction(1, 4))) == [2, -4]
    assert multiples(reals("1/2"), Real.of(Fraction(1, 3))) is None


def test_two_levels_become_zero_and_one():
    found = level_grid([reals(-1, 1), reals(1, -1)])
    assert found == (2, reals(-1, -1), [[0, 1], [1, 0]])


def test_levels_on_the_grid_keep_zero_bias():
    assert level_grid([reals("1/2", 1, "3/2"), reals(0, 0)]) == (
        Fraction(1, 2),
        reals(0, 0),
        [[1, 2, 3], [0, 0]],
    )


def test_levels_off_zero_get_a_bias():
    assert level_grid([reals("1/3", "4/3", "7/3")]) == (1, reals("1/3"), [[0, 1, 2]])

"""Real numbers decided exactly: rationals, quadratic surds, and everything else refined on demand.

A `Real` is kept in the simplest of three forms: a rational; a + b*sqrt(d) with rational a, b and no
perfect square d (what a BatchNorm makes); or an unevaluated term over other Reals, of which a ball
of any precision can be computed. The first two forms decide every question by integer arithmetic.
A term is refined from 64 bits on, doubling, until the question is decided.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Union

import numpy as np
from flint import arb, ctx, fmpq, fmpz

from hwgen.errors import HwgenError

PRECISIONS = (64, 128, 256, 512, 1024, 2048, 4096)
"""Bits tried in turn to decide a question about a term."""
ROUNDINGS = ("HALF_EVEN", "HALF_UP", "HALF_DOWN", "HALF_CEIL", "CEIL", "FLOOR", "UP", "DOWN")
"""HALF_EVEN: ties to even. HALF_UP / HALF_DOWN: ties away from / towards zero (QONNX's names).
HALF_CEIL: ties to +infinity. CEIL / FLOOR: to +/- infinity. UP / DOWN: away from / towards zero."""


class UndecidedError(HwgenError):
    """A comparison or rounding that the largest of `PRECISIONS` leaves open: an exact tie of values
    that hwgen cannot prove equal."""


class DomainError(HwgenError):
    """An operation without a real value, such as the logarithm of zero."""


Surd = tuple[fmpq, fmpq, fmpz]
Number = Union["Real", int, float, Fraction, np.number]


BALL: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sum": lambda *x: sum(x[1:], x[0]),
    "neg": lambda x: -x,
    "mul": lambda x, y: x * y,
    "reciprocal": lambda x: 1 / x,
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "tanh": lambda x: x.tanh(),
    "erf": lambda x: x.erf(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: x.exp().log1p(),
}
"""The functions that terms are made of, on balls."""


class Real:
    """One real number; immutable. Made by `Real.of` and by arithmetic.

    ``+ - * / abs`` and comparisons take any `Number` on the other side. Comparisons are exact; 0
    times anything is the rational 0, and sqrt of a perfect square is rational. There is no hash.

    Raises
    ------
    UndecidedError
        From comparisons and rounding (see there).
    DomainError
        Division by zero, sqrt or log outside their domain.
    """

    __slots__ = ("_ball", "_bits", "q", "surd", "term")

    q: fmpq | None
    """The value if the number is kept as a rational."""
    surd: Surd | None
    """(a, b, d) of a + b*sqrt(d), b not 0, d not a perfect square."""
    term: tuple[str, tuple["Real", ...]] | None
    """Function name and arguments."""

    def __hash__(self) -> int:
        raise TypeError("a Real has no hash: equal numbers may have different forms")

    @staticmethod
    def of(value: Number | fmpq | fmpz) -> "Real":
        """The number as stored: a float is the dyadic rational it holds.

        Raises
        ------
        DomainError
            NaN or infinity.
        """
        if type(value) is Real:
            return value
        if isinstance(value, (float, np.floating)):
            if not np.isfinite(value):
                raise DomainError(f"a number must be finite, not {value}")
            return _rational(fmpq(*value.as_integer_ratio()))
        if isinstance(value, (int, np.integer, np.bool_)):
            return _rational(fmpq(int(value)))
        if isinstance(value, Fraction):
            return _rational(fmpq(value.numerator, value.denominator))
        if isinstance(value, (fmpq, fmpz)):
            return _rational(fmpq(value))
        raise TypeError(f"a Real must be made from a number, not {type(value).__name__}")

    @property
    def is_rational(self) -> bool:
        """Whether the number is kept as a rational (a term may be rational without being known)."""
        return self.q is not None

    @property
    def fraction(self) -> Fraction:
        """The rational value.

        Raises
        ------
        ValueError
            The number is not kept as one.
        """
        if self.q is None:
            raise ValueError(f"the number must be kept as a rational, not as {self!r}")
        return Fraction(int(self.q.p), int(self.q.q))

    # arithmetic

    def __add__(self, other: Any) -> "Real":
        other = other if type(other) is Real else Real.of(other)
        if self.q is not None and other.q is not None:
            return _rational(self.q + other.q)
        if self.q == 0:
            return other
        if other.q == 0:
            return self
        pair = _same_root(self, other)
        if pair:
            (a, b, d), (e, f, _) = pair
            return _surd(a + e, b + f, d)
        return term("add", self, other)

    def __neg__(self) -> "Real":
        if self.q is not None:
            return _rational(-self.q)
        if self.surd is not None:
            a, b, d = self.surd
            return _surd(-a, -b, d)
        return term("neg", self)

    def __sub__(self, other: Any) -> "Real":
        other = other if type(other) is Real else Real.of(other)
        if self.q is not None and other.q is not None:
            return _rational(self.q - other.q)
        return self + -other

    def __mul__(self, other: Any) -> "Real":
        other = other if type(other) is Real else Real.of(other)
        if self.q is not None and other.q is not None:
            return _rational(self.q * other.q)
        if self.q == 0 or other.q == 0:
            return ZERO
        if self.q == 1:
            return other
        if other.q == 1:
            return self
        pair = _same_root(self, other)
        if pair:
            (a, b, d), (e, f, _) = pair
            return _surd(a * e + b * f * d, a * f + b * e, d)
        if self.surd is not None and other.surd is not None:
            (a, b, d), (e, f, g) = self.surd, other.surd
            if a == 0 and e == 0:  # sqrt(d) * sqrt(g), which _same_root found independent
                return _surd(a, b * f, d * g)
        return term("mul", self, other)

    def __truediv__(self, other: Any) -> "Real":
        other = other if type(other) is Real else Real.of(other)
        if other.q is not None:
            if other.q == 0:
                raise DomainError(f"division of {self!r} by zero")
            if self.q is not None:
                return _rational(self.q / other.q)
        return self * other.reciprocal()

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> "Real":
        return Real.of(other) - self

    def __rtruediv__(self, other: Any) -> "Real":
        return Real.of(other) / self

    def __abs__(self) -> "Real":
        return -self if self.sign() < 0 else self

    # decisions

    def sign(self) -> int:
        """-1, 0 or 1.

        Raises
        ------
        UndecidedError
            The largest of `PRECISIONS` leaves it open.
        """
        if self.q is not None:
            return (self.q > 0) - (self.q < 0)
        if self.surd is not None:
            a, b, d = self.surd
            if a == 0 or (a > 0) == (b > 0):
                return 1 if b > 0 else -1
            return (1 if a > 0 else -1) if a * a > b * b * d else (1 if b > 0 else -1)
        for bits in PRECISIONS:
            ball = self.ball(bits)
            if ball > 0 or ball < 0:
                return 1 if ball > 0 else -1
        raise UndecidedError(
            f"the sign of {self.ball(64)!r} is open at {PRECISIONS[-1]} bits; "
            "it may be an exact tie"
        )

    def compare(self, other: Number) -> int:
        """-1, 0 or 1 as the number is less than, equal to or greater than `other`."""
        other = other if type(other) is Real else Real.of(other)
        if self.q is not None and other.q is not None:
            return (self.q > other.q) - (self.q < other.q)
        if self.same(other):
            return 0
        return (self - other).sign()

    def same(self, other: "Real") -> bool:
        """Whether both are equal by construction: the same rational or surd, or the same function
        of such arguments."""
        if self is other:
            return True
        if self.term is None or other.term is None:
            return self.term is other.term and (self - other).q == 0
        (fn, args), (other_fn, other_args) = self.term, other.term
        return (
            fn == other_fn
            and len(args) == len(other_args)
            and all(x.same(y) for x, y in zip(args, other_args, strict=True))
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Real, int, float, Fraction, np.number)):
            return self.compare(other) == 0
        return NotImplemented

    def __lt__(self, other: Number) -> bool:
        return self.compare(other) < 0

    def __le__(self, other: Number) -> bool:
        return self.compare(other) <= 0

    def __gt__(self, other: Number) -> bool:
        return self.compare(other) > 0

    def __ge__(self, other: Number) -> bool:
        return self.compare(other) >= 0

    def __bool__(self) -> bool:
        return self.sign() != 0

    def round(self, mode: str) -> int:
        """The integer that one of `ROUNDINGS` gives; ties are decided exactly.

        Raises
        ------
        ValueError
            `mode` is none of them.
        UndecidedError
            The largest of `PRECISIONS` leaves it open.
        """
        twice, exact = self._twice()
        n, half = twice >> 1, twice & 1
        if mode == "FLOOR" or (exact and not half):
            return n
        if mode == "CEIL":
            return n + 1
        if mode in ("UP", "DOWN"):
            return n + ((n >= 0) == (mode == "UP"))
        if not exact:
            return n + half
        match mode:
            case "HALF_EVEN":
                return n + (n & 1)
            case "HALF_CEIL":
                return n + 1
            case "HALF_UP":
                return n + (n >= 0)
            case "HALF_DOWN":
                return n + (n < 0)
        raise ValueError(f"rounding must be one of {', '.join(ROUNDINGS)}, not {mode!r}")

    def _twice(self) -> tuple[int, bool]:
        """floor(2x), and whether 2x is that integer."""
        if self.q is not None:
            twice = 2 * self.q
            floor = twice.floor()
            return int(floor), floor == twice
        for bits in PRECISIONS:
            with ctx.workprec(bits):
                ball = 2 * self._at(bits)
                floor = ball.floor().unique_fmpz()
            if floor is not None and not ball.contains_integer():
                return int(floor), False
        raise UndecidedError(
            f"rounding of {float(self):.17g} is open at {PRECISIONS[-1]} bits; "
            "it may be an exact tie"
        )

    def ball(self, bits: int) -> arb:
        """A ball that holds the number, computed with `bits` bits."""
        with ctx.workprec(bits):
            return self._at(bits)

    def _at(self, bits: int) -> arb:
        if self.q is not None:
            return arb(self.q)
        if self._bits != bits:
            if self.surd is not None:
                a, b, d = self.surd
                self._ball = arb(a) + arb(b) * arb(d).sqrt()
            else:
                assert self.term is not None
                fn, args = self.term
                self._ball = BALL[fn](*(x._at(bits) for x in args))
            self._bits = bits
        return self._ball

    def __float__(self) -> float:
        """The nearest float64 of a rational; else within 2^-60 of the value, relatively."""
        if self.q is not None:
            return int(self.q.p) / int(self.q.q)
        for bits in PRECISIONS:
            if self.ball(bits).rel_accuracy_bits() >= 60:
                break
        return float(self._ball.mid())

    def enclosure(self) -> tuple[float, float]:
        """Two float64 with the number between them; equal if it is a float64."""
        try:
            value = float(self)
        except OverflowError:
            return (np.finfo(float).max, np.inf) if self > 0 else (-np.inf, np.finfo(float).min)
        if self.q is not None and fmpq(*value.as_integer_ratio()) == self.q:
            return value, value
        return float(np.nextafter(value, -np.inf)), float(np.nextafter(value, np.inf))

    def __repr__(self) -> str:
        return str(self.q) if self.q is not None else f"Real({float(self):.17g})"

    # functions

    def reciprocal(self) -> "Real":
        """1 divided by the number.

        Raises
        ------
        DomainError
            It is zero.
        """
        if self.q is not None:
            if self.q == 0:
                raise DomainError("reciprocal of zero")
            return _rational(1 / self.q)
        if self.surd is not None:
            a, b, d = self.surd
            norm = a * a - b * b * d
            return _surd(a / norm, -b / norm, d)
        return term("reciprocal", self)

    def sqrt(self) -> "Real":
        """The square root.

        Raises
        ------
        DomainError
            The number is negative.
        """
        if self.sign() < 0:
            raise DomainError(f"sqrt of a negative number, {self!r}")
        if self.q is None:
            return term("sqrt", self)
        return _surd(fmpq(0), fmpq(1, self.q.q), self.q.p * self.q.q)


def _rational(q: fmpq) -> Real:
    real = object.__new__(Real)
    real.q = q
    real.surd = real.term = None
    return real


def _surd(a: fmpq, b: fmpq, d: fmpz) -> Real:
    """a + b*sqrt(d) in the simplest form; d >= 0."""
    if b == 0:
        return _rational(a)
    if d.is_square():
        return _rational(a + b * d.isqrt())
    real = object.__new__(Real)
    real.q = real.term = None
    real.surd = (a, b, d)
    real._bits = 0
    return real


def term(fn: str, *args: Real) -> Real:
    """The function `fn` of `BALL`, not evaluated."""
    real = object.__new__(Real)
    real.q = real.surd = None
    real.term = (fn, args)
    real._bits = 0
    return real


def _same_root(x: Real, y: Real) -> tuple[Surd, Surd] | None:
    """Both numbers as (a, b, d) with one common d; None if there is none."""
    if x.surd is None:
        if x.q is None or y.surd is None:
            return None
        return (x.q, fmpq(0), y.surd[2]), y.surd
    if y.surd is None:
        return None if y.q is None else (x.surd, (y.q, fmpq(0), x.surd[2]))
    (_, _, d), (e, f, g) = x.surd, y.surd
    if d == g:
        return x.surd, y.surd
    product = d * g
    if product.is_square():  # sqrt(g) = sqrt(d*g) / d * sqrt(d)
        return x.surd, (e, f * fmpq(product.isqrt(), d), d)
    return None


ZERO, ONE, HALF = (_rational(fmpq(*x)) for x in ((0, 1), (1, 1), (1, 2)))

"""Types of what flows through streams: an integer range, and the shape and beats of a stream."""

import re
from dataclasses import dataclass, replace
from math import prod
from operator import index
from typing import Any

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib.data import ArrayLayout


def _integer(end: Any) -> int:
    try:
        return int(index(end))
    except TypeError:
        raise TypeError(f"IntType range must be of integers, not {end!r}") from None


@dataclass(frozen=True, order=True)
class IntType:
    """All integers from `lo` to `hi`, both included; width and signedness follow from the range.

    Raises
    ------
    ValueError
        `lo` is above `hi`.
    TypeError
        They are no integers.
    """

    lo: int
    hi: int

    def __post_init__(self):
        for name, end in (("lo", self.lo), ("hi", self.hi)):
            if type(end) is not int:
                object.__setattr__(self, name, _integer(end))
        if self.lo > self.hi:
            raise ValueError(f"IntType range must have lo <= hi, not {self.lo}..{self.hi}")

    @property
    def signed(self) -> bool:
        return self.lo < 0

    @property
    def width(self) -> int:
        """Bits of the smallest two's complement (or unsigned) word that holds the range; at least
        1."""
        if self.signed:
            return max((~self.lo).bit_length(), self.hi.bit_length()) + 1
        return max(1, self.hi.bit_length())

    @property
    def shape(self) -> Shape:
        """The Amaranth shape of one element."""
        return signed(self.width) if self.signed else unsigned(self.width)

    @property
    def levels(self) -> int:
        return self.hi - self.lo + 1

    def union(self, other: "IntType") -> "IntType":
        return IntType(min(self.lo, other.lo), max(self.hi, other.hi))

    def holds(self, other: "IntType") -> bool:
        """Whether every value of `other` lies in this range."""
        return self.lo <= other.lo and other.hi <= self.hi

    @classmethod
    def bits(cls, width: int, *, signed: bool) -> "IntType":
        """The full range of a word of `width` bits."""
        return cls(-(1 << width - 1), (1 << width - 1) - 1) if signed else cls(0, (1 << width) - 1)

    @classmethod
    def parse(cls, text: str) -> "IntType":
        """Reads `u4`, `s8` or a range `-7..7`, the forms that `str` writes.

        Raises
        ------
        ValueError
            The text has none of these forms.
        """
        if match := re.fullmatch(r"([us])([1-9]\d*)", text):
            return cls.bits(int(match[2]), signed=match[1] == "s")
        if match := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", text):
            return cls(int(match[1]), int(match[2]))
        raise ValueError(f"integer type must be like 'u4', 's8' or '-7..7', not {text!r}")

    def __str__(self) -> str:
        if self == IntType.bits(self.width, signed=self.signed):
            return f"{'s' if self.signed else 'u'}{self.width}"
        return f"{self.lo}..{self.hi}"


def divisors(number: int) -> list[int]:
    """Ascending; how many lanes a folding can have."""
    return [n for n in range(1, number + 1) if number % n == 0]


_DEPTHWISE = re.compile(r"depthwise:([1-9]\d*):([1-9]\d*)")


def depthwise(taps: int, channels: int, group: int) -> str:
    """The order of windows of `taps` x `channels` elements with `group` channels at once.

    It is ``"dense"`` where both are the same.
    """
    return "dense" if taps == 1 or group == channels else f"depthwise:{taps}:{group}"


@dataclass(frozen=True)
class StreamType:
    """One frame of a tensor as a sequence of beats.

    Channels are innermost; beat b of a pixel group carries channels b*lanes .. b*lanes+lanes-1,
    lane 0 in the low bits. With `pixels` > 1, a beat carries that many neighbouring positions,
    position 0 lowest.

    Parameters
    ----------
    shape : tuple of int
        Shape of the frame without batch axis, channels last: ``(channels,)`` or ``(...,
        channels)``.
    dtype : IntType
        Range of every element.
    lanes : int
        Channels per beat; divides the number of channels.
    pixels : int
        Positions per beat; divides the number of positions.
    order : str
        ``"dense"``: as in the tensor. ``"depthwise:T:G"`` for channels that are T taps of C/T
        channels each, tap k of channel c at k * (C/T) + c: in a position, G channels after G
        channels, of each such group all taps in turn, of each tap the G channels. `depthwise`
        writes it.

    Raises
    ------
    ValueError
        `lanes` or `pixels` does not divide its dimension, or `order` is unknown or does not suit
        the channels.
    """

    shape: tuple[int, ...]
    dtype: IntType
    lanes: int = 1
    pixels: int = 1
    order: str = "dense"

    def __post_init__(self):
        if not self.shape or min(self.shape) < 1:
            raise ValueError(
                f"stream shape must have at least one axis, all positive, not {self.shape}"
            )
        if self.lanes < 1 or self.channels % self.lanes:
            raise ValueError(
                f"lanes must divide the {self.channels} channels of a stream, not {self.lanes}"
            )
        if self.pixels < 1 or self.positions % self.pixels:
            raise ValueError(
                f"pixels must divide the {self.positions} positions of a stream, not {self.pixels}"
            )
        if self.order != "dense" and not _DEPTHWISE.fullmatch(self.order):
            raise ValueError(
                f"order of a stream must be 'dense' or like 'depthwise:9:4', not {self.order!r}"
            )
        taps, group = self.taps
        if self.channels % (taps * group):
            raise ValueError(
                f"order {self.order} must have groups of {taps} taps of {group} channels, which "
                f"{self.channels} channels are not"
            )

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def positions(self) -> int:
        return prod(self.shape[:-1])

    @property
    def taps(self) -> tuple[int, int]:
        """Taps and channels of a group in depthwise order; one tap of all channels if dense."""
        if match := _DEPTHWISE.fullmatch(self.order):
            return int(match[1]), int(match[2])
        return 1, self.channels

    @property
    def elements(self) -> int:
        """Elements of one beat."""
        return self.lanes * self.pixels

    @property
    def beats(self) -> int:
        """Beats of one frame."""
        return prod(self.shape) // self.elements

    @property
    def width(self) -> int:
        """Payload bits of one beat."""
        return self.elements * self.dtype.width

    @property
    def layout(self) -> ArrayLayout:
        """Payload of one beat, for ``amaranth.lib.stream``."""
        return ArrayLayout(self.dtype.shape, self.elements)

    def with_lanes(self, lanes: int) -> "StreamType":
        return replace(self, lanes=lanes)

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape))
        pixels = f" pixels={self.pixels}" if self.pixels > 1 else ""
        order = f" {self.order}" if self.order != "dense" else ""
        return f"{self.dtype}[{shape}] lanes={self.lanes}{pixels}{order}"

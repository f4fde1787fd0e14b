"""Ops at the end of a model: softmax and argmax."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Softmax:
    axis: int


@dataclass(frozen=True)
class ArgMax:
    """Index of the largest element, the lowest index at ties, along `axis` (kept with length 1 if
    `keepdims`)."""

    axis: int
    keepdims: bool
    largest: bool = True

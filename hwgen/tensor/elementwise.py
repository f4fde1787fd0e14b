"""Constants, and functions of each element."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor stored in the model (float32, float64 or integer as stored)."""

    value: np.ndarray


@dataclass(frozen=True)
class Unary:
    """Elementwise function of one tensor, one of `UNARY`."""

    fn: str


@dataclass(frozen=True)
class Binary:
    """Elementwise function of two tensors with numpy broadcasting, one of `BINARY`."""

    fn: str

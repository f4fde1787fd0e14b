"""Weights -1 and 1 with inputs 0 and 1: XNOR gates and a count, both in carry cells on ECP5."""

import numpy as np
from alone import show

from cores.choices import Block, Popcount
from cores.mvau import MatVec
from cores.types import IntType

weights = 2 * np.random.default_rng(1).integers(0, 2, (16, 64)) - 1
show(
    MatVec(weights, IntType(0, 1), pe=4, simd=32, arithmetic=Popcount(), memory=Block()),
)

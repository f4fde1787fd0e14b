"""Three products of 4 bits in one 18 x 18 multiplier (ecp5-25f); two halves of SB_MAC16 on up5k."""

import sys

import numpy as np
from alone import show

from cores.choices import Block, PackedDsp
from cores.mvau import MatVec
from cores.types import IntType

weights = np.random.default_rng(1).integers(-7, 8, (12, 16))  # -8 would leave no room for three
packing, pe = (PackedDsp(2, 8), 4) if "up5k" in sys.argv else (PackedDsp(3, 18), 6)
show(MatVec(weights, IntType.parse("u4"), pe=pe, simd=4, arithmetic=packing, memory=Block()))

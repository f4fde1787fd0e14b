"""A depthwise product: each of six channels has nine inputs, and weights of its own."""

import numpy as np
from alone import show

from cores.choices import Block
from cores.types import IntType
from cores.vvau import DepthwiseVec

weights = np.random.default_rng(1).integers(-8, 8, (6, 9))
x = IntType.parse("u4")
show(DepthwiseVec(weights, x, 6, positions=(4,), pe=2, simd=3, memory=Block()))

"""A constant matrix, a vector in every cycle: shifted inputs, and sums that several rows share."""

import numpy as np
from alone import show

from cores.choices import AdderGraph
from cores.mvau import MatVec
from cores.types import IntType

weights = np.array([[3, 5, 0], [6, 10, 1], [-3, 11, 2], [0, 0, 0]])  # 3 a + 5 b is added once
op = MatVec(weights, IntType.parse("s6"), pe=4, simd=3, arithmetic=AdderGraph())
print(f"{len(op.dot.graph.sums)} adders for {np.count_nonzero(weights)} weights")
show(op)

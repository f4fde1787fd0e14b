"""A matrix times a vector, alone in Amaranth's simulator: PE 2 x SIMD 2 of a 4 x 4 matrix."""

import numpy as np
from alone import show

from cores.mvau import MVAU, MatVec
from cores.sim import run
from cores.types import IntType

weights = np.array([[1, 2, 0, -1], [0, 0, 3, 1], [-2, 1, 1, 0], [1, 1, 1, 1]])
op = MatVec(weights, IntType.parse("u2"), pe=2, simd=2)
x = np.array([[1, 0, 3, 2], [3, 3, 0, 1]])  # two frames
found = run(op, [x], core=MVAU(op), stall=0.25).outputs["o"]

print(f"{op.outputs['o']}: {op.cycles} cycles a frame, {op.latency} to its first output beat")
print(found)
assert (found == x @ weights.T).all()
show(op)

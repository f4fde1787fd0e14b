"""A step function per channel: each input is replaced by the number of thresholds it reaches."""

import numpy as np
from alone import show

from cores.sim import run
from cores.thresholding import MultiThreshold
from cores.types import IntType

starts = np.array([[-5, 0, 5], [1, 2, 3]])  # channel 0, channel 1
op = MultiThreshold((2,), IntType.parse("s5"), starts, np.array([[0, 1, 2, 3]]))
x = np.array([[-6, 0], [-5, 1], [4, 2], [15, 15]])  # four frames
found = run(op, [x], stall=0.25).outputs["o"]

print(f"{op.outputs['o']}: {op.cycles} cycles a frame, {op.latency} to its first output beat")
print(found)
assert found.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
show(op)

"""The index of the largest channel, the lowest one at ties; two of six channels per cycle."""

import numpy as np
from alone import show

from cores.argmax import ArgMax, LabelSelect
from cores.sim import run
from cores.types import IntType

op = ArgMax((6,), IntType.parse("s8"), pe=2)
x = np.array([[3, -7, 100, 12, 99, 0], [5, 5, -1, 5, 2, 5]])  # two frames, the second a tie
found = run(op, [x], core=LabelSelect(op), stall=0.25).outputs["o"]

print(f"{op.outputs['o']}: {op.cycles} cycles a frame, {op.latency} to its first output beat")
print(found)
assert found.tolist() == [[2], [0]]
show(op)

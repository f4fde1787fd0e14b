"""Room for seven beats between a producer and a consumer that both pause at random."""

import numpy as np
from alone import show

from cores.fifo import FIFO, Buffer
from cores.sim import run
from cores.types import IntType, StreamType

op = Buffer(StreamType((6,), IntType.parse("s4"), lanes=2), capacity=7)
x = np.arange(-6, 6).reshape(2, 6)  # two frames of three beats
result = run(op, [x], core=FIFO(op), stall=0.5, seed=1)

print(f"taken in cycles {result.taken['i'].tolist()}, given in {result.given['o'].tolist()}")
print(result.outputs["o"])
assert (result.outputs["o"] == x).all()
show(op)

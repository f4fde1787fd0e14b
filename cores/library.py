"""Every operator, one line each."""

from cores.op import Op
from cores.thresholding import MultiThreshold

OPS: tuple[type[Op], ...] = (MultiThreshold,)

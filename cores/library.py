"""Every operator, one line each."""

from cores.argmax import ArgMax
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.width_converter import ConvertWidth

OPS: tuple[type[Op], ...] = (
    MatVec,
    MultiThreshold,
    ArgMax,
    ConvertWidth,
    Buffer,
)

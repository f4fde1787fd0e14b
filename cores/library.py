"""Every operator, one line each."""

from cores.argmax import ArgMax
from cores.concat import Concat
from cores.crop import Crop
from cores.duplicate import Duplicate
from cores.eltwise import Add
from cores.engine.sequence import LayerSequence
from cores.fifo import Buffer
from cores.mvau import MatVec
from cores.op import Op
from cores.pixel_converter import ConvertPixels
from cores.pooling import Reduce
from cores.swg import SlidingWindow
from cores.thresholding import MultiThreshold
from cores.total import Total
from cores.upsample import Dilate, Repeat
from cores.vvau import DepthwiseVec
from cores.weigh import Weigh
from cores.width_converter import ConvertWidth

OPS: tuple[type[Op], ...] = (
    MatVec,
    MultiThreshold,
    ArgMax,
    ConvertWidth,
    ConvertPixels,
    Buffer,
    SlidingWindow,
    DepthwiseVec,
    Reduce,
    Total,
    Concat,
    Crop,
    Repeat,
    Dilate,
    Duplicate,
    Add,
    Weigh,
    LayerSequence,
)

"""Every tensor op, one line each."""

from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.op import TensorOp
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.unsupported import Unsupported

OPS: tuple[type[TensorOp], ...] = (
    Constant,
    Quant,
    MultiThreshold,
    Unary,
    Binary,
    MatMul,
    Conv,
    MaxPool,
    AveragePool,
    Mean,
    Pad,
    Concat,
    Slice,
    Repeat,
    Dilate,
    Reshape,
    Transpose,
    Softmax,
    ArgMax,
    Unsupported,
)

"""Tensor ops with all their fields, every class at least once."""

import numpy as np

from hwgen.tensor.elementwise import Binary, Constant, Unary
from hwgen.tensor.ends import ArgMax, Softmax
from hwgen.tensor.moves import Concat, Dilate, Pad, Repeat, Reshape, Slice, Transpose
from hwgen.tensor.pooling import AveragePool, MaxPool, Mean
from hwgen.tensor.products import Conv, MatMul
from hwgen.tensor.quantisers import MultiThreshold, Quant
from hwgen.tensor.unsupported import Unsupported

INSTANCES = [
    Constant(np.array(0.1, np.float32)),  # no axis, beside one of the same number
    Constant(np.array([0.1], np.float32)),
    Quant(np.array([0.5, 1e-30]), np.zeros(1), None, 7, "FLOOR", round_first=True),
    MultiThreshold(np.array([[-np.inf, 0.5]]), 1e-9, -2.0, 1),
    Unary("relu"),
    Binary("add"),
    MatMul(),
    Conv((1, 2), (1, 1), ((0, 1), (2, 3)), groups=4),
    MaxPool((2,), (2,), (1,), ((0, 0),)),
    AveragePool((2,), (2,), (1,), ((0, 0),), include_pad=True),
    Mean((2, 3), keepdims=False),
    Pad(((0, 0), (1, 2)), float("-inf")),
    Pad(((0, 0), (1, 2)), 1e16),
    Concat(1),
    Slice((0, 1), (1, 5), (1, 2)),
    Repeat((1, 2)),
    Dilate((1, 2)),
    Reshape((1, -1)),
    Transpose((1, 0)),
    Softmax(1),
    ArgMax(1, keepdims=True, largest=False),
    Unsupported("Gelu", 'must be "exact"; it is not', "Relu"),
]

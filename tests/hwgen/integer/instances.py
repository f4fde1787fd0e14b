"""Integer ops with types of inputs that they take: every class at least once."""

import numpy as np

from hwgen.integer.joins import IntAdd, IntConcat
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat, IntReshape
from hwgen.integer.op import IntegerOp, IntTensor
from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from hwgen.integer.steps import IntArgMax, IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow


def tensor(lo, hi, space=()) -> IntTensor:
    return IntTensor((*space, len(lo)), np.array(lo), np.array(hi))


IMAGE = tensor([-1, 2], [1, 2], (2, 2))
WINDOWS = tensor([-1, 0, -2, 1], [1, 1, -1, 2])
"""Two taps of two channels."""
ROW = tensor([-1, 2], [1, 4])
OTHER = tensor([0, -2], [1, 1])
FILL = np.array([3, 0])

INSTANCES: list[tuple[IntegerOp, tuple[IntTensor, ...]]] = [
    (IntMatMul(np.array([[1, -2], [0, 3], [2, 2]]), np.array([5, -1, 0])), (IMAGE,)),
    (IntDepthwise(np.array([[1, -2], [0, 3]]), np.array([5, -1])), (WINDOWS,)),
    (
        IntDepthwise(np.array([[1, -2], [0, 3], [-1, -1], [2, 2]]), np.array([5, -1, 0, 0])),
        (WINDOWS,),
    ),
    (IntWeigh(((3, 1), (2, 5))), (IMAGE,)),
    (IntStep(np.array([[0, 1], [3, 9]]), np.array([[5, -2, 7], [0, 0, 1]])), (ROW,)),
    (IntStep(np.array([[0], [0]]), np.array([[5, -2], [5, -2]])), (ROW,)),
    (IntStep(np.zeros((2, 0), int), np.array([[5], [-3]])), (ROW,)),
    (IntArgMax(np.array([0, -3]), np.array([1, 0])), (ROW,)),
    (IntWindow((2, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), FILL), (IMAGE,)),
    (IntWindow((1, 2), (2, 1), (1, 1), ((0, 0), (1, 0)), FILL), (IMAGE,)),
    (IntWindow((2, 2), (1, 2), (2, 1), ((1, 1), (0, 2)), FILL), (IMAGE,)),
    (IntWindow((1, 1), (1, 1), (1, 1), ((1, 0), (0, 1)), FILL), (IMAGE,)),
    (IntWindow((1, 1), (2, 1), (1, 1), ((2, 0), (0, 0)), FILL), (IMAGE,)),
    (IntWindow((3, 1), (1, 1), (1, 1), ((2, 0), (0, 0)), FILL), (IMAGE,)),
    (IntReduce("max", 2), (WINDOWS,)),
    (IntReduce("sum", 2), (WINDOWS,)),
    (IntTotal(), (IMAGE,)),
    (IntTotal("max"), (IMAGE,)),
    (IntAdd(np.array([[2, 2], [-3, -3]]), np.array([1, -7])), (ROW, OTHER)),
    (IntAdd(np.array([[2, 1], [-3, 0]]), np.array([1, -7])), (ROW, OTHER)),
    (IntConcat(), (ROW, OTHER)),
    (IntCrop((0, 1, 1), (2, 2, 2), (1, 1, 1)), (IMAGE,)),
    (IntCrop((0, 0, 0), (2, 2, 2), (2, 1, 1)), (IMAGE,)),
    (IntRepeat((2, 1)), (IMAGE,)),
    (IntDilate((1, 3), FILL), (IMAGE,)),
    (IntDilate((1, 1), FILL), (IMAGE,)),
    (IntReshape((8,)), (IMAGE,)),
    (IntReshape((2, 4)), (IMAGE,)),
    (IntReshape((8, 1)), (IMAGE,)),
]

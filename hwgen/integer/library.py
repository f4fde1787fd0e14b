"""Every integer op, one line each."""

from hwgen.integer.joins import IntAdd, IntConcat
from hwgen.integer.moves import IntCrop, IntDilate, IntRepeat, IntReshape
from hwgen.integer.op import IntegerOp
from hwgen.integer.products import IntDepthwise, IntMatMul, IntWeigh
from hwgen.integer.steps import IntArgMax, IntStep
from hwgen.integer.windows import IntReduce, IntTotal, IntWindow

OPS: tuple[type[IntegerOp], ...] = (
    IntMatMul,
    IntDepthwise,
    IntWeigh,
    IntStep,
    IntArgMax,
    IntWindow,
    IntReduce,
    IntTotal,
    IntAdd,
    IntConcat,
    IntCrop,
    IntRepeat,
    IntDilate,
    IntReshape,
)

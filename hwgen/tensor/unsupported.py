"""What hwgen cannot map, as an op."""

from dataclasses import dataclass

from hwgen.analysis.context import Context
from hwgen.analysis.scaled import Defined, Unknown
from hwgen.numerics.enclosed import Enclosed
from hwgen.numerics.exact import DomainError
from hwgen.tensor.op import Shape, TensorOp


@dataclass(frozen=True)
class Unsupported(TensorOp):
    """A node that hwgen cannot map: kept so that all problems of a model are reported at once.

    Parameters
    ----------
    what : str
        Operator with domain, as ``LayerNormalization`` or ``com.microsoft.QGemm``.
    reason : str
        What must hold, and what came instead.
    nearest : str
        The nearest form that can be mapped; empty if there is none.
    """

    what: str
    reason: str
    nearest: str = ""

    arity = None

    def result_shape(self, *shapes: Shape) -> Shape:
        raise ValueError(f"{self.what} has no known shape: {self.reason}")

    def evaluate(self, *x: Enclosed) -> Enclosed:
        raise DomainError(f"{self.what} cannot be evaluated: {self.reason}")

    def analyse(self, at: Context, *x: Defined) -> Unknown:
        return Unknown()  # the reader has told the problem

"""What hwgen cannot map, as an op."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unsupported:
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

"""One thing of a model that hwgen cannot take; collected, so that all are told at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A broken rule at a node.

    Parameters
    ----------
    node : str
        Name of the node, graph input or tensor, as it stands in the model.
    rule : str
        What must hold, as ``scale must be finite and not 0``.
    found : str
        What came instead.
    fix : str
        What the user can do; empty where nothing is known.
    """

    node: str
    rule: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.node}: {self.rule}, not {self.found}"
        return f"{text}; {self.fix}" if self.fix else text

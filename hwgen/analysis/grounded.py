"""Quantisers that get a node of their own, although more functions of their result follow."""

from dataclasses import replace

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded, combine
from hwgen.analysis.scaled import Scaled, Tail, whole
from hwgen.analysis.steps import MAX_LEVELS
from hwgen.analysis.tree_edge import host_edge
from hwgen.analysis.trees import decides, substitute
from hwgen.numerics.exact import ONE, ZERO
from hwgen.numerics.quantiser import Quantiser
from hwgen.numerics.tail import Expr, Quantise, StepCount, arguments

FEW = 32
"""Levels up to which one table of thresholds costs less than two lines."""


def grounded(asm: Assembly, x: Scaled | Tail) -> Scaled | Tail:
    """The same value with its last quantiser in the integer graph."""
    base = x if isinstance(x, Scaled) else x.base
    if base.inner is None:
        return x
    if not decides(base.inner.tree):
        if isinstance(x, Scaled):
            return x
        one, none = (Coded.uniform(k, (x.layout.channels,)) for k in (ONE, ZERO))
        return replace(x, base=Scaled(base.root, base.layout, one, none), trail=x.names)
    closed = asm.realise(base)
    if isinstance(x, Scaled):
        return closed
    level = asm.realise(replace(base, scale=base.inner.scale, bias=base.inner.bias))
    tree = substitute(x.tree, base.inner.tree, level.tree)
    return replace(
        x, base=closed, tree=tree, edge=host_edge(tree, x.layout, asm.types[closed.root])
    )


def rounds_twice(asm: Assembly, x: Scaled | Tail, q: Quantiser, scale: Coded) -> bool:
    """Whether a quantiser q with these scales of its channels would join another one to a function
    that is no line, and has many levels: two nodes, of which the first is a line, cost less."""
    base = x if isinstance(x, Scaled) else x.base
    if base.inner is None or not decides(base.inner.tree):
        return False
    kind = asm.types[base.root]
    narrow = int((kind.hi - kind.lo).max()) < MAX_LEVELS
    if narrow or q.lo is None or q.hi is None or min(q.hi - q.lo, _most(base.inner.tree)) < FEW:
        return False
    if isinstance(x, Tail):
        return True
    return not all(map(whole, combine(lambda a, b: a / b, x.scale, scale).palette))


def _most(tree: Expr) -> int:
    """Steps of the quantiser in an expression that has the fewest."""
    found = [_most(arg) for arg in arguments(tree)]
    if isinstance(tree, Quantise) and tree.lo is not None and tree.hi is not None:
        found.append(tree.hi - tree.lo)
    if isinstance(tree, StepCount):
        found.append(tree.thresholds.shape[1])
    return min(found, default=MAX_LEVELS)

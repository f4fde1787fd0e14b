"""A tensor graph in float64, for tests whose numbers float64 holds exactly or nearly."""

from math import erf

import numpy as np

from hwgen import tensor as T  # noqa: N812
from hwgen.ir import Graph, Node

ROUND = {
    "HALF_EVEN": np.round,
    "HALF_UP": lambda q: np.sign(q) * np.floor(np.abs(q) + 0.5),
    "HALF_DOWN": lambda q: np.sign(q) * np.ceil(np.abs(q) - 0.5),
    "HALF_CEIL": lambda q: np.floor(q + 0.5),
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda q: np.sign(q) * np.ceil(np.abs(q)),
    "DOWN": np.trunc,
}
UNARY = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "neg": np.negative,
    "erf": np.vectorize(erf, otypes=[float]),
    "softplus": lambda x: np.logaddexp(x, 0),
    **{fn: getattr(np, fn) for fn in ("tanh", "sqrt", "exp", "log", "abs", "sign", "reciprocal")},
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
}


def evaluate(graph: Graph, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    values = {name: np.asarray(x, float) for name, x in inputs.items()}
    for node in graph:
        values[node.name] = _node(node, [values[value.node] for value in node.inputs])
    return {name: values[value.node] for name, value in graph.outputs.items()}


def _node(node: Node, x: list[np.ndarray]) -> np.ndarray:
    match node.op:
        case T.Constant(value=value):
            return value.astype(float)
        case T.Quant() as op:
            z = op.zero_point
            q = x[0] / op.scale
            n = ROUND[op.rounding](q) + z if op.round_first else ROUND[op.rounding](q + z)
            n = n if op.lo is None else np.clip(n, op.lo, op.hi)
            return (n - z) * op.scale
        case T.MultiThreshold() as op:
            lanes = np.moveaxis(x[0], op.axis, -1)[..., None]
            count = (lanes >= op.thresholds).sum(-1)
            return op.out_scale * np.moveaxis(count, -1, op.axis) + op.out_bias
        case T.Unary(fn=fn):
            return UNARY[fn](x[0])
        case T.Binary(fn=fn):
            return BINARY[fn](x[0], x[1])
        case T.MatMul():
            return x[0] @ x[1]
        case T.Reshape(shape=shape):
            return x[0].reshape(shape)
        case T.Transpose(perm=perm):
            return x[0].transpose(perm)
        case T.Softmax(axis=axis):
            e = np.exp(x[0] - x[0].max(axis, keepdims=True))
            return e / e.sum(axis, keepdims=True)
        case T.ArgMax() as op:
            keys = x[0] if op.largest else -x[0]
            return np.argmax(keys, op.axis, keepdims=op.keepdims)
    raise TypeError(node.op)

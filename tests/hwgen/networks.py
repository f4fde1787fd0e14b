"""Small dataflow graphs, and an accelerator as an op, for tests of scheduling, folding and
building."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cores.mvau import MatVec
from cores.op import Op
from cores.thresholding import MultiThreshold
from cores.timing import Timing
from cores.types import IntType, StreamType
from hwgen.builder import Accelerator
from hwgen.graph.interpret import interpret_dataflow
from hwgen.graph.ir import Graph, Node, Value
from hwgen.timing.schedule import schedule
from platforms.device import Device


def mlp(sizes: tuple[int, ...], *, seed: int = 0, bits: int = 2) -> Graph:
    """An unfolded dataflow graph fc0, th0, fc1, ... with random weights and thresholds."""
    rng = np.random.default_rng(seed)
    dtype = IntType.bits(bits, signed=False)
    value, nodes = Value("x", ""), []
    for k, (cols, rows) in enumerate(pairwise(sizes)):
        layer = MatVec(rng.integers(-2, 2, (rows, cols)), dtype)
        nodes.append(Node(f"fc{k}", layer, (value,)))
        value = nodes[-1].out
        if k + 2 < len(sizes):
            sums = layer.outputs["o"].dtype
            starts = np.sort(rng.integers(sums.lo, sums.hi + 1, (rows, dtype.hi)), axis=1)
            steps = MultiThreshold((rows,), sums, starts, np.arange(dtype.hi + 1)[None])
            nodes.append(Node(f"th{k}", steps, (value,)))
            value = nodes[-1].out
    return Graph({"x": StreamType((sizes[0],), dtype)}, tuple(nodes), {"y": value}, name="mlp")


@dataclass(frozen=True, eq=False)
class Whole(Op):
    """A dataflow graph with adapters seen as one op, so that `cores.sim` can drive its
    accelerator."""

    graph: Graph

    @property
    def inputs(self) -> dict[str, StreamType]:
        (kind,) = self.graph.inputs.values()
        return {"i": kind}

    @property
    def outputs(self) -> dict[str, StreamType]:
        (value,) = self.graph.outputs.values()
        producer = self.graph.producer(value)
        assert producer is not None
        return {"o": producer.op.outputs[value.port]}

    def compute(self, *x: np.ndarray) -> np.ndarray:
        (entry,) = self.graph.inputs
        (result,) = interpret_dataflow(self.graph, {entry: x[0]}).values()
        return result

    @property
    def timing(self) -> Timing:
        found = schedule(self.graph)
        return Timing(cycles=found.interval, depth=found.last_out)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Op]:
        raise NotImplementedError

    def extremes(self) -> None:
        """Not known."""

    def core(self, device: Device | None = None) -> Accelerator:
        return Accelerator(self.graph, device)

    def random(self, frames: int, seed: int = 0) -> np.ndarray:
        """Random input frames."""
        kind = self.inputs["i"]
        rng = np.random.default_rng(seed)
        return rng.integers(kind.dtype.lo, kind.dtype.hi + 1, (frames, *kind.shape))

"""What an op of the tensor graph sees, and may change, while it analyses itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgen.analysis.assembly import Assembly
from hwgen.analysis.coded import Coded
from hwgen.analysis.entry import enter
from hwgen.analysis.image import axes_of
from hwgen.analysis.known import Known
from hwgen.analysis.layout import StreamLayout
from hwgen.analysis.scaled import Defined, Host, ProblemError, Scaled, Tail
from hwgen.integer.op import IntegerOp
from hwgen.numerics.exact import Real
from hwgen.numerics.quantiser import Quantiser, Thresholds
from hwgen.problem import Problem

EXAMPLES = "--input-type u8 (integers 0..255) or --input-type s8:2^-5 (-128..127 in steps of 1/32)"


@dataclass(frozen=True, eq=False)
class Context:
    """The place of one node in the walk over a tensor graph.

    Most ops need three steps: `integers` of their inputs, `behind` to put an integer op behind
    them, and `refused` where something cannot be. A sum along the channels, as an example::

        def analyse(self, at: Context, *args: Defined) -> Scaled:
            x = at.integers(args[0])
            at.require_channels(x, self.axis)
            at.one_scale(x)
            sums = accumulate(x.bias.item(c) for c in range(x.layout.channels))
            return at.behind(IntCumSum(), x, scale=x.scale, bias=Coded.of_list(list(sums)))

    Parameters
    ----------
    asm : Assembly
        The integer graph that grows, with what is told about the model's nodes.
    name : str
        The op's node: what it adds is named after it, and its problems name it.
    kind : str
        The op's class, for messages.
    order : function () -> int array in the natural shape
        Flat positions of the node's result in the order in which its users want it as a stream.
    """

    asm: Assembly
    name: str
    kind: str
    order: Callable[[], np.ndarray]

    def integers(self, x: Defined) -> Scaled:
        """The value as integers of the graph: scale * n + bias per channel, n that of ``root``.

        Raises
        ------
        ProblemError
            It is a constant, it is still a float of the host, or no quantiser follows a function in
            front that has none.
        """
        if isinstance(x, (Scaled, Tail)):
            return self.asm.integers(self.name, x)
        raise self.unquantised(x)

    def behind(
        self,
        op: IntegerOp,
        *streams: Scaled,
        scale: Coded,
        bias: Coded,
        layout: StreamLayout | None = None,
        fate: str = "",
    ) -> Scaled:
        """An integer op behind streams; its integers n stand for scale * n + bias.

        Parameters
        ----------
        op : IntegerOp
        streams : Scaled
            What `integers` gave.
        scale, bias : Coded of Real, (channels of the result,)
        layout : StreamLayout, optional
            Where the model's elements lie in the result; default: as in the first stream, whose
            shape the result then has.
        fate : str
            What became of the node, in a few words; default: the class of `op`.

        Raises
        ------
        ProblemError
            Its integers are too wide.
        """
        root = self.asm.add(self.name, op, *(x.root for x in streams))
        self.fate(fate or type(op).__name__.removeprefix("Int"))
        trail = tuple(name for x in streams for name in x.trail)
        self.asm.fold(trail, f"folded into {self.name}")
        return Scaled(root, layout or streams[0].layout, scale, bias)

    def require_channels(self, x: Scaled, axis: int) -> None:
        """Checks that an axis of the model (negative from the end) runs along the channels of a
        stream, in their order.

        Raises
        ------
        ProblemError
        """
        along, inner = axes_of(x.layout), len(x.layout.natural) - 1
        if along is None or along[axis] != inner or x.shape[axis] != x.layout.channels:
            raise self.refused(
                "it must work along the channels of its input",
                f"axis {axis} of {x.shape} in a {x.layout.natural} stream",
                "remove the Reshape or Transpose in front, or choose the axis of the channels",
            )

    def one_scale(self, x: Scaled) -> Real:
        """The scale that all channels of a stream have in common.

        Raises
        ------
        ProblemError
            They have several.
        """
        scales = x.scale.compact().palette
        if not all(scale.same(scales[0]) for scale in scales):
            raise self.refused(
                "all channels of its input must have one scale",
                f"{len(scales)} scales between {float(min(scales)):.6g} and "
                f"{float(max(scales)):.6g}",
                "put a quantiser in front of it, with one scale for all channels",
            )
        return scales[0]

    def enter(self, x: Host, q: Quantiser | Thresholds) -> Scaled:
        """The model's input through its first quantiser, which the host computes.

        Raises
        ------
        ProblemError
            The input has one already, or scale, zero point or thresholds differ inside a channel.
        """
        asm = self.asm
        if x.name in asm.entered:
            raise self.refused(
                f"input {x.name} must be quantised once",
                f"a second time after {asm.entered[x.name]}",
                "quantise the input in front of the branch",
            )
        scaled, asm.edges[x.name] = enter(asm, self.name, x, q, self.order())
        asm.entered[x.name] = self.name
        self.fate("host: quantises the input")
        return scaled

    def fate(self, text: str) -> None:
        """Tells what became of the node."""
        self.asm.fates[self.name] = text

    def refused(self, rule: str, found: str, fix: str = "") -> ProblemError:
        """To raise: a rule that the node breaks, what came instead, and what the user can do."""
        return ProblemError(Problem(self.name, rule, found, fix))

    def constant(self) -> ProblemError:
        """To raise: the op has constants only."""
        return self.refused(
            f"{self.kind} must be applied to a value that depends on the input",
            "a constant",
            "fold constants in the exporter",
        )

    def unquantised(self, x: Known | Host) -> ProblemError:
        """To raise: the op needs integers, and the value has none."""
        if isinstance(x, Known):
            return self.refused(
                f"{self.kind} must be applied to values that depend on the input",
                "a constant",
                "fold constants in the exporter",
            )
        if x.source is None:
            return self.refused(
                f"input {x.name} must be quantised in front of its first {self.kind}",
                "float numbers",
                f"pass its type, such as {EXAMPLES}",
            )
        return self.refused(
            f"Softmax and argmax must stand behind the last {self.kind}",
            "one in front of this node",
            "cut the model there",
        )

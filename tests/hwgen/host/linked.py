"""Small designs behind the real link, with their manifests, for tests of link and driver."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cores.fifo import Buffer
from cores.link.link import LinkConfig
from cores.link.uart import baud_divisor
from cores.thresholding import MultiThreshold
from cores.types import IntType, StreamType
from hwgen.board.emulated_board import EmulatedBoard
from hwgen.board.top import Identity, LinkedAccelerator, link_config
from hwgen.builder import Accelerator
from hwgen.graph.ir import Graph, Node, Value
from hwgen.host.manifest import Manifest, Port
from platforms import rtlil
from platforms.tools import Tools
from tests.cores.link.pysim_transport import PysimTransport

CLK_HZ = 4_000_000
BAUD = 1_000_000
IDENTITY = Identity(
    model_hash=bytes(range(8)),
    build_id=bytes(range(8, 16)),
    cycles_per_frame=6,
    latency_cycles=9,
    generator=(0, 1, 0),
)


@dataclass(frozen=True)
class Linked:
    """An accelerator of one op behind its link."""

    op: object
    accelerator: Accelerator
    config: LinkConfig
    manifest: Manifest

    def transport(self, gaps: tuple[int, ...] = (0,)) -> PysimTransport:
        divisor = baud_divisor(CLK_HZ, BAUD)
        design = LinkedAccelerator(self.accelerator, self.config)
        return PysimTransport(design, clk_hz=CLK_HZ, divisor=divisor, gaps=gaps)


def link(op, *, accelerator=None) -> Linked:
    """`op`, or another accelerator with its streams, behind a link; the edges change nothing."""
    if accelerator is None:
        node = Node("op", op, (Value("x", ""),))
        accelerator = Accelerator(Graph({"x": op.inputs["i"]}, (node,), {"y": node.out}))
    config = link_config(accelerator, IDENTITY, clk_hz=CLK_HZ, baud=BAUD)
    manifest = Manifest(
        model="loop",
        model_hash=IDENTITY.model_hash.hex(),
        build_id=IDENTITY.build_id.hex(),
        board="none",
        device="none",
        clock_mhz=CLK_HZ / 1e6,
        baud=BAUD,
        inputs={"x": _port(config.input, accelerator.input_type)},
        outputs={"y": _port(config.output, accelerator.output_type)},
        cycles_per_frame=IDENTITY.cycles_per_frame,
        latency_cycles=IDENTITY.latency_cycles,
    )
    # Some tests ask for the manifest alone, which is no mistake of theirs.
    accelerator._MustUse__used = True
    return Linked(op, accelerator, config, manifest)


def _port(stream: StreamType, own: StreamType) -> Port:
    return Port(
        shape=stream.shape,
        elem="int64",
        int_shape=stream.shape,
        dtype=str(stream.dtype),
        link_lanes=stream.lanes,
        lanes=own.lanes,
        steps=(),
    )


def loop(channels: int, dtype: str, lanes: int = 1) -> Buffer:
    """A FIFO: what goes in comes out."""
    return Buffer(StreamType((channels,), IntType.parse(dtype), lanes), 2)


def threshold() -> MultiThreshold:
    """Six 4-bit channels to the number of starts 3, 5 + c that they reach, two per cycle."""
    starts = np.array([[3, 5 + c] for c in range(6)])
    return MultiThreshold((6,), IntType.parse("u4"), starts, np.array([[0, 1, 2]]), pe=2)


def emulate(design: Linked, *, cache: Path, tools: Tools) -> EmulatedBoard:
    """The design in compiled simulation."""
    text = rtlil.convert(LinkedAccelerator(design.accelerator, design.config))
    return EmulatedBoard.of_rtlil(text, design.manifest, cache=cache, tools=tools)

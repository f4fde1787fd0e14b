"""A whole network as one operator: its layers one after the other on the same multipliers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add

import numpy as np
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member

from cores.choices import Block, Memory, Spram
from cores.cost import Count
from cores.engine.engine import LayerEngine
from cores.engine.examples import networks
from cores.engine.lanes import Lanes
from cores.engine.layer import BYTE, Layer
from cores.engine.program import PLACE_BITS, Program
from cores.engine.rescaler import Rescaler
from cores.engine.timing import ProgramSchedule
from cores.engine.walk import Walk
from cores.memory import single_port as spram
from cores.memory.line_buffer import cost as memory_cost
from cores.op import Op
from cores.timing import Timing
from cores.types import IntType, StreamType
from platforms.device import Device

LANES = (4, 8, 16, 32, 64)
MOST_WORDS = 1 << 17
"""Of each memory in block RAM."""


@dataclass(frozen=True, eq=False)
class LayerSequence(Op):
    """Layers one after the other, each over the whole frame.

    Parameters
    ----------
    shape : tuple of int
        Of the incoming frame, channels last; as many elements as the first layer takes.
    dtype : IntType
        Range of each input element, of at most 8 bits.
    layers : tuple of Layer
        Each takes what is there already; only the last may leave its sums as they are.
    out_shape : tuple of int
        Of the outgoing frame; as many elements as the last layer makes.
    lanes : int
        Rows computed at once: one of `LANES`.
    memory : Memory
        Where the weights are: in block RAM, or in single-port RAM, for which the core has a stream
        `weights`.

    Raises
    ------
    ValueError
        The layers do not follow each other, or a memory of the engine cannot hold what they need.
    """

    shape: tuple[int, ...]
    dtype: IntType
    layers: tuple[Layer, ...]
    out_shape: tuple[int, ...]
    lanes: int = field(default=16, kw_only=True)
    memory: Memory = field(default=Block(), kw_only=True)

    def __post_init__(self):
        if not isinstance(self.memory, Block | Spram):
            raise ValueError(
                f"memory of LayerSequence must be block or spram, not {self.memory.text}"
            )
        if self.lanes not in LANES:
            known = f"{', '.join(map(str, LANES[:-1]))} or {LANES[-1]}"
            raise ValueError(f"lanes of LayerSequence must be {known}, not {self.lanes}")
        if self.dtype.levels > BYTE.levels or not (
            BYTE.holds(self.dtype) or BYTE.holds(IntType(self.dtype.lo - 128, self.dtype.hi - 128))
        ):
            raise ValueError(f"input of LayerSequence must be of 8 bits, not {self.dtype}")
        shape, elements = self.layers[0].shape, int(np.prod(self.shape))
        if int(np.prod(shape)) != elements or self.shape[-1] != shape[2]:
            raise ValueError(f"{self.layers[0].name}: takes {shape}, but {self.shape} comes in")
        shapes = [shape, *(layer.out_shape for layer in self.layers)]
        for number, layer in enumerate(self.layers):
            for back in layer.takes:
                if back > number + 1:
                    raise ValueError(
                        f"{layer.name}: takes what is made {back} layers back, but there are "
                        f"{number} in front of it"
                    )
                if shapes[number + 1 - back] != layer.shape:
                    raise ValueError(
                        f"{layer.name}: takes {layer.shape}, but "
                        f"{shapes[number + 1 - back]} comes in"
                    )
        for before in self.layers[:-1]:
            if before.rescale is None or not BYTE.holds(before.rescale.out):
                raise ValueError(
                    f"{before.name}: must make numbers of {BYTE}, not {before.out}, as it is not "
                    "the last layer"
                )
        last = self.layers[-1]
        if int(np.prod(last.out_shape)) != int(np.prod(self.out_shape)):
            raise ValueError(f"{last.name}: makes {last.out_shape}, but {self.out_shape} goes out")
        height, width, rows = last.out_shape
        if height * width > 1 and rows > self.lanes:
            raise ValueError(
                f"{last.name}: the last layer must have one position or at most {self.lanes} "
                f"rows, not {height * width} positions of {rows}"
            )
        most = (1 << PLACE_BITS - 1) - 1
        for layer in self.layers:
            reach = max(n + sum(p) for n, p in zip(layer.shape[:2], layer.pads, strict=True))
            if reach > most:
                raise ValueError(
                    f"{layer.name}: an image must be at most {most} high and wide with its "
                    f"padding, not {reach}"
                )
        words, most = self.image_words, self.program.most
        if words > most:
            raise ValueError(
                f"weights of LayerSequence take {4 * words} bytes, more than the {4 * most} of the "
                "engine's memory"
            )
        assert self.program.instructions  # refuses what the other memory does not hold

    @cached_property
    def program(self) -> Program:
        most = spram.DEPTH if isinstance(self.memory, Spram) else MOST_WORDS
        return Program(self.layers, self.lanes, most)

    @cached_property
    def schedule(self) -> ProgramSchedule:
        return ProgramSchedule(self.program, self.inputs["i"].beats)

    @property
    def loader(self) -> dict[str, Member]:
        """The port of the core through which the image of its weights comes, if it must."""
        halves = stream.Signature(16)
        return {"weights": In(halves)} if isinstance(self.memory, Spram) else {}

    @property
    def inputs(self) -> dict[str, StreamType]:
        return {"i": StreamType(self.shape, self.dtype)}

    @property
    def outputs(self) -> dict[str, StreamType]:
        """The range is what the last layer makes of any input; the network may not reach it."""
        return {"o": StreamType(self.out_shape, self.layers[-1].out)}

    @property
    def excess(self) -> int:
        """What is subtracted from the input so that it is a number of 8 bits with sign."""
        return BYTE.levels // 2 if self.dtype.hi > BYTE.hi else 0

    def compute(self, *tensors: np.ndarray) -> np.ndarray:
        x = np.asarray(tensors[0], np.int64)
        frames = x.shape[: x.ndim - len(self.shape)]
        x = x.reshape(-1, *self.layers[0].shape) - self.excess
        made = [x]
        for layer in self.layers:
            made.append(layer.compute(*(made[-back] for back in layer.takes)))
        return made[-1].reshape(*frames, *self.out_shape)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def timing(self) -> Timing:
        return Timing(
            cycles=self.schedule.cycles,
            depth=1,
            reads=lambda port: np.arange(self.inputs["i"].beats),
            emits=lambda port: np.array(self.schedule.valid) - 1,
            # A frame is taken while nothing is computed, whoever waits for results.
            cuts_ready=True,
        )

    @property
    def macs_per_cycle(self) -> int:
        return self.lanes

    @property
    def image(self) -> bytes:
        return self.program.image.astype("<u4").tobytes() if self.loader else b""

    @property
    def image_words(self) -> int:
        return len(self.program.image)

    def cost(self, device: Device) -> Count:
        groups = self.lanes // 4
        parts = [
            Walk.cost(self.program, device),
            Lanes.cost(self.lanes, self.program.sums, device),
            Rescaler.cost(self.program, self.program.sums, device),
            groups * memory_cost(self.program.weight_rows, 32, device),
            spram.cost(self.program.frame_words, device),
            spram.cost(self.image_words, device),
            # Control, intake, fetch and storing, in one round number. With it, estimates of small
            # networks on ECP5 are 1.3 to 1.45 times the LUTs that yosys 0.70 makes (2,446 for
            # 1,887), and 1.05 to 1.11 times the flip-flops.
            Count(lut=800, ff=220),
        ]
        return reduce(add, parts)

    def foldings(self, device: Device) -> Iterator["LayerSequence"]:
        """All numbers of lanes for which there is room.

        Raises
        ------
        ValueError
            There is none.
        """
        unit = device.multiplier
        memory = Spram() if device.spram_count else Block()
        found, reason = 0, ValueError("")
        for lanes in LANES:
            if unit is not None and -(-lanes // unit.lanes8) > unit.count:
                continue
            try:
                yield replace(self, lanes=lanes, memory=memory)
                found += 1
            except ValueError as error:
                reason = error
        if not found:
            raise reason

    def binding(self) -> str:
        return f"{self.lanes} lanes"

    def extremes(self) -> None:
        """What a network of several layers reaches is not known."""

    def core(self, device: Device | None = None) -> LayerEngine:
        if device is not None and device.spram_count and not self.loader:
            raise ValueError(
                f"memory of LayerSequence must be spram on {device.name}, whose single-port RAM "
                "the bitstream does not fill"
            )
        return LayerEngine(self, self.program, device, excess=self.excess, loader=self.loader)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Sequence["LayerSequence"]:
        return [
            cls(each.shape, each.dtype, each.layers, each.out_shape, lanes=each.lanes)
            for each in networks(rng)
        ]

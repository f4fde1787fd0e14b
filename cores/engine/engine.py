"""The core of a sequence of layers: memories, control and the parts that compute."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Member, connect, flipped

from cores.engine.fetch import Fetch
from cores.engine.intake import Intake
from cores.engine.lanes import OPERANDS, Lanes
from cores.engine.layer import BYTE
from cores.engine.program import Program
from cores.engine.rescaler import Rescaler
from cores.engine.storing import Storing
from cores.engine.table import by_layer
from cores.engine.timing import CAPTURE, spacings
from cores.engine.walk import Walk
from cores.memory.single_port import SinglePort
from cores.op import Core, Op
from platforms.device import Device


class LayerEngine(Core):
    """Computes a `cores.engine.sequence.LayerSequence`.

    A frame is taken in, then each layer runs: for each tile of rows its weights are fetched, then
    one pass for each position adds products in all lanes. The sums of a pass are rescaled one by
    one while the next pass runs. Writing a word of results goes before reading operands.

    Parameters
    ----------
    op : Op
        Tells the streams.
    program : Program
    device : Device or None
    excess : int
        What is subtracted from the input.
    loader : mapping of str to Member
        The port `weights`, if there is one.

    Members
    -------
    i, o : stream
    weights : In(stream.Signature(16))
        Of a sequence in single-port RAM: the image of its memory, lower half of each word first,
        from its beginning after a reset; not while a frame runs. Without a device it need not come.
    """

    i: stream.Interface
    o: stream.Interface
    weights: stream.Interface

    def __init__(
        self,
        op: Op,
        program: Program,
        device: Device | None = None,
        *,
        excess: int,
        loader: Mapping[str, Member],
    ):
        self.program, self.excess, self.loader = program, excess, loader
        super().__init__(op, device, more=loader)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        program, layers = self.program, self.program.layers
        instructions = program.instructions
        m.submodules.intake = intake = Intake(
            program.first,
            self.op.inputs["i"].dtype,
            excess=self.excess,
            start=program.starts[0],
            words=instructions[0].source_words,
            address_bits=program.address_bits,
        )
        m.submodules.fetch = fetch = Fetch(program, self.device)
        m.submodules.walk = walk = Walk(program)
        m.submodules.lanes = lanes = Lanes(
            program.lanes,
            program.sums,
            self.device,
            compares=any(each.largest for each in layers),
            joins=any(each.digits for each in layers),
        )
        m.submodules.rescaler = rescaler = Rescaler(program, program.sums, self.device)
        m.submodules.storing = storing = Storing(program)
        m.submodules.frame = frame = SinglePort(program.frame_words, (), self.device)

        layer = Signal(range(len(instructions)))
        tile = Signal(range(max(each.tiles for each in instructions)))
        final, stepping, quiet = Signal(), Signal(), Signal()
        tiles = by_layer(m, layer, [each.tiles - 1 for each in instructions], "tiles")
        m.d.comb += final.eq(layer == len(instructions) - 1)
        for part in (fetch, walk, rescaler, storing):
            m.d.comb += part.layer.eq(layer)
        m.d.comb += [rescaler.single.eq(final), storing.final.eq(final), storing.tile.eq(tile)]

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [intake.i.valid.eq(self.i.valid), self.i.ready.eq(1)]
                with m.If(self.i.valid & intake.last):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += [fetch.run.eq(1), storing.enter.eq(1), walk.enter.eq(tile == 0)]
                with m.If(fetch.last):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += walk.step.eq(stepping)
                with m.If(stepping & walk.ends_tile):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(quiet):
                    m.d.comb += storing.leave.eq(1)
                    m.next = "FETCH"
                    m.d.sync += tile.eq(tile + 1)
                    with m.If(tile == tiles):
                        m.d.sync += [tile.eq(0), layer.eq(layer + 1)]
                        with m.If(final):
                            m.d.sync += layer.eq(0)
                            m.next = "TAKE"

        # What a step needs before it is taken: its word, and room for the sums it completes.
        apart = by_layer(m, layer, [int(each.layer.depthwise) for each in instructions], "apart")
        largest = by_layer(m, layer, [int(each.layer.largest) for each in instructions], "largest")
        steps = [_Flags(m, stage) for stage in range(1, CAPTURE + 1)]
        ending = Cat(*(each.step & each.last for each in steps)).any()
        distance = Signal(range(max(spacings(program)) + 1))
        room = Signal()
        m.d.comb += room.eq((distance == 0) & ~(final & (ending | rescaler.busy)))
        m.d.comb += stepping.eq(~(walk.fresh & storing.pending) & (room | ~walk.ends_pass))
        with m.If(walk.step & walk.ends_pass):
            m.d.sync += distance.eq(by_layer(m, layer, spacings(program), "spacing"))
        with m.Elif(distance != 0):
            m.d.sync += distance.eq(distance - 1)

        up = walk.ends_row & by_layer(m, layer, [int(each.digits) for each in layers], "digits")
        now = (walk.step, walk.fresh, walk.ends_pass, walk.ends_position, up, walk.byte)
        for before, each in zip((now, *(each.all for each in steps)), steps, strict=False):
            m.d.sync += [new.eq(old) for new, old in zip(each.all, before, strict=True)]
        first, second, third, last = steps[0], steps[1], steps[OPERANDS - 1], steps[-1]

        # The step before: its word is read, or a word of results written.
        m.d.comb += [
            frame.address.eq(walk.address),
            frame.read.eq(first.step & first.fresh),
            frame.write_data.eq(storing.word),
            intake.i.payload.eq(Value.cast(self.i.payload)),
        ]
        with m.If(storing.writes):
            m.d.comb += [frame.address.eq(storing.address), frame.write.eq(0b1111)]
        with m.If(intake.i.valid):
            m.d.comb += [
                frame.address.eq(intake.address),
                frame.write.eq(intake.bytes),
                frame.write_data.eq(intake.word),
            ]
        # The one before that: its word is there, and its weights are read.
        inside = Signal()
        word = Signal(32)
        fill = Signal(BYTE.shape)
        m.d.comb += fill.eq(by_layer(m, layer, [each.layer.fill for each in instructions], "fill"))
        m.d.sync += inside.eq(walk.inside)
        with m.If(second.step & second.fresh):
            m.d.sync += word.eq(frame.data)
            with m.If(~inside):
                m.d.sync += word.eq(fill.as_unsigned().replicate(4))
        m.d.comb += [
            fetch.step.eq(second.step),
            fetch.rewind.eq(second.rewind),
            lanes.word.eq(word),
            lanes.byte.eq(third.byte),
            lanes.apart.eq(apart),
            lanes.largest.eq(largest),
            Value.cast(lanes.weights).eq(fetch.weights),
            lanes.add.eq(last.step),
            lanes.last.eq(last.last),
            lanes.up.eq(last.up),
            lanes.shift.eq(rescaler.shift),
            rescaler.capture.eq(last.step & last.last),
            rescaler.sum.eq(lanes.sum),
            rescaler.write.eq(fetch.parameter),
            rescaler.write_more.eq(fetch.more),
            rescaler.write_address.eq(fetch.place),
            rescaler.write_data.eq(fetch.data),
            storing.result.eq(rescaler.result),
            storing.arrives.eq(rescaler.valid),
            rescaler.taken.eq(storing.taken),
            self.o.valid.eq(storing.o.valid),
            Value.cast(self.o.payload).eq(storing.o.payload),
            storing.o.ready.eq(self.o.ready),
        ]
        if self.loader:
            connect(m, flipped(self.weights), fetch.i)
        waiting = Cat(*(each.step for each in steps)).any()
        m.d.comb += quiet.eq(~(waiting | rescaler.busy | storing.busy))
        return m


class _Flags:
    """What is known of the step that was taken `stage` cycles ago."""

    def __init__(self, m: Module, stage: int):
        self.step = Signal(name=f"step{stage}")
        self.fresh = Signal(name=f"fresh{stage}")
        self.last = Signal(name=f"last{stage}")
        self.rewind = Signal(name=f"rewind{stage}")
        self.up = Signal(name=f"up{stage}")
        self.byte = Signal(2, name=f"byte{stage}")

    @property
    def all(self) -> tuple[Signal, ...]:
        return self.step, self.fresh, self.last, self.rewind, self.up, self.byte

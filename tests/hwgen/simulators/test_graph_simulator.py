"""A graph of compiled units against the whole accelerator under CXXRTL and against its ops."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In

from cores.fifo import Buffer
from cores.library import OPS
from cores.mvau import MatVec
from cores.op import Core
from cores.types import IntType, StreamType
from hwgen.builder import Accelerator
from hwgen.errors import CheckError
from hwgen.graph.interpret import interpret_dataflow
from hwgen.graph.ir import Graph, Node
from hwgen.graph.ir import Value as Edge
from hwgen.simulators import unit_library
from hwgen.simulators.compiled import CompiledSimulator
from hwgen.simulators.driver import NO_STALL, Stall
from hwgen.simulators.graph_simulator import GraphSimulator
from hwgen.simulators.unit_library import compile_units
from hwgen.timing.adapters import insert_buffers, insert_forks, insert_width_converters
from hwgen.timing.schedule import schedule
from platforms.devices import device
from tests.hwgen.networks import Whole, mlp
from tests.hwgen.timing.test_just_in_time import residual

STALLS = (NO_STALL, Stall(0.4, 0.4, 1), Stall(0.1, 0.7, 2))
CHAIN = StreamType((6,), IntType(0, 200), lanes=1)


def buffers(*capacities: int) -> Graph:
    value, nodes = Edge("x", ""), []
    for k, capacity in enumerate(capacities):
        nodes.append(Node(f"b{k}", Buffer(CHAIN, capacity), (value,)))
        value = nodes[-1].out
    return Graph({"x": CHAIN}, tuple(nodes), {"y": value}, name="chain")


def ready_chain() -> Graph:
    return buffers(1, 1, 1)


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("made", [residual, ready_chain])
def test_cycles_are_those_of_the_whole_accelerator(made, stall, cache, tools):
    graph = made()
    whole = Whole(graph)
    x, ends = whole.random(6), (whole.inputs["i"], whole.outputs["o"])
    reference = CompiledSimulator(Accelerator(graph), cache=cache, tools=tools, optimise="-O1")
    wanted, its = reference.run_tensor(x, *ends, stall=stall)
    found, run = GraphSimulator(graph, cache=cache).run_tensor(x, *ends, stall=stall)
    assert (found == wanted).all() and (found == whole.compute(x)).all()
    assert run.in_cycles.tolist() == its.in_cycles.tolist()
    assert run.out_cycles.tolist() == its.out_cycles.tolist()


def examples() -> list:
    rng = np.random.default_rng(0)
    ops = [op for kind in OPS for op in kind.examples(rng)]
    return [op for op in ops if len(op.inputs) == len(op.outputs) == 1]


def test_every_op_computes_what_it_says_in_the_cycles_that_it_says(cache):
    ops = examples()
    compile_units(ops, cache=cache, optimise="-O1")
    for op in ops:
        node = Node("op", op, (Edge("x", ""),))
        graph = Graph({"x": op.inputs["i"]}, (node,), {"y": node.out}, name="op")
        x = np.concatenate([*(op.extremes() or ()), Whole(graph).random(3)])
        simulator = GraphSimulator(graph, cache=cache)
        for stall in (NO_STALL, Stall(0.3, 0.3, 1)):
            y, run = simulator.run_tensor(x, op.inputs["i"], op.outputs["o"], stall=stall)
            assert (y == op.compute(x)).all(), op
            if stall is NO_STALL:
                assert (np.diff(run.out_cycles.reshape(len(x), -1)[:, -1])[-1:] == op.cycles).all()


def test_a_buffer_stores_what_it_has_to(cache):
    x = np.arange(24).reshape(4, 6)
    simulator = GraphSimulator(buffers(7, 2, 1), cache=cache)
    simulator.run_tensor(x, CHAIN, CHAIN)
    # A beat goes through in as many cycles as a buffer is deep.
    assert simulator.highest() == {"b0": 2, "b1": 1, "b2": 1}
    simulator.run_tensor(x, CHAIN, CHAIN, stall=Stall(sink=0.9, seed=1))
    assert simulator.highest() == {"b0": 7, "b1": 2, "b2": 1}


@pytest.mark.compiled
def test_only_what_changed_is_made_again(tmp_path, monkeypatch):
    graph = mlp((8, 6, 4))
    graph = insert_buffers(insert_width_converters(insert_forks(graph)), device("ecp5-25f"))
    made = []
    right = unit_library.unit
    monkeypatch.setattr(unit_library, "unit", lambda core: made.append(core.op) or right(core))
    GraphSimulator(graph, cache=tmp_path)
    assert len(made) == len(graph.nodes)
    made.clear()
    GraphSimulator(graph, cache=tmp_path)
    assert not made
    changed = graph.map_ops(
        lambda node: replace(node.op, weights=-node.op.weights) if node.name == "fc1" else node.op
    )
    simulator = GraphSimulator(changed, cache=tmp_path)
    assert [type(op) for op in made] == [MatVec]
    whole = Whole(changed)
    y, run = simulator.run_tensor(x := whole.random(5), whole.inputs["i"], whole.outputs["o"])
    assert (y == interpret_dataflow(changed, {"x": x})["y"]).all()
    assert np.diff(run.out_cycles.reshape(5, -1)[:, -1])[-1] == schedule(changed).interval


@dataclass(frozen=True, eq=False)
class Wire(Buffer):
    """A buffer that is no buffer, and whose `valid` waits for `ready`."""

    def core(self, device=None) -> "Shorted":
        return Shorted(self)


@dataclass(frozen=True, eq=False)
class Loaded(Buffer):
    """A buffer with a port that belongs to no edge."""

    def core(self, device=None) -> "Forced":
        return Forced(self)


class Forced(Core):
    """Adds to the payload what comes through `more`."""

    def __init__(self, op):
        super().__init__(op, None, {"more": In(stream.Signature(16))})

    def elaborate(self, platform):
        m = Module()
        more = self.more.valid + self.more.payload
        m.d.comb += [
            self.o.payload[0].eq(self.i.payload[0] + more),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m


def test_a_port_that_is_no_stream_of_the_op_stays_low(cache):
    node = Node("loaded", Loaded(CHAIN, 1), (Edge("x", ""),))
    graph = Graph({"x": CHAIN}, (node,), {"y": node.out}, name="loaded")
    x = np.arange(24).reshape(4, 6)
    y, _ = GraphSimulator(graph, cache=cache).run_tensor(x, CHAIN, CHAIN)
    assert (y == x).all()


class Shorted(Core):
    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            Value.cast(self.o.payload).eq(Value.cast(self.i.payload)),
            self.o.valid.eq(self.i.valid & self.o.ready),
            self.i.ready.eq(self.o.ready & self.i.valid),
        ]
        return m


def test_a_combinational_loop_of_handshakes_is_a_message(cache):
    first = buffers(1).nodes[0]
    wires = [
        Node("w0", Wire(CHAIN, 1), (first.out,)),
        Node("w1", Wire(CHAIN, 1), (Edge("w0", "o"),)),
    ]
    graph = Graph({"x": CHAIN}, (first, *wires), {"y": wires[-1].out}, name="short")
    with pytest.raises(CheckError, match=r"^combinational loop through the handshakes of w0, w1$"):
        GraphSimulator(graph, cache=cache)

"""Sends and receives on single streams with random stalls; checks that a waiting beat holds."""

import random

from amaranth.hdl import Value
from amaranth.sim import Simulator


class Streams:
    """A component in Amaranth's simulator, with what its streams carried.

    Parameters
    ----------
    dut : Component
    stall : float
        Probability that a side pauses in a cycle.
    """

    def __init__(self, dut, *, stall: float = 0.0, seed: int = 0):
        self.dut = dut
        self.stall = stall
        self.random = random.Random(seed)
        self.received: list[int] = []
        self.faults: list[str] = []
        self.simulator = Simulator(dut)
        self.simulator.add_clock(1e-6)

    def send(self, port, words):
        async def bench(ctx):
            for word in words:
                while self.random.random() < self.stall:
                    await ctx.tick()
                ctx.set(Value.cast(port.payload), word)
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)

        self.simulator.add_testbench(bench)

    def receive(self, port):
        """Collects beats for ever; does not keep the simulation running."""

        async def bench(ctx):
            waiting = None
            while True:
                ready = self.random.random() >= self.stall
                ctx.set(port.ready, ready)
                _, _, valid, word = await ctx.tick().sample(port.valid, Value.cast(port.payload))
                if waiting is not None and (not valid or word != waiting):
                    self.faults.append(f"beat {len(self.received)} did not hold")
                waiting = word if valid and not ready else None
                if valid and ready:
                    self.received.append(word)

        self.simulator.add_testbench(bench, background=True)

    def drive(self, process):
        """Adds a testbench ``process(ctx)`` that ends the simulation when all of them are done."""
        self.simulator.add_testbench(process)

    def run(self, *, extra_cycles: int = 0):
        if extra_cycles:

            async def wait(ctx):
                await ctx.tick().repeat(extra_cycles)

            self.simulator.add_testbench(wait)
        self.simulator.run()
        assert self.faults == []
        return self.received

"""Cells with random parameters side by side: yosys' simulation models against our own."""

from dataclasses import dataclass, field

import numpy as np

from hwgen.simulators.compiled import CxxrtlSimulator, compile_design
from hwgen.simulators.netlist import GateNetlist
from hwgen.simulators.netlist_simulator import NetlistSimulator
from tests.hwgen.simulators.netlists import family_of

LANES = 20


@dataclass
class Bench:
    """A Verilog module that holds cells; pins of one name share their bits of the input."""

    instances: list[str] = field(default_factory=list)
    shared: dict[str, tuple[int, int]] = field(default_factory=dict)
    rare: list[float] = field(default_factory=list)
    outputs: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, kind, parameters, inputs, outputs, *, clocks=(), rare=(), tied=None):
        """A cell; `inputs` and `outputs` are widths by pin, `rare` input pins are mostly 0."""
        pins = [f".{pin}(clk)" for pin in clocks]
        pins += [f".{pin}({value})" for pin, value in (tied or {}).items()]
        for pin, width in inputs.items():
            if pin not in self.shared:
                self.shared[pin] = (len(self.rare), width)
                self.rare += [1 / 8 if pin in rare else 1 / 2] * width
            offset, known = self.shared[pin]
            assert width == known
            pins.append(f".{pin}(i__payload[{offset} +: {width}])")
        first = self.outputs
        for pin, width in outputs.items():
            pins.append(f".{pin}(o__payload[{self.outputs} +: {width}])")
            self.outputs += width
        self.ranges.append((first, self.outputs))
        values = ", ".join(f".{name}({value})" for name, value in parameters.items())
        self.instances.append(f"{kind} #({values}) u{len(self.instances)} ({', '.join(pins)});")

    def verilog(self) -> str:
        return "\n".join(
            [
                "module top(input clk, i__valid, o__ready, output i__ready, o__valid,",
                f"  input [{len(self.rare) - 1}:0] i__payload,",
                f"  output [{self.outputs - 1}:0] o__payload);",
                "assign i__ready = 1'b1, o__valid = 1'b1;",
                *self.instances,
                "endmodule\n",
            ]
        )

    def compare(self, library: str, *, cycles: int, cache, tools, folder) -> None:
        """Random inputs in every lane and cycle; all outputs must be equal in all of them."""
        rng = np.random.default_rng(len(self.rare))
        bits = rng.random((LANES, cycles, len(self.rare))) < np.array(self.rare)
        beats = np.packbits(bits, axis=2, bitorder="little")
        source = self.verilog()
        models = CxxrtlSimulator(
            compile_design(
                {"top.v": source},
                f"read_verilog {library}\nread_verilog top.v\nhierarchy -top top\n",
                cache=cache,
                tools=tools,
                optimise="-O1",
            ),
            "models",
        )
        (folder / "top.v").write_text(source)
        script = (
            f"read_verilog -lib {library}; read_verilog top.v; hierarchy -top top; "
            "select top; write_json -selected top.json"
        )
        tools.run("yosys", ["-q", "-p", script], step="write_json", log=folder / "yosys.log")
        cells = GateNetlist.load(folder / "top.json", family_of(library))
        netlist = NetlistSimulator(cells, cache=cache, lanes=LANES)
        ours = netlist.run(beats, cycles).beats
        theirs = np.stack([models.run(lane, cycles).beats for lane in beats])
        if differing := self._differing(theirs ^ ours):
            raise AssertionError(f"differ from the models: {differing}")

    def _differing(self, difference: np.ndarray) -> list[str]:
        """Instances whose outputs differ, with lane and cycle of the first difference."""
        bits = np.unpackbits(difference, axis=2, count=self.outputs, bitorder="little")
        found = []
        for text, (first, last) in zip(self.instances, self.ranges, strict=True):
            lanes, cycles, _ = bits[:, :, first:last].nonzero()
            if len(lanes):
                found.append(f"lane {lanes[0]} cycle {cycles[0]}: {text}")
        return found

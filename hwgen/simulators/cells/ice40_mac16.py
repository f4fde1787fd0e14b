"""The DSP block of UP5K, register by register, after yosys' simulation model of SB_MAC16.

Words are named as in the figure of Lattice TN1295 and in that model: A to D are the inputs, F, J, K
and G products of bytes, H the product of 16 bits, Q and S the registers of the two adders.
"""

from hwgen.simulators.cell import Cell
from hwgen.simulators.gates import ONE, ZERO

_FLAGS = (
    *("A_REG", "B_REG", "C_REG", "D_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG"),
    *("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2", "TOPADDSUB_UPPERINPUT"),
    *("BOTADDSUB_UPPERINPUT", "MODE_8x8", "A_SIGNED", "B_SIGNED"),
)
_CHOICES = tuple(
    f"{half}{field}"
    for half in ("TOP", "BOT")
    for field in ("OUTPUT_SELECT", "ADDSUB_LOWERINPUT", "ADDSUB_CARRYSELECT")
)


def mac16(cell: Cell) -> None:
    """Lowers an SB_MAC16."""
    cell.number("NEG_TRIGGER", allowed=(0,))
    flags = {name: cell.number(name, allowed=(0, 1)) for name in _FLAGS}
    choices = {name: cell.number(name, allowed=range(4)) for name in _CHOICES}
    block = _Block(cell, flags)
    a, c = block.operand("A", "TOP"), block.operand("C", "TOP")
    b, d = block.operand("B", "BOT"), block.operand("D", "BOT")
    f, g, h = block.products(a, b)
    gates = cell.gates

    # The lower adder, then the upper one, whose carry may come from it.
    z = [b, g, h[:16], [cell.pin("SIGNEXTIN")] * 16][choices["BOTADDSUB_LOWERINPUT"]]
    carry = [ZERO, ONE, cell.pin("ACCUMCI"), cell.pin("CI")][choices["BOTADDSUB_CARRYSELECT"]]
    r, s, lower_carry, _ = block.adder("BOT", z, load=d, carry=carry)
    x = [a, f, h[16:], [z[15]] * 16][choices["TOPADDSUB_LOWERINPUT"]]
    toggled = gates.xor(lower_carry, cell.pin("ADDSUBBOT"))
    carry = [ZERO, ONE, lower_carry, toggled][choices["TOPADDSUB_CARRYSELECT"]]
    p, q, upper_carry, subtract = block.adder("TOP", x, load=c, carry=carry)

    low = [r, s, g, h[:16]][choices["BOTOUTPUT_SELECT"]]
    high = [p, q, f, h[16:]][choices["TOPOUTPUT_SELECT"]]
    cell.drive_word("O", low + high)
    cell.drive("ACCUMCO", upper_carry)
    cell.drive("CO", gates.xor(upper_carry, subtract))
    cell.drive("SIGNEXTOUT", x[15])


class _Block:
    def __init__(self, cell: Cell, flags: dict[str, int]):
        self._cell, self._flags = cell, flags
        self._enable = cell.pin("CE", ONE)
        self._resets = {half: cell.pin(f"IRST{half}") for half in ("TOP", "BOT")}

    def register(self, word: list[int], reset: int, hold: int = ZERO) -> list[int]:
        gates = self._cell.gates
        enable = gates.and_(self._enable, gates.not_(hold))
        return [
            gates.flipflop(
                bit,
                clock=self._cell.pin("CLK"),
                enable=enable,
                reset=reset,
                asynchronous=True,
            )
            for bit in word
        ]

    def operand(self, name: str, half: str) -> list[int]:
        word = self._cell.word(name, 16)
        if not self._flags[f"{name}_REG"]:
            return word
        return self.register(word, self._resets[half], self._cell.pin(f"{name}HOLD"))

    def products(self, a: list[int], b: list[int]) -> tuple[list[int], list[int], list[int]]:
        """F, G and H."""
        gates, flags, resets = self._cell.gates, self._flags, self._resets
        sa, sb, split = (bool(flags[n]) for n in ("A_SIGNED", "B_SIGNED", "MODE_8x8"))
        late = bool(flags["PIPELINE_16x16_MULT_REG1"])
        f = gates.multiply(a[8:], b[8:], signed=(sa, sb), width=16)
        g = gates.multiply(a[:8], b[:8], signed=(sa and split, sb and split), width=16)
        if flags["TOP_8x8_MULT_REG"]:
            f = self.register(f, resets["TOP"])
        if flags["BOT_8x8_MULT_REG"]:
            g = self.register(g, resets["BOT"])
        together = {flags["TOP_8x8_MULT_REG"], flags["BOT_8x8_MULT_REG"], int(late)}
        if not split and (together == {0} or (together == {1} and len(set(resets.values())) == 1)):
            # The four products share their registers, or have none: they are one product.
            h = gates.multiply(a, b, signed=(sa, sb), width=32)
            if late:
                h = self.register(h, resets["TOP"])
        else:
            j = gates.multiply(a[:8], b[8:], signed=(False, sb), width=16)
            k = gates.multiply(a[8:], b[:8], signed=(sa, False), width=16)
            if late:  # in split mode these registers stand still
                j = [ZERO] * 16 if split else self.register(j, resets["TOP"])
                k = [ZERO] * 16 if split else self.register(k, resets["BOT"])
            middle_j = [ZERO] * 8 + j + [j[15] if sb else ZERO] * 8
            middle_k = [ZERO] * 8 + k + [k[15] if sa else ZERO] * 8
            middle, _ = gates.add(middle_j, middle_k)
            h, _ = gates.add(g + f, middle)
        if flags["PIPELINE_16x16_MULT_REG2"]:
            h = [ZERO] * 32 if split else self.register(h, resets["BOT"])
        return f, g, h

    def adder(
        self, half: str, lower: list[int], *, load: list[int], carry: int
    ) -> tuple[list[int], list[int], int, int]:
        """Result before and after its register, carry out, and whether the adder subtracts."""
        cell, gates = self._cell, self._cell.gates
        subtract = cell.pin(f"ADDSUB{half}")
        loading = cell.pin(f"OLOAD{half}")
        # The register feeds the adder that feeds it.
        state = [gates.new() for _ in range(16)]
        upper = load if self._flags[f"{half}ADDSUB_UPPERINPUT"] else state
        total, carry_out = gates.add(lower, [gates.xor(bit, subtract) for bit in upper], carry)
        result = [
            gates.mux(loading, gates.xor(bit, subtract), new)
            for bit, new in zip(total, load, strict=True)
        ]
        register = self.register(result, cell.pin(f"ORST{half}"), cell.pin(f"OHOLD{half}"))
        for slot, bit in zip(state, register, strict=True):
            gates.drive(slot, bit)
        return result, state, carry_out, subtract

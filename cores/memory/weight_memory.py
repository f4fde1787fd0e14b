"""ROM of wide words read in sequence, two cycles after the address: in logic or in block RAM."""

from collections.abc import Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, unsigned
from amaranth.lib.memory import Memory as Array
from amaranth.lib.wiring import Component, In, Out

from cores.choices import Block, Memory
from cores.cost import Count
from platforms.device import BlockRam, Device

DEPTH = 2
"""Cycles from address to word."""


def shape(ram: BlockRam, depth: int, width: int) -> tuple[int, int]:
    """The aspect ratio, (depth, width), that takes the fewest blocks; of equals, the deepest."""

    def order(aspect: tuple[int, int]) -> tuple[int, int]:
        return -(-depth // aspect[0]) * -(-width // aspect[1]), -aspect[0]

    return min(ram.shapes, key=order)


def rom_luts(depth: int, bits: int) -> int:
    """LUTs of a ROM in logic: one for each bit of up to 16 words; of more words, one for eight, as
    synthesised from random contents."""
    if depth <= 16:
        return bits * (depth > 1)
    return round(bits * depth / 8)


def cost(depth: int, width: int, memory: Memory, device: Device) -> Count:
    """Of a `WeightMemory`; its address counter is counted by its user."""
    if depth == 1 or not width:
        return Count()
    address = (depth - 1).bit_length()
    if not isinstance(memory, Block):
        luts = rom_luts(depth, width)
        return Count(mux=luts, ff=width + address, loose=luts - width)
    aspect = shape(device.block_ram, depth, width)
    banks = -(-depth // aspect[0])
    blocks = banks * -(-width // aspect[1])
    registers = 0 if device.block_ram.output_register else address
    mux = (banks - 1) * width
    return Count(ram_blocks=blocks, mux=mux, ff=registers, loose=mux)


def check_device(owner: str, blocks: int, device: Device) -> None:
    """
    Raises
    ------
    ValueError
        The memory is deeper or wider than all block RAM of the device.
    """
    if blocks > device.block_ram.count:
        raise ValueError(
            f"block memory of {owner} needs {blocks} {device.block_ram.primitive}, "
            f"but {device.name} has {device.block_ram.count}: "
            "keep it in logic or take a larger device"
        )


class WeightMemory(Component):
    """Words by address, `DEPTH` cycles later; a single word is a constant.

    Parameters
    ----------
    words : sequence of int
        Contents, non-negative.
    width : int
        Bits of each word.
    memory : Memory
        `Block` for block RAM, else logic.
    device : Device or None
        Without one, inferred memory of the same latency.

    Members
    -------
    en : In(1)
        Moves every register.
    addr : In(range(len(words)))
    data : Out(width)
    """

    en: Signal
    addr: Signal
    data: Signal

    def __init__(
        self, words: Sequence[int], width: int, memory: Memory, device: Device | None = None
    ):
        self.words, self.width, self.memory, self.device = tuple(words), width, memory, device
        super().__init__(
            {
                "en": In(1),
                "addr": In(range(len(self.words))),
                "data": Out(width),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        ram = self.device.block_ram if self.device is not None else None
        if len(self.words) == 1:
            m.d.comb += self.data.eq(Const(self.words[0], self.width))
        elif not isinstance(self.memory, Block):
            self._logic(m)
        elif ram is not None and ram.primitive == "DP16KD":
            self._dp16kd(m, ram)
        else:
            self._inferred(m)
        return m

    def _array(self, m: Module, style: str) -> Array:
        m.submodules.array = array = Array(
            shape=unsigned(self.width),
            depth=len(self.words),
            init=self.words,
            attrs={"ram_style": style},
        )
        return array

    def _late_address(self, m: Module) -> Signal:
        late = Signal.like(self.addr, name="late", reset_less=True)
        with m.If(self.en):
            m.d.sync += late.eq(self.addr)
        return late

    def _logic(self, m: Module) -> None:
        port = self._array(m, "logic").read_port(domain="comb")
        word = Signal(self.width, reset_less=True)
        m.d.comb += [port.addr.eq(self._late_address(m)), self.data.eq(word)]
        with m.If(self.en):
            m.d.sync += word.eq(port.data)

    def _inferred(self, m: Module) -> None:
        """A block without an output register: the address waits instead, which is narrower."""
        port = self._array(m, "block").read_port()
        late = self._late_address(m)
        m.d.comb += [port.addr.eq(late), port.en.eq(self.en), self.data.eq(port.data)]

    def _dp16kd(self, m: Module, ram: BlockRam) -> None:
        """yosys never uses the output register, without which a read takes 5.8 ns."""
        rows, width = shape(ram, len(self.words), self.width)
        mask = (1 << width) - 1
        banks = range(0, len(self.words), rows)
        outputs = []
        for bank, first in enumerate(banks):
            words = self.words[first : first + rows]
            parts = []
            for column in range(-(-self.width // width)):
                data = Signal(width, name=f"data{bank}_{column}")
                part = [word >> column * width & mask for word in words]
                m.submodules[f"block{bank}_{column}"] = _dp16kd(
                    part, width, en=self.en, addr=self.addr, data=data
                )
                parts.append(data)
            outputs.append(Cat(*parts)[: self.width])
        if len(outputs) == 1:
            m.d.comb += self.data.eq(outputs[0])
            return
        bank = self.addr[(rows - 1).bit_length() :]
        late = [Signal.like(bank, name=f"bank{k}", reset_less=True) for k in range(DEPTH)]
        with m.If(self.en):
            m.d.sync += [late[0].eq(bank), late[1].eq(late[0])]
        data: Value = outputs[0]
        for number, output in enumerate(outputs[1:], 1):
            data = Mux(late[1] == number, output, data)
        m.d.comb += self.data.eq(data)


def dp16kd_contents(words: Sequence[int], width: int) -> list[int]:
    """INITVAL_00 ... INITVAL_3F of a DP16KD read `width` bits at a time.

    Source
    ------
    yosys, techlibs/lattice/brams_map_16kd.v and brams_16kd.txt: 1,024 rows of 18 bits, 16 rows of
    20 bits to a parameter. 9 bits are half a row; narrower words leave out the ninth bit of each
    half. 36 bits are the same row of both halves of the block, read through both ports.
    """
    rows = [0] * 1024
    for index, word in enumerate(words):
        if width == 36:
            rows[index] = word & 0x3FFFF
            rows[512 + index] = word >> 18
        elif width == 18:
            rows[index] = word
        else:
            bits = 8 // width * width if width < 9 else 9
            per_half = bits // width
            half, place = divmod(index % (2 * per_half), per_half)
            rows[index // (2 * per_half)] |= word << 9 * half + place * width
    return [
        sum(row << 20 * k for k, row in enumerate(rows[start : start + 16]))
        for start in range(0, 1024, 16)
    ]


def _dp16kd(words: Sequence[int], width: int, *, en: Value, addr: Value, data: Signal) -> Instance:
    """One block as a ROM; port A is used for the upper half of 36-bit words only."""
    port_width = min(width, 18)
    unused_bits = {18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[port_width]
    address = Cat(Const(0, unused_bits), addr)[:14] if unused_bits else addr[:14]
    contents = dp16kd_contents(words, width)
    parameters: dict[str, object] = {
        f"p_INITVAL_{k:02X}": Const(value, 320) for k, value in enumerate(contents)
    }
    ports: dict[str, Value] = {}
    for port, used in (("A", width == 36), ("B", True)):
        bits = [address[k] if k < len(address) else Const(0, 1) for k in range(14)]
        if width == 36:
            bits[13] = Const(port == "A", 1)
        ports |= {f"i_AD{port}{k}": bit if used else Const(0, 1) for k, bit in enumerate(bits)}
        ports |= {f"i_DI{port}{k}": Const(0, 1) for k in range(18)}
        ports |= {f"i_CS{port}{k}": Const(0, 1) for k in range(3)}
        ports |= {f"i_CE{port}": en if used else Const(0, 1)}
        ports |= {f"i_OCE{port}": en if used else Const(0, 1)}
        ports |= {f"i_CLK{port}": ClockSignal() if used else Const(0, 1)}
        ports |= {f"i_WE{port}": Const(0, 1), f"i_RST{port}": Const(0, 1)}
        parameters |= {
            f"p_DATA_WIDTH_{port}": port_width,
            f"p_REGMODE_{port}": "OUTREG" if used else "NOREG",
            f"p_CSDECODE_{port}": "0b000",
            f"p_WRITEMODE_{port}": "NORMAL",
            f"p_CLK{port}MUX": f"CLK{port}",
        }
    outputs = {f"o_DOB{k}": data[k] for k in range(port_width)}
    if width == 36:
        outputs |= {f"o_DOA{k}": data[18 + k] for k in range(18)}
    return Instance(
        "DP16KD",
        **parameters,
        **ports,
        **outputs,
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="AUTO",
    )

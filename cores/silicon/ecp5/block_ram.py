"""DP16KD: 1,024 rows of 18 bits behind two ports.

Every read goes through the output register, which yosys never uses: without it a read takes 5.8 ns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from cores.silicon.banks import read_banks
from platforms.device import fewest_blocks
from platforms.ecp5.device import BLOCK_RAM_SHAPES

_ROWS, _WIDTH = 1024, 18
_DEPTH = 2
_PINS = 14
"""Address pins of a port."""
_FIRST_PIN = {18: 4, 9: 3, 4: 2, 2: 1, 1: 0}
"""Address pin that counts words, by the width of the port."""


@dataclass(frozen=True)
class _Port:
    """A port that is used: it writes `word` in every cycle with `enable`, or reads `outputs`.

    Attributes
    ----------
    address : Value
        Pins from the first one; those that are missing are 0.
    """

    address: Value
    enable: Value
    outputs: Value | None = None
    word: Value | None = None


def rom(m: Module, words: Sequence[int], *, en: Value, addr: Signal, data: Signal) -> None:
    shape = fewest_blocks(BLOCK_RAM_SHAPES, len(words), len(data))

    def block(name: str, part: Sequence[int], found: Signal) -> None:
        m.submodules[name] = _rom_block(part, shape[1], en=en, addr=addr, data=found)

    read_banks(m, words, shape=shape, cycles=_DEPTH, block=block, en=en, addr=addr, data=data)


def _rom_block(
    words: Sequence[int], width: int, *, en: Value, addr: Signal, data: Signal
) -> Instance:
    """One block; port A is used for the upper half of 36-bit words only."""
    rows = contents(words, width)
    if width == 2 * _WIDTH:
        low = Cat(Const(0, 4), addr, Const(0, _PINS))[: _PINS - 1]
        halves = [
            _Port(Cat(low, Const(half, 1)), en, data[half * _WIDTH :][:_WIDTH]) for half in (0, 1)
        ]
        return _block(rows, _WIDTH, a=halves[1], b=halves[0])
    address = Cat(Const(0, _FIRST_PIN[width]), addr)
    return _block(rows, width, a=None, b=_Port(address, en, data))


def shared_rom(
    m: Module,
    name: str,
    words: Sequence[int],
    readers: Sequence[tuple[Value, Value]],
    *,
    en: Value,
) -> None:
    ports: dict[str, _Port | None] = {"a": None}
    for side, (address, data) in zip("ba", readers, strict=False):
        unused = Signal(_WIDTH - len(data), name=f"unused{side.upper()}")
        ports[side] = _Port(Cat(Const(0, 4), address), en, Cat(data, unused))
    m.submodules[name] = _block(contents(words, _WIDTH), _WIDTH, a=ports["a"], b=ports["b"])


def dual_port(
    m: Module,
    name: str,
    *,
    depth: int,
    write: Value,
    write_address: Value,
    i: Value,
    en: Value,
    read_address: Value,
    o: Signal,
) -> None:
    """Written through port A and read through port B. Ports of 36 bits would halve the blocks, but
    of those only the use without a register is known to work."""
    assert depth <= _ROWS and len(o) == _WIDTH
    bytes_to_write = Const(0b11, 4)  # two bits of four are of no use
    m.submodules[name] = _block(
        contents([], _WIDTH),
        _WIDTH,
        a=_Port(Cat(bytes_to_write, write_address), write, word=i),
        b=_Port(Cat(Const(0, 4), read_address), en, o),
    )


def contents(words: Sequence[int], width: int) -> list[int]:
    """INITVAL_00 ... INITVAL_3F of a block read `width` bits at a time.

    Source
    ------
    yosys, techlibs/lattice/brams_map_16kd.v and brams_16kd.txt: 1,024 rows of 18 bits, 16 rows of
    20 bits to a parameter. 9 bits are half a row; narrower words leave out the ninth bit of each
    half. 36 bits are the same row of both halves of the block, read through both ports.
    """
    rows = [0] * _ROWS
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
        for start in range(0, _ROWS, 16)
    ]


def _block(initial: Sequence[int], width: int, *, a: _Port | None, b: _Port | None) -> Instance:
    """A port that is not used has no clock, and nothing but zeros on its inputs."""
    low, high = Const(0, 1), Const(1, 1)
    ports: dict[str, Value] = {}
    parameters: dict[str, object] = {
        f"p_INITVAL_{k:02X}": Const(value, 320) for k, value in enumerate(initial)
    }
    for side, port in (("B", b), ("A", a)):
        enable, address, clock = low, Const(0, _PINS), low
        word = Const(0, _WIDTH) if port is None or port.word is None else port.word
        if port is not None:
            enable, clock = port.enable, ClockSignal()
            address = Cat(port.address, address)[:_PINS]
        outputs = None if port is None else port.outputs
        ports |= {f"i_AD{side}{k}": address[k] for k in range(_PINS)}
        ports |= {f"i_DI{side}{k}": word[k] for k in range(_WIDTH)}
        ports |= {f"i_CS{side}{k}": low for k in range(3)}
        ports |= {f"i_CE{side}": enable, f"i_OCE{side}": low if outputs is None else enable}
        ports |= {
            f"i_WE{side}": low if port is None or port.word is None else high,
            f"i_RST{side}": low,
        }
        ports[f"i_CLK{side}"] = clock
        if outputs is not None:
            ports |= {f"o_DO{side}{k}": outputs[k] for k in range(len(outputs))}
        parameters |= {
            f"p_DATA_WIDTH_{side}": width,
            f"p_REGMODE_{side}": "NOREG" if outputs is None else "OUTREG",
            f"p_CSDECODE_{side}": "0b000",
            f"p_WRITEMODE_{side}": "NORMAL",
            f"p_CLK{side}MUX": f"CLK{side}",
        }
    return Instance(
        "DP16KD",
        **parameters,
        **ports,
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="AUTO",
    )

"""Constants in block RAM, each with an address of its own; where a block has two ports, two share
it."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from cores.choices import Block
from cores.memory import weight_memory
from cores.memory.weight_memory import WeightMemory, dp16kd_contents
from platforms.device import Device

_WIDTH = 18
_DEPTH = 1024


@dataclass(frozen=True)
class Read:
    """One table and who reads it: `data` follows `address` by `weight_memory.DEPTH` cycles.

    Attributes
    ----------
    words : tuple of int
        At least two, non-negative.
    data : Signal
        As wide as a word.
    """

    words: tuple[int, ...]
    address: Value
    data: Signal


def shared_blocks(sizes: Sequence[tuple[int, int]], device: Device) -> int:
    """Blocks that tables of these (depth, width) take together."""
    pairs, alone = _arrange(sizes, device)
    single = (weight_memory.cost(*sizes[k], Block(), device).ram_blocks for k in alone)
    return len(pairs) + sum(single)


def read_blocks(
    m: Module, reads: Sequence[Read], *, enable: Value, device: Device | None, name: str
) -> None:
    """Memories for all `reads`; `enable` moves every register."""
    sizes = [(len(read.words), len(read.data)) for read in reads]
    pairs, alone = _arrange(sizes, device)
    for number, pair in enumerate(pairs):
        m.submodules[f"{name}_pair{number}"] = _dp16kd(reads, pair, enable)
    for number in alone:
        read = reads[number]
        m.submodules[f"{name}{number}"] = memory = WeightMemory(
            read.words, len(read.data), Block(), device
        )
        m.d.comb += [
            memory.en.eq(enable),
            memory.addr.eq(read.address),
            read.data.eq(memory.data),
        ]


@dataclass(frozen=True)
class _Slice:
    """Eighteen bits or fewer of a table, from bit `low`."""

    table: int
    low: int
    depth: int


def _arrange(
    sizes: Sequence[tuple[int, int]], device: Device | None
) -> tuple[list[tuple[_Slice, ...]], list[int]]:
    """Slices that share a block, one or two to each, and tables that do not share: those deeper
    than a block of full width is."""
    if device is None or device.block_ram.primitive != "DP16KD":
        return [], list(range(len(sizes)))
    alone = [k for k, (depth, _) in enumerate(sizes) if depth > _DEPTH]
    waiting = [
        _Slice(k, low, depth)
        for k, (depth, width) in enumerate(sizes)
        if depth <= _DEPTH
        for low in range(0, width, _WIDTH)
    ]
    waiting.sort(key=lambda part: -part.depth)
    pairs = []
    while waiting:
        first = waiting.pop(0)
        room = _DEPTH - first.depth
        second = next((part for part in waiting if _span(part.depth) <= room), None)
        if second is not None:
            waiting.remove(second)
        pairs.append((first,) if second is None else (first, second))
    return pairs, alone


def _span(depth: int) -> int:
    """The second table of a block ends at its end: all its addresses begin with ones."""
    return 1 << (depth - 1).bit_length()


def _dp16kd(reads: Sequence[Read], pair: tuple[_Slice, ...], enable: Value) -> Instance:
    rows = [0] * _DEPTH
    ports: dict[str, Value] = {}
    parameters: dict[str, object] = {}
    for name, part in zip("BA", (*pair, None), strict=False):
        ports |= {f"i_DI{name}{k}": Const(0, 1) for k in range(_WIDTH)}
        ports |= {f"i_CS{name}{k}": Const(0, 1) for k in range(3)}
        ports |= {f"i_WE{name}": Const(0, 1), f"i_RST{name}": Const(0, 1)}
        parameters |= {
            f"p_DATA_WIDTH_{name}": _WIDTH,
            f"p_REGMODE_{name}": "NOREG" if part is None else "OUTREG",
            f"p_CSDECODE_{name}": "0b000",
            f"p_WRITEMODE_{name}": "NORMAL",
            f"p_CLK{name}MUX": f"CLK{name}",
        }
        if part is None:
            ports |= {f"i_AD{name}{k}": Const(0, 1) for k in range(14)}
            ports |= {f"i_{pin}{name}": Const(0, 1) for pin in ("CE", "OCE", "CLK")}
            continue
        read = reads[part.table]
        first = _DEPTH - _span(part.depth) if name == "A" else 0
        for row, word in enumerate(read.words, first):
            rows[row] = word >> part.low & (1 << _WIDTH) - 1
        address = Cat(read.address, Const(first >> len(read.address), 10))[:10]
        ports |= {f"i_AD{name}{k}": Const(0, 1) for k in range(4)}
        ports |= {f"i_AD{name}{4 + k}": bit for k, bit in enumerate(address)}
        ports |= {f"i_CE{name}": enable, f"i_OCE{name}": enable, f"i_CLK{name}": ClockSignal()}
        bits = read.data[part.low : part.low + _WIDTH]
        bits = Cat(bits, Signal(_WIDTH - len(bits), name=f"unused{name}"))
        ports |= {f"o_DO{name}{k}": bit for k, bit in enumerate(bits)}
    contents = dp16kd_contents(rows, _WIDTH)
    parameters |= {f"p_INITVAL_{k:02X}": Const(value, 320) for k, value in enumerate(contents)}
    return Instance(
        "DP16KD",
        **parameters,
        **ports,
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="AUTO",
    )

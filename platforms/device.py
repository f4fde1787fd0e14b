"""What an FPGA offers, as data: cores pick their building blocks by these values and never by a
device's name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BlockRam:
    """The block RAM of a device.

    Parameters
    ----------
    count : int
        Blocks on the device.
    shapes : tuple of (depth, width)
        Aspect ratios of one read port.
    port : (depth, width)
        Aspect ratio of a port of full width while the other port is used as well.
    readers : int
        Ports that can read.
    primitive : str
        Name in messages.
    output_register : bool
        Whether the block has a register behind its read port.
    """

    count: int
    shapes: tuple[tuple[int, int], ...]
    port: tuple[int, int]
    readers: int
    primitive: str
    output_register: bool

    def shape(self, depth: int, width: int) -> tuple[int, int]:
        """The aspect ratio that takes the fewest blocks; of equals, the deepest."""
        return fewest_blocks(self.shapes, depth, width)

    def blocks(self, depth: int, width: int) -> int:
        """Fewest blocks that hold `depth` words of `width` bits, one word read per cycle."""
        rows, bits = self.shape(depth, width)
        return -(-depth // rows) * -(-width // bits)


def fewest_blocks(shapes: tuple[tuple[int, int], ...], depth: int, width: int) -> tuple[int, int]:
    """The aspect ratio, (depth, width), of which the fewest hold `depth` words of `width` bits; of
    equals, the deepest."""
    return min(shapes, key=lambda each: (-(-depth // each[0]) * -(-width // each[1]), -each[0]))


@dataclass(frozen=True)
class Multiplier:
    """The hard multiplier of a device.

    Parameters
    ----------
    count : int
        Blocks on the device.
    primitive : str
        Name in messages.
    a_width, b_width : int
        Operand bits, two's complement or unsigned per operand.
    lanes8 : int
        Independent 8 x 8 products of one block in its native split mode; 1 if there is none.
    adder : int
        Bits of the sum of a product and another number that one block makes; 0 if it does not add.
    """

    count: int
    primitive: str
    a_width: int
    b_width: int
    lanes8: int = 1
    adder: int = 0


@dataclass(frozen=True)
class CellPrices:
    """Cells of a placement report that counted logic takes.

    Parameters
    ----------
    per_lut : float
        Per LUT beside carry chains.
    per_end : int
        Through which one end of a carry chain is fed.
    shared : float or None
        Of the flip-flops, or of the LUTs that one may follow, whichever are fewer: those that share
        their cell. None where flip-flops are counted apart from LUTs.
    """

    per_lut: float
    per_end: int
    shared: float | None


@dataclass(frozen=True)
class Device:
    """One FPGA as the open tools expose it.

    Parameters
    ----------
    name : str
        The name users type, as ``up5k``.
    family : str
        Selects cells, tools and their commands.
    luts, ffs : int
        4-input LUTs (logic cells) and flip-flops.
    block_ram : BlockRam
    multiplier : Multiplier or None
    lutram : bool
        Whether LUTs can serve as small RAM (16 x 4 bits).
    cells : CellPrices
    spram_count : int
        Large single-port RAMs (16K x 16 bits on UP5K).
    nextpnr : tuple of str
        Device, package and speed arguments of nextpnr.
    default_clock_mhz : float
        Clock used when the user names none.
    """

    name: str
    family: str
    luts: int
    ffs: int
    block_ram: BlockRam
    multiplier: Multiplier | None
    lutram: bool
    cells: CellPrices
    spram_count: int
    nextpnr: tuple[str, ...]
    default_clock_mhz: float

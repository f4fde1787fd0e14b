"""What a family's silicon looks like stands in its own rooms: cell names, and code that asks which
family a device has, are nowhere else. A family that is made up here shows that nothing else has to
know it."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil

from cores.choices import Block
from cores.cost import price
from cores.mvau import MatVec
from cores.silicon import family
from cores.silicon.portable import block_ram, carry, logic, multiplier, single_port
from cores.types import IntType
from hwgen.simulators.cells.families import CELLS
from platforms import families
from platforms.device import BlockRam, CellPrices, Device, Multiplier
from platforms.devices import device

ROOT = Path(__file__).parent.parent
FAMILY_ROOMS = ("cores/silicon/", "hwgen/simulators/cells/", "platforms/ice40/", "platforms/ecp5/")
TABLES = {"platforms/families.py", "cores/silicon/family.py"}
"""Where families are named; what they are called in data about boards and energy is no question."""

# Words that every family uses, whichever cell of one has the same name.
COMMON = {"LUT4", "INV", "GSR"}
NAMES = {name for cells in CELLS.values() for name in cells} - COMMON
NAMES |= {bel for each in families.FAMILIES.values() for bel in each.usage.BELS.values()}
# Prefixes of cells as well: names that no netlist holds, and by which cells could be asked for.
# SB_LVCMOS is a standard of pins.
PREFIXES = r"SB_(?!LVCMOS)\w+|TRELLIS_\w+|ICESTORM_\w+"
CELL = re.compile(rf"\b(?:{'|'.join(sorted(NAMES))}|{PREFIXES})\b")


def sources(*rooms: str):
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(FAMILY_ROOMS):
                yield name, ast.parse(path.read_text())


def words(tree: ast.AST):
    """Strings and identifiers; comments are no part of the tree."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Constant(value=str(text)):
                yield line, text
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield line, name
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.arg(arg=name):
                yield line, name
            case ast.alias(name=name, asname=other):
                yield line, f"{name} {other or ''}"


def asks_for_family(node: ast.AST) -> bool:
    """A comparison of what tells families apart."""
    if not isinstance(node, ast.Compare | ast.Match):
        return False
    parts = [node.subject] if isinstance(node, ast.Match) else [node.left, *node.comparators]
    asked = {"family", "primitive"}
    return any(isinstance(part, ast.Attribute) and part.attr in asked for part in parts)


def found(name: str, tree: ast.AST) -> list[str]:
    cells = [f"{name}:{line}: {hit[0]}" for line, text in words(tree) if (hit := CELL.search(text))]
    asks = [f"{name}:{node.lineno}" for node in ast.walk(tree) if asks_for_family(node)]
    return cells + asks


def test_cell_names_stand_in_the_rooms_of_their_family():
    named = [found(name, tree) for name, tree in sources("cores", "hwgen", "platforms")]
    assert not [each for one in named for each in one]


@pytest.mark.parametrize(
    "source",
    [
        'Instance("DP16KD")',
        "SB_MAC16 = 1",
        "def sb(m): m.TRELLIS_FF",
        'if device.family == "ecp5": pass',
        'x = ram.primitive != "a"',
        '"""As SB_SPRAM256KA."""',
    ],
)
def test_the_search_finds(source):
    assert found("here", ast.parse(source))


def test_comments_may_name_cells():
    assert not found("here", ast.parse("a = 1  # DP16KD"))


def test_common_code_of_tools_and_clocks_names_no_family():
    named = re.compile("|".join(families.FAMILIES), re.IGNORECASE)
    for path in sorted((ROOT / "platforms").glob("*.py")):
        name = f"platforms/{path.name}"
        if name not in TABLES:
            texts = [text for _, text in words(ast.parse(path.read_text()))]
            assert not [text for text in texts if named.search(text)], name


def made_up() -> Device:
    """A family with output registers behind its block RAM, carries that see raw inputs, and
    multipliers of 18 bits."""
    return Device(
        name="made-up-1",
        family="made-up",
        luts=8640,
        ffs=6480,
        block_ram=BlockRam(26, ((1024, 18), (2048, 9)), (1024, 18), 1, "MADE_UP_RAM", True),
        multiplier=Multiplier(20, "MADE_UP_MULT", 18, 18),
        lutram=False,
        cells=CellPrices(per_lut=1, per_end=1, shared=None),
        spram_count=0,
        nextpnr=(),
        default_clock_mhz=50,
    )


class CountingRam:
    """Its block RAM: the portable form, noted."""

    def __init__(self):
        self.words = []
        self.shared_rom, self.dual_port = block_ram.shared_rom, block_ram.dual_port

    def rom(self, m, words, *, en, addr, data):
        self.words.append(list(words))
        block_ram.rom(m, words, en=en, addr=addr, data=data)


def test_a_core_is_built_for_a_family_of_which_it_knows_nothing(monkeypatch):
    ram = CountingRam()
    cells = family.Silicon(ram, single_port, multiplier, carry, logic)
    monkeypatch.setitem(family.FAMILIES, "made-up", cells)
    rng = np.random.default_rng(1)
    op = MatVec(rng.integers(-7, 8, (8, 12)), IntType(0, 15), pe=2, simd=3, memory=Block())
    assert rtlil.convert(op.core(made_up()))
    assert [len(words) for words in ram.words] == [16]
    assert price(op.cost(made_up()), made_up()).ram_blocks == op.cost(made_up()).ram_blocks > 0
    assert all(price(each.cost(made_up()), made_up()) for each in op.foldings(made_up()))


def test_a_family_has_the_same_rooms_everywhere():
    assert set(families.FAMILIES) == set(family.FAMILIES) == set(CELLS)
    assert {device(name).family for name in ("up5k", "ecp5-25f")} == set(families.FAMILIES)

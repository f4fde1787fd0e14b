import random

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from cores.choices import Block, Logic
from cores.memory import weight_memory
from cores.memory.weight_memory import WeightMemory
from cores.silicon.ecp5 import block_ram
from platforms.devices import device
from tests.cores import yosys
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

UP5K, ECP5 = device("up5k"), device("ecp5-85f")
TARGETS = pytest.mark.parametrize("target", [None, UP5K, ECP5], ids=["none", "up5k", "ecp5"])
SIZES = [(1, 5), (2, 1), (7, 40), (300, 20), (600, 20), (1500, 10), (3000, 5), (5000, 3), (9000, 1)]


def words_of(depth: int, width: int) -> list[int]:
    rng = random.Random(depth)
    return [rng.getrandbits(width) for _ in range(depth)]


def reads(block: WeightMemory, addresses: list[int]) -> list[int]:
    wrapped = Modelled(block)
    return outputs(
        wrapped,
        addresses,
        drive=lambda ctx, address: ctx.set(block.addr, address),
        read=lambda ctx: ctx.get(block.data),
        depth=weight_memory.DEPTH,
    )


@TARGETS
@pytest.mark.parametrize(("depth", "width"), SIZES)
def test_block_gives_the_word_of_an_address(depth, width, target):
    words = words_of(depth, width)
    rng = random.Random(1)
    addresses = [0, depth - 1, *(rng.randrange(depth) for _ in range(60))]
    found = reads(WeightMemory(words, width, Block(), target), addresses)
    assert found == [words[address] for address in addresses]


@TARGETS
@pytest.mark.parametrize(("depth", "width"), SIZES[:4])
def test_logic_gives_the_word_of_an_address(depth, width, target):
    words = words_of(depth, width)
    addresses = [*range(depth), 0]
    found = reads(WeightMemory(words, width, Logic(), target), addresses)
    assert found == [words[address] for address in addresses]


def test_deeper_than_the_deepest_block_takes_banks():
    words = words_of(17000, 1)
    addresses = [0, 16383, 16384, 16999, 5, 16390]
    found = reads(WeightMemory(words, 1, Block(), ECP5), addresses)
    assert found == [words[address] for address in addresses]


class _Inferred(Component):
    """A memory that yosys turns into a block by itself; it can be written, since yosys reads a ROM
    through wider ports than its words."""

    def __init__(self, words: list[int], width: int):
        self.words, self.width = words, width
        address = range(len(words))
        ports = {"addr": In(address), "data": Out(width)}
        super().__init__(ports | {"write": In(1), "place": In(address), "word": In(width)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.array = array = Memory(
            shape=unsigned(self.width),
            depth=len(self.words),
            init=self.words,
            attrs={"ram_style": "block"},
        )
        port = array.read_port()
        m.d.comb += [port.addr.eq(self.addr), self.data.eq(port.data)]
        write = array.write_port()
        m.d.comb += [write.en.eq(self.write), write.addr.eq(self.place), write.data.eq(self.word)]
        return m


@pytest.mark.synth
def test_contents_of_dp16kd_are_laid_out_as_by_yosys(tmp_path):
    for depth, width in ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)):
        words = words_of(depth, width)
        (block,) = yosys.cells(_Inferred(words, width), tmp_path, yosys.ECP5_RAM)["DP16KD"]
        assert int(block["DATA_WIDTH_B"], 2) == width
        expected = [int(block[f"INITVAL_{k:02X}"], 2) for k in range(64)]
        assert block_ram.contents(words, width) == expected


@pytest.mark.synth
@pytest.mark.parametrize(
    ("name", "depth", "width"), [("up5k", 64, 33), ("up5k", 300, 16), ("ecp5-85f", 64, 73)]
)
def test_takes_as_many_blocks_as_its_cost_says(name, depth, width, tmp_path):
    target = device(name)
    block = WeightMemory(words_of(depth, width), width, Block(), target)
    synth = "synth_ice40 -device u" if name == "up5k" else "synth_ecp5 -nodsp -nowidelut"
    cells = yosys.cells(block, tmp_path, [f"{synth} -top top"])
    blocks = len(cells.get("SB_RAM40_4K", [])) + len(cells.get("DP16KD", []))
    assert blocks == weight_memory.cost(depth, width, Block(), target).ram_blocks

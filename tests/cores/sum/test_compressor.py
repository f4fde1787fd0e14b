import os
import random
from dataclasses import replace

import pytest

from cores.silicon.ecp5 import carry
from cores.sum.compressor import Compressor
from cores.sum.reduction import Addend, Gate
from cores.types import IntType
from platforms.devices import device
from platforms.out_of_context import RegisteredPins, plan_core
from platforms.toolchain import synthesise
from platforms.tools import Tools
from tests.cores.pipelines import outputs
from tests.cores.silicon.primitives import Modelled

ECP5, UP5K = device("ecp5-85f"), device("up5k")
BIT, WORD = Addend(IntType(0, 1)), Addend(IntType(-5, 9))
XNOR, AND = replace(BIT, gate=Gate.XNOR), replace(WORD, gate=Gate.AND)
CASES = {
    "one bit": (BIT,),
    "one gate": (XNOR,),
    "bits": (BIT,) * 23,
    "xnor": (XNOR,) * 40,
    "xnor, not whole": (XNOR,) * 7,
    "words": (WORD,) * 6 + (BIT,) * 3,
    "negated words": (replace(WORD, negative=True),) * 3 + (WORD,) * 2,
    "partial products": tuple(replace(AND, shift=k) for k in range(5)),
    "negated products": (replace(AND, negative=True),) * 4 + (AND,),
    "negated bits": (replace(BIT, negative=True),) * 6,
    "negated gates": (replace(XNOR, negative=True), XNOR, XNOR),
    "weights without bits between": (BIT, BIT, WORD, replace(BIT, shift=9), replace(XNOR, shift=9)),
    "late ones": (WORD, replace(WORD, arrival=3), replace(BIT, arrival=1, shift=12), BIT, BIT),
    "gates and bits": (XNOR, BIT, AND, BIT, XNOR, replace(BIT, shift=3)),
}


def value(addend: Addend, word: int, operand: int) -> int:
    if addend.gate is Gate.XNOR:
        word = int(word == operand)
    elif addend.gate is Gate.AND:
        word *= operand
    return (-word if addend.negative else word) << addend.shift


@pytest.mark.parametrize("target", [None, UP5K, ECP5], ids=["portable", "up5k", "ecp5"])
@pytest.mark.parametrize("addends", CASES.values(), ids=CASES)
def test_adds_what_its_addends_stand_for(addends, target):
    block = Compressor(addends, target)
    rng = random.Random(2)
    inputs = [
        ([rng.randint(a.dtype.lo, a.dtype.hi) for a in addends], rng.getrandbits(len(addends)))
        for _ in range(40)
    ]
    inputs += [([end(a.dtype) for a in addends], all_) for end in (low, high) for all_ in (0, -1)]
    latest = max(addend.arrival for addend in addends)

    def drive(ctx, step):
        gates = 0
        for k, addend in enumerate(addends):
            words, operands = inputs[min(max(0, step - addend.arrival), len(inputs) - 1)]
            ctx.set(block.i[str(k)], words[k])
            gates |= operands & 1 << k
        ctx.set(block.g, gates)

    found = outputs(
        Modelled(block),
        range(len(inputs) + latest),
        drive=drive,
        read=lambda ctx: ctx.get(block.o) + block.plan.offset,
        depth=block.plan.depth,
    )
    assert found[: len(inputs)] == [
        sum(value(a, w, g >> k & 1) for k, (a, w) in enumerate(zip(addends, words, strict=True)))
        for words, g in inputs
    ]


def low(dtype: IntType) -> int:
    return dtype.lo


def high(dtype: IntType) -> int:
    return dtype.hi


def test_chains_share_the_half_between_them():
    assert carry.halves([6]) == 8  # one in front, and one for the carry out
    assert carry.halves([1, 1, 1]) == 8  # 3 bits, 3 in front, 1 at the end; in pairs
    assert carry.halves([carry.HALVES] * 2) == 2 * (carry.HALVES + 2)


@pytest.mark.synth
def test_gates_find_room_in_the_carry_cells(tmp_path):
    pins = RegisteredPins(Compressor([XNOR] * 24, ECP5))
    plan = plan_core(pins, ECP5, clock_mhz=100)
    cells = synthesise(plan, Tools(dict(os.environ)), tmp_path).cells
    # A gate by itself for each of the eight sums of three bits would take eight.
    assert cells["LUT4"] - pins.gates < 8

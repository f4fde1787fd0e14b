import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cores.memory.weight_words import WeightWords

CODES = np.array([[5, 3, 0], [4, 3, 1], [5, 3, 2]])
"""Three steps of three lanes; in the first lane one bit changes, in the second none."""


def steps(codes: np.ndarray) -> np.ndarray:
    """Of one row each, of which a step takes all columns."""
    return codes[:, None, None]


def test_bits_that_never_change_are_not_stored():
    weights = WeightWords(steps(CODES), 3)
    assert (weights.bits, weights.stored) == (9, 3)
    assert weights.words == [0b001, 0b010, 0b101]  # lane 0 in bit 0, lane 2 above it


def test_a_step_has_the_weights_of_its_rows_and_columns():
    matrix = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    weights = WeightWords(matrix.reshape(2, 2, 2, 2), 1)
    # Rows 0 and 1 with columns 0 and 1, then with columns 2 and 3; then rows 2 and 3. The second
    # column of the first row and the first of the second change.
    assert weights.words == [0b01, 0b10, 0, 0]


def test_a_stored_word_gives_all_weights_back():
    for codes in (CODES, np.full((2, 2), 6), np.random.default_rng(1).integers(0, 8, (40, 30))):
        weights = WeightWords(steps(codes), 3)
        word = Signal(weights.stored)
        found = []

        async def bench(ctx, weights=weights, word=word, found=found):
            for stored in weights.words:
                ctx.set(word, stored)
                found.append(ctx.get(weights.weights(word)))

        simulator = Simulator(Module())
        simulator.add_testbench(bench)
        simulator.run()
        assert found == [sum(int(c) << 3 * k for k, c in enumerate(row)) for row in codes]


def test_a_unit_that_holds_its_weights_stores_none():
    weights = WeightWords(np.zeros((1, 1, 1, 4), np.int64), 0)
    assert (weights.bits, weights.stored, len(weights.weights(Signal(0)))) == (0, 0, 0)
